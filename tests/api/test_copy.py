"""A service moves to another database and back: everything is answered as before, what was open goes on, and it never starts on
both. Where $TEST_POSTGRESQL is set, from SQLite to PostgreSQL and back."""
import contextlib
import random
import signal
import sqlite3
import subprocess
import time
import types

import pytest

from cards_fixture import saved
from support.database import connect, drop_database, new_database
from support.http_listener import Answer
from support.ledger import Ledger
from support.merchant import Merchant
from support.place import Terminal
from support.waiting import wait_until

LISTS = ("/v1/payments?status=failed", "/v1/payments?currency=EUR&page_size=2&count=true", "/v1/payments/cards")
KILLS = 20


@pytest.fixture
def databases(tmp_path):
    """The names of three empty databases, of which the second is PostgreSQL's, if there is a server."""
    made = new_database()
    yield [f"sqlite:{tmp_path}/first.db", made or f"sqlite:{tmp_path}/second.db", f"sqlite:{tmp_path}/third.db"]
    drop_database(made)


@pytest.fixture
def shop(databases, start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, database=databases[0], reconcile_interval="250ms", events_interval="1h",
                          webhook_schedule=",".join(["1"] * 30))
    shop = Merchant.with_stripe(server)
    shop.use_webhook(receiver.url)
    return shop


def copy(server, source, target):
    assert server.command_json("copy", "--from", source, "--to", target)["rows"] > 0


def refused(server, *words):
    """What the program says that refuses a command, in one line."""
    done = server.command(*words, check=False)
    assert done.returncode == 1 and done.stderr.startswith("paymentsd: ") and done.stderr.count("\n") == 1, done
    return done.stderr


def shown(shop, payments, refund):
    """What a merchant sees of what has ended. Events that are fetched after a start are noted in the history."""
    answers = {path: shop.api.get(path, expect=200).json for path in LISTS}
    for path in [f"/v1/refunds/{refund['id']}", *(f"/v1/payments/{payment['id']}" for payment in payments)]:
        answers[path] = shop.api.get(path, expect=200).json
    for payment in payments:
        history = shop.api.get(f"/v1/payments/{payment['id']}/events", expect=200).data
        answers[payment["id"]] = [entry for entry in history if not entry["what"].startswith("ignored")]
    return answers


def opened(name):
    """A connection to the database of this name."""
    place = types.SimpleNamespace(settings={"database": name})
    return contextlib.closing(connect(place) if name.startswith("postgresql:") else
                              sqlite3.connect(name.removeprefix("sqlite:")))


def move(shop, source, target):
    """And nothing that is open waits any more."""
    server = shop.server
    server.terminate()
    copy(server, source, target)
    with opened(target) as database, database:
        database.execute("UPDATE operations SET next_attempt_us = 1")
    for words in (["serve", "--listen", "127.0.0.1:0"], ["listapikeys"], ["check-config"]):
        assert "was copied to another" in refused(server, *words)
    server.settings["database"] = target
    server.start()


def test_a_moved_service_answers_as_before_and_finishes_what_was_open(shop, receiver, sandbox, databases):
    paid = shop.pay("10.00", idempotency_key="paid", description="tea", metadata={"a": "1"})
    euros = [shop.pay("5.00", "EUR") for _ in range(3)]
    declined = shop.pay(payment_method="pm_card_visa_chargeDeclined", idempotency_key="declined")
    held = shop.pay("7.00", capture_method="manual")
    saved(shop)
    done = shop.refund(paid, "4.00", idempotency_key="refund")
    receiver.wait_for("payment.refunded")
    receiver.otherwise = Answer(500)
    late = shop.pay("8.00", payment_method="pm_card_pendingRefund", idempotency_key="late")
    assert shop.refund(late, "3.00", idempotency_key="open")["status"] == "pending"
    payments = [paid, *euros, declined, held]
    before = shown(shop, payments, done)
    move(shop, databases[0], databases[1])
    assert shown(shop, payments, done) == before
    assert shop.pay("10.00", idempotency_key="paid", description="tea", metadata={"a": "1"}) == paid
    assert shop.refund(paid, "4.00", idempotency_key="refund") == done
    assert shop.pay(payment_method="pm_card_visa_chargeDeclined", idempotency_key="declined") == declined
    receiver.otherwise = Answer(200)
    seen = len(receiver.deliveries)
    receiver.wait_for(lambda delivery: delivery in receiver.deliveries[seen:] and
                      late["id"] in str(delivery.json))
    shop.end(held, "capture")
    assert shop.server.command_json("verify-audit")["count"] > 0
    new = shop.pay("9.00")
    wait_until(lambda: shop.payment(late["id"])["amount_refunded"] == "3.00", what="the open refund")
    before = shown(shop, [*payments, new], done)
    move(shop, databases[1], databases[2])
    assert shown(shop, [*payments, new], done) == before
    assert shop.pay("8.00", payment_method="pm_card_pendingRefund", idempotency_key="late")["id"] == late["id"]
    assert shop.server.command_json("verify-audit")["count"] > 0
    ledger = Ledger(sandbox, shop)
    ledger.check()
    assert len(ledger.charges) == 8


def fill(name, count):
    """Payments that nobody made, so that a copy takes its time."""
    with opened(name) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(payments)")]
        taken = ", ".join("randomblob(16)" if column == "id" else "NULL" if column == "provider_ref" else column
                          for column in columns)
        database.execute(f"INSERT INTO payments ({', '.join(columns)}) SELECT {taken} FROM payments, generate(?)"
                         .replace("generate(?)", "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                                                 " WHERE i < ?) SELECT i FROM n)"), (count,))
        database.execute("INSERT INTO payment_history SELECT id, id, created_us, 'created', status, 'request', NULL"
                         " FROM payments")


def everything(name):
    """The rows of a database, but those that are its own."""
    with opened(name) as database:
        return {table: sorted(map(repr, database.execute(f"SELECT * FROM {table}").fetchall()))
                for table in ("payments", "payment_history", "outbox", "audit_log", "operations", "idempotency_keys", "cards")}


def says_that_it_was_done(said):
    """The copy before it was killed just as it ended."""
    return "is not empty" in said or "another copy has finished" in said


def test_a_copy_that_is_killed_at_any_moment_goes_on(shop, databases):
    shop.pay()
    server = shop.server
    server.terminate()
    fill(databases[0], 12000)
    before = everything(databases[0])
    source, target = databases[:2]
    generator = random.Random(7)
    kills = finished = 0
    while kills < KILLS:
        began = time.monotonic()
        copying = subprocess.Popen([str(server.binary), "copy", "--from", source, "--to", target], env=server.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            copying.wait(generator.uniform(0, 0.5))
        kills += copying.poll() is None
        copying.send_signal(signal.SIGKILL)
        said = copying.communicate()[1]
        was_done = says_that_it_was_done(said)
        assert copying.returncode in (0, -signal.SIGKILL) or was_done, said
        if copying.returncode == 0 or was_done:  # it is complete: another one begins, from there
            finished += 1
            source, target = target, f"{databases[2]}.{finished}"
        assert time.monotonic() - began < 60
    last = server.command("copy", "--from", source, "--to", target, check=False)
    assert last.returncode == 0 or says_that_it_was_done(last.stderr), last.stderr
    assert everything(target) == before
    server.settings["database"] = target
    server.start()
    assert shop.pay()["status"] == "completed"


def test_a_cancelled_copy_lets_the_service_stay(shop, databases):
    shop.pay()
    server = shop.server
    server.terminate()
    fill(databases[0], 12000)
    copying = subprocess.Popen([str(server.binary), "copy", "--from", databases[0], "--to", databases[1]],
                               env=server.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "copied" in copying.stderr.readline()
    copying.kill()
    copying.communicate()
    assert "is being copied to another" in refused(server, "listapikeys")
    assert server.command_json("copy", "--cancel", "--from", databases[0]) == {"ok": True}
    assert "cancelled" in refused(server, "copy", "--from", databases[0], "--to", databases[1])
    server.start()
    assert shop.pay()["status"] == "completed"
    server.settings["database"] = databases[1]
    assert "unfinished copy" in refused(server, "listapikeys")
    server.settings["database"] = databases[0]


def test_a_database_in_use_is_not_copied(shop, databases):
    assert "serving this database" in refused(shop.server, "copy", "--from", databases[0], "--to", databases[1])
    move(shop, databases[0], databases[1])
    words = ("copy", "--from", databases[1], "--to", databases[2])
    assert ("a service is running" if databases[1].startswith("postgresql:") else "serving this database") in refused(
        shop.server, *words)


def test_a_terminal_shows_progress_in_one_line(place, tmp_path):
    source = place.settings.get("database", f"sqlite:{place.database}")
    place.json("createmerchant", "--name", "shop")
    terminal = Terminal(place, "copy", "--from", source, "--to", f"sqlite:{tmp_path}/copy.db")
    try:
        terminal.expect("\r\x1b[Kcopied ")
        terminal.expect("\r\x1b[Kcompared ")
        assert "Start it with the new one" in terminal.end()
    finally:
        terminal.close()


@pytest.mark.parametrize("words", [["copy"], ["copy", "--from", "sqlite:a.db"], ["copy", "--to", "sqlite:a.db"],
                                   ["copy", "--cancel"], ["copy", "--cancel", "--from", "sqlite:a.db", "--to", "sqlite:b.db"]])
def test_a_copy_says_what_it_needs(nothing, words):
    assert nothing.refused(*words, status=2).startswith("usage: paymentsd copy --from DATABASE --to DATABASE")


@pytest.mark.parametrize("wrong", ["from", "to"])
def test_a_database_of_no_kind_is_refused(nothing, wrong):
    names = {"from": "sqlite:a.db", "to": "sqlite:b.db"} | {wrong: "banana"}
    message = nothing.refused("copy", "--from", names["from"], "--to", names["to"], status=2)
    assert message == f"--{wrong}: must be sqlite:PATH or postgresql://USER@HOST/NAME"


def test_a_copy_of_nothing_makes_nothing(nothing, tmp_path):
    message = nothing.refused("copy", "--from", f"sqlite:{tmp_path}/missing.db", "--to", f"sqlite:{tmp_path}/new.db")
    assert "missing.db" in message
    assert not list(tmp_path.iterdir())
