"""One service to a database, by whatever path it is opened and whatever happens to its file."""
import os
import shutil
import subprocess

import pytest

from support.merchant import Merchant, ObservedMerchant
from support.process import environment
from support.shape import refused as answered
from support.waiting import scaled, wait_until

TIMEOUT_S = 30


def refused(server, *words, **variables):
    """The one line of a command on the data of a server that runs."""
    given = {"PAYMENTS_DATA_DIR": server.data_dir} | {f"PAYMENTS_{name.upper()}": str(value) for name, value in variables.items()}
    done = subprocess.run([str(server.binary), *words], env=environment(**given), text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=scaled(TIMEOUT_S), check=False)
    assert done.returncode == 1 and not done.stdout and done.stderr.count("\n") == 1, done
    return done.stderr


@pytest.fixture
def serving(start_server, sandbox):
    return start_server(sandbox.url)


def ways_to(server, tmp_path):
    """Settings that lead to the server's database by other names."""
    folder, file = tmp_path / "folder", tmp_path / "linked.db"
    folder.symlink_to(server.data_dir)
    file.symlink_to(os.path.join(server.data_dir, "payments.db"))
    return [{}, {"data_dir": folder}, {"database": f"sqlite:{file}"},
            {"data_dir": os.path.join(server.data_dir, "..", os.path.basename(server.data_dir))}]


@pytest.mark.parametrize("words", [["serve", "--listen", "127.0.0.1:0"], ["rotate-master-key"]], ids=lambda words: words[0])
def test_nothing_runs_at_the_same_time_as_the_service_by_any_path(serving, tmp_path, words):
    merchant = Merchant.with_stripe(serving)
    for way in ways_to(serving, tmp_path):
        message = refused(serving, *words, **way)
        assert "another paymentsd is serving this database" in message, way
        assert f"is locked by process {serving.process.pid})" in message, way
    assert merchant.pay()["status"] == "completed"


def test_the_lock_goes_with_the_service(serving):
    serving.kill()
    serving.start()
    serving.terminate()
    assert sorted(os.listdir(serving.data_dir)) == ["master.key", "payments.db", "payments.db.stopped", "pepper.key"]
    serving.command("rotate-master-key")
    serving.start()


# The file is replaced under the service

def put_away(server):
    """Moves the database's files away, as an operator does who restores in the wrong order."""
    aside = os.path.join(server.data_dir, "aside")
    os.mkdir(aside)
    for name in ("payments.db", "payments.db-wal", "payments.db-shm"):
        shutil.move(os.path.join(server.data_dir, name), aside)
    return aside


def move_back(server, aside):
    for name in os.listdir(aside):
        os.replace(os.path.join(aside, name), os.path.join(server.data_dir, name))
    os.rmdir(aside)


@pytest.mark.parametrize("a_backup_is_put_there", [True, False])
def test_a_database_that_was_replaced_takes_no_payment(start_server, stub_stripe, a_backup_is_put_there):
    server = start_server(stub_stripe.url, reconcile_interval="100ms")
    merchant = ObservedMerchant(server, stub_stripe)
    copy = os.path.join(server.data_dir, "copy")
    server.command("backup", copy)
    payment = merchant.pay()
    aside = put_away(server)
    if a_backup_is_put_there:
        os.rename(copy, os.path.join(server.data_dir, "payments.db"))
    answered(merchant.api.post("/v1/payments", {"amount": "10.00", "currency": "USD", "provider": "stripe",
                                                "payment_method": "pm_card_visa"}, idempotency_key="while-away"),
             500, "INTERNAL_ERROR")
    wait_until(lambda: server.api().get("/readyz").status == 503, what="not ready")
    said = server.wait_for_log(message="the database cannot be written: the service is not ready until it can")["error"]
    path = os.path.join(server.data_dir, "payments.db")
    assert path in said and ("stop the service" in said if a_backup_is_put_there else "cannot find the file" in said)
    assert len(merchant.charges()) == 1
    move_back(server, aside)
    wait_until(lambda: server.api().get("/readyz").status == 200, what="ready again")
    assert merchant.payment(payment["id"]) == payment
    assert merchant.pay(idempotency_key="while-away")["status"] == "completed" and len(merchant.charges()) == 2


def test_a_charge_that_waited_for_its_turn_is_not_sent_either(start_server, stub_stripe):
    server = start_server(stub_stripe.url, reconcile_interval="100ms", stripe_rate="1,1", patience="200ms")
    merchant = ObservedMerchant(server, stub_stripe)
    payments = [merchant.pay() for _ in range(4)]
    assert {payment["status"] for payment in payments} == {"completed", "pending"}
    aside = put_away(server)
    server.wait_for_log(message="an outcome could not be recorded, will try again")
    move_back(server, aside)
    assert server.wait_for_log(message="provider answered", reason="the database file that records it was replaced")
    assert len(merchant.charges()) < 4
