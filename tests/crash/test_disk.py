"""A disk that is full, fails, is read-only, or lies. New work is refused, every answer that was given is stored, nothing is
lost, and the service recovers when the disk does."""
import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

from steps import (Authenticate, Capture, Charge, DeleteCard, Refund, RefundAtStripe, SaveCard, lengthen_log, paid, pay,
                   save_card)
from support.ledger import Ledger
from support.client import Api
from support.waiting import scaled, wait_until

WRITES = ("wal write", "database write")
SYNCS = ("wal sync", "database sync")
TROUBLES = {"full": ("ENOSPC", WRITES), "dying": ("EIO", WRITES + SYNCS), "does not sync": ("EIO", SYNCS),
            "read-only": ("EROFS", WRITES)}
NOBODY = 65534

troubles = pytest.mark.parametrize("error, points", TROUBLES.values(), ids=[name.replace(" ", "-") for name in TROUBLES])


def is_ready(world):
    return world.server.api().get("/readyz").status == 200


def refuse(world, method, path, body=None, key=None):
    answer = world.merchant.api.request(method, path, body, idempotency_key=key)
    assert (answer.status, answer.codes) == (500, ["INTERNAL_ERROR"]), answer


# While it serves

@troubles
def test_new_work_is_refused_while_the_disk_cannot_be_written(start_world, library, error, points):
    world = start_world(library)
    payment = paid(world, "before")
    card = save_card(world, "before").data
    lengthen_log(world.server)  # or it would begin anew, which needs a sync of its own
    charges = Ledger(world.sandbox, world.merchant).charges
    world.server.mark_log()
    world.plan.fail(error, points)
    assert pay(world, "refused") is None
    refuse(world, "POST", "/v1/refunds", {"payment_id": payment["id"]}, "refused")
    refuse(world, "DELETE", f"/v1/payments/cards/{card['id']}")
    refuse(world, "PUT", "/v1/merchant/webhook", {"webhook_url": world.receiver.url + "/other"})
    wait_until(lambda: not is_ready(world), what="it to be unready")
    assert world.payment(payment["id"]) == payment
    assert Ledger(world.sandbox, world.merchant).charges == charges, "charged, with nothing kept of it"
    world.plan.calm()
    wait_until(lambda: is_ready(world), what="it to be ready by itself")
    assert len([line for line in world.server.log_since_mark() if "the database cannot be written" in line]) == 1
    world.server.wait_for_log(message="the database can be written again")
    refunded = world.ask("POST", "/v1/refunds", {"payment_id": payment["id"]}, "refused").data
    assert (pay(world, "refused").data["status"], refunded["status"]) == ("completed", "completed")
    world.settle_books()


def test_a_database_that_cannot_be_synced_ends_the_service_and_nothing_is_lost(start_world, library):
    """What was copied from the log may be lost, and only a new start copies all of it again."""
    world = start_world(library)
    server = world.server
    payment = paid(world, "before")
    world.plan.fail("EIO", ("database sync",))  # first: a late webhook's record may have the long log copied
    lengthen_log(server)
    pay(world, "meanwhile")
    assert server.process.wait() == 1
    line, = [line for line in server.log_since_mark() if "the disk failed to sync the database" in line]
    assert '"error"' in line
    world.plan.calm()
    server.start()
    assert world.payment(payment["id"]) == payment
    assert pay(world, "meanwhile").data["status"] == "completed"
    world.settle_books()


STEPS = (Charge, Refund, Capture, SaveCard, DeleteCard, RefundAtStripe, Authenticate)


@pytest.mark.parametrize("step", [step() for step in STEPS], ids=lambda step: step.name.replace(" ", "-"))
def test_open_operations_end_after_a_failure_of_the_disk(start_world, library, rounds, rng, count, step):
    world = start_world(library)
    expected = {}
    kills = 0
    wanted = rounds if rounds is not None else 60
    for number in range(wanted):
        key = f"order-{number}"
        subject = step.prepare(world, key)
        error, points = rng.choice(list(TROUBLES.values()))
        world.plan.fail(error, points, call=rng.randint(1, 60 if "wal write" in points else 5))
        for _ in range(rng.randint(1, 5)):
            step.attempt(world, key, subject)
        if rng.random() < 0.3:
            world.server.kill()  # what it wrote and could not sync may be there all the same
            kills += 1
            world.server.start_again()
        world.plan.calm()
        answer = world.repeat(lambda: step.attempt(world, key, subject), f"{key} to be answered")
        world.repeat(lambda: step.is_settled(world, subject, answer), f"{key} to be settled")
        if step.payment_id(subject, answer):
            expected[step.payment_id(subject, answer)] = step.events
    world.check_told(world.settle_books(), expected)
    count(points=wanted, kills=kills, operations=world.operations)


# At its start

def refused_start(binary, server, **options):
    """The one line that it ends with."""
    done = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0"], env=server.environment(), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=scaled(20), check=False, **options)
    line, = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("paymentsd: "), done
    return line


@pytest.mark.parametrize("read_only", ["payments.db", "."])
def test_a_database_that_may_not_be_written_is_refused_in_one_line(start_world, read_only):
    world = start_world(plain=True)  # the user that it is started as may not read the certificate either
    server = world.server
    payment = paid(world, "before")
    server.terminate()
    whole = server.data_dir
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        server.data_dir = shutil.copytree(whole, os.path.join(parent, "data"))
        binary = shutil.copy(server.binary, parent)  # another user may not reach the build, say below /root
        as_user = {}
        if os.geteuid() == 0:
            as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            for name in (".", *os.listdir(server.data_dir)):
                os.chown(os.path.join(server.data_dir, name), NOBODY, NOBODY)
        os.chmod(os.path.join(server.data_dir, read_only), 0o500)
        try:
            line = refused_start(binary, server, **as_user)
        finally:
            os.chmod(server.data_dir, 0o700)
            server.data_dir = whole
    assert "cannot use the database" in line and "ermission denied" in line
    server.start()
    assert world.payment(payment["id"]) == payment


PAGE_BYTES = 4096


def test_a_damaged_page_is_refused_and_never_read_as_something_else(start_world, rounds, rng, count):
    """Each page in turn is overwritten with noise. What is answered is right, or it is an error."""
    world = start_world()
    server = world.server
    payments = [paid(world, f"order-{number}") for number in range(20)]
    server.terminate()
    path = os.path.join(server.data_dir, "payments.db")
    with open(path, "rb") as file:
        whole = file.read()
    pages = range(len(whole) // PAGE_BYTES)
    if rounds is not None:
        pages = [0, *rng.sample(pages[1:], 5 * rounds)]
    for page in pages:
        with open(path, "wb") as file:
            file.write(whole[:page * PAGE_BYTES] + rng.randbytes(PAGE_BYTES) + whole[(page + 1) * PAGE_BYTES:])
        try:
            server.launch()
        except AssertionError:
            line, = server.process.err.all()
            assert server.process.wait() == 1 and "database" in line, line
        else:
            refuse_wrong_answers(server, world.merchant.api, payments)
            world.stop()
        for name in ("payments.db-wal", "payments.db-shm"):
            if os.path.exists(os.path.join(server.data_dir, name)):
                os.unlink(os.path.join(server.data_dir, name))
    with open(path, "wb") as file:
        file.write(whole)
    server.start()
    world.settle_books()
    count(points=len(pages))


def refuse_wrong_answers(server, api, payments):
    api = Api(server.url, api.key)
    for payment in payments:
        answer = api.get(f"/v1/payments/{payment['id']}")
        assert answer.status == 500 or answer.data == payment, answer
    listed = api.get("/v1/payments")
    assert listed.status == 500 or all(one in payments for one in listed.data), listed
    refund = api.post("/v1/refunds", {"payment_id": payments[0]["id"], "amount": "10.01"})
    assert refund.status in (422, 500) or refund.codes == ["CATCHING_UP"], refund
    assert server.process.exit_status() is None, server.log()


FRAME_BYTES = 24 + PAGE_BYTES
WAL_HEADER_BYTES = 32
# Fields of a payment that are the same in every state.
FIXED = ("id", "amount", "currency", "idempotency_key", "created_at")


def test_a_damaged_log_ends_at_the_damage_and_is_whole_before_it(start_world, rounds, rng, count):
    """SQLite takes the bytes after a damaged frame for the rest of an interrupted write. Nobody can tell
    these apart, so what is lost is lost; but what is left is as it was, and in itself whole."""
    world = start_world()
    server = world.server
    payments = [paid(world, f"order-{number}") for number in range(10)]
    server.kill()
    path = os.path.join(server.data_dir, "payments.db-wal")
    kept = shutil.copytree(server.data_dir, server.data_dir + "-kept")
    frames = (os.path.getsize(path) - WAL_HEADER_BYTES) // FRAME_BYTES
    wanted = rng.sample(range(frames // 2, frames), 3 * rounds if rounds is not None else frames // 2)
    for frame in wanted:
        shutil.copytree(kept, server.data_dir, dirs_exist_ok=True)
        with open(path, "r+b") as log:
            log.seek(WAL_HEADER_BYTES + frame * FRAME_BYTES + rng.randrange(24, FRAME_BYTES))
            byte = log.read(1)[0]
            log.seek(-1, os.SEEK_CUR)
            log.write(bytes([byte ^ 0x10]))
        server.launch()
        for payment in payments:
            answer = world.merchant.api.unrecorded().get(f"/v1/payments/{payment['id']}")
            assert answer.status == 404 or all(answer.data[name] == payment[name] for name in FIXED), answer
        with contextlib.closing(sqlite3.connect(f"file:{server.data_dir}/payments.db?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        server.kill()
    shutil.copytree(kept, server.data_dir, dirs_exist_ok=True)
    shutil.rmtree(kept)
    server.start()
    world.settle_books()
    count(points=len(wanted), kills=len(wanted))
