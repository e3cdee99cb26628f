"""A database whose values were damaged by a failing disk or by somebody who can write to it. Whatever a row holds, the
service answers, with 500 at worst, and goes on. When the row is as it was, so are the answers."""
import contextlib
import http.client
import os
import pathlib
import re
import secrets
import sqlite3

import pytest

from support.database import columns, connect, open_database
from support.merchant import Merchant
from support.server import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = sorted(set(re.findall(r"CREATE TABLE (\w+)", (ROOT / "src" / "store" / "schema.c").read_text())))

# Values that a column's declared type allows and that no query of the service writes.
HOSTILE = {"TEXT": ["", "pending\0", "x" * 5000], "BLOB": [b"", b"x", b"\xff" * 16, b"x" * 33],
           "INTEGER": [-1, 1, 3, 2**31, 2**63 - 1, -2**63]}


class StoredRows:
    """A service that holds a row of nearly each kind."""

    def __init__(self, server):
        self.server = server
        self.merchant = merchant = Merchant(server)
        merchant.use_stripe(webhook=False)           # so that an operation stays open: events are fetched
        merchant.use_webhook("http://127.0.0.1:1/")  # nobody listens, so that events stay to be sent
        self.admin = server.api(server.command_json("createsuperadmin", "--name", "admin")["key"]).unrecorded()
        self.api = merchant.api.unrecorded()
        card = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa",
                                                        "customer_email": "ann@example.com"}, expect=201).data
        paid = merchant.pay("10.00", idempotency_key="paid", saved_card_id=card["id"])
        held = merchant.pay("10.00", capture_method="manual", idempotency_key="held")
        failed = merchant.pay("10.00", payment_method="pm_card_chargeDeclined", idempotency_key="failed")
        refund = merchant.refund(paid, "1.00", idempotency_key="refund")
        event = merchant.api.get("/v1/webhooks/logs").data[0]
        self.paths = [
            "/v1/payments", "/v1/payments?status=failed", "/v1/payments/cards", "/v1/refunds", "/v1/customers",
            "/v1/webhooks/logs", "/v1/audit/logs", "/v1/merchant/me", "/v1/merchant/providers",
            f"/v1/refunds/{refund['id']}", *(f"/v1/payments/{payment['id']}{rest}" for payment in (paid, held, failed)
                                             for rest in ("", "/events"))]
        self.repeats = [
            ("/v1/payments", {"amount": "10.00", "currency": "USD", "provider": "stripe", "saved_card_id": card["id"]}, "paid"),
            ("/v1/refunds", {"payment_id": paid["id"], "amount": "1.00"}, "refund")]
        self.refused = [
            ("/v1/refunds", {"payment_id": paid["id"], "amount": "99.00"}, None),
            (f"/v1/payments/{paid['id']}/capture", None, None), (f"/v1/payments/{failed['id']}/cancel", None, None),
            (f"/v1/webhooks/logs/{event['id']}/redeliver", None, None), ("/v1/merchant/webhook/test", None, None),
            (f"/v1/payments/cards/{card['id']}/default", None, None)]

    def database(self):
        """A connection that minds no foreign keys."""
        database = connect(self.server)
        if not isinstance(database, sqlite3.Connection):
            with database:
                database.execute("SET session_replication_role = replica")  # no triggers either
        return contextlib.closing(database)

    def answers(self):
        """To what reads, and to what repeats a request under its key."""
        return ([self.api.get(path) for path in self.paths] + [self.admin.get("/v1/audit/logs")] +
                [self.api.post(path, body, idempotency_key=key) for path, body, key in self.repeats])

    def answers_to_everything(self):
        return (self.answers() + [self.api.get(path, headers={"Accept": "text/csv"}) for path in self.paths[:5]] +
                [self.api.post(path, body, idempotency_key=key) for path, body, key in self.refused])


@pytest.fixture(scope="module")
def stored(binary, nghttpx):
    server = Server(binary, webhook_allow="127.0.0.1", webhook_allow_http=True, **nghttpx.settings)
    yield StoredRows(server)
    server.close()


def tell_of_change(database):
    """What PostgreSQL's triggers would do."""
    if not isinstance(database, sqlite3.Connection):
        database.execute("UPDATE generation SET value = ?", (secrets.token_bytes(16),))


def damage(database, table, column, value):
    """Of as many rows as take the value. How many there were."""
    if isinstance(database, sqlite3.Connection):
        with database:
            return database.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,)).rowcount
    for rows in ("", f" WHERE ctid = (SELECT min(ctid) FROM {table})"):
        try:
            with database:
                changed = database.execute(f"UPDATE {table} SET {column} = ?{rows}", (value,)).rowcount
                tell_of_change(database)
                return changed
        except (ValueError, database.Error):  # a NUL in a text; a constraint
            pass
    return 0


def restore_rows(database, table, rows):
    with database:
        database.execute(f"DELETE FROM {table}")
        database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        tell_of_change(database)


def each_damage(database, table):
    """Damages one column of the table after the other, while the caller looks; what the table refuses is left out."""
    rows = database.execute(f"SELECT * FROM {table}").fetchall()
    for column, type_ in columns(database, table):
        for value in HOSTILE[type_]:
            if damage(database, table, column, value) > 0:
                yield f"{table}.{column} = {value!r:.40}"
                restore_rows(database, table, rows)


@pytest.mark.parametrize("table", TABLES)
def test_a_damaged_row_of_any_content_does_not_stop_the_service(stored, table):
    before = [answer.status for answer in stored.answers()]
    assert set(before) <= {200, 201}
    with stored.database() as database:
        for done in each_damage(database, table):
            try:
                statuses = {answer.status for answer in stored.answers_to_everything()}
            except (OSError, http.client.HTTPException) as failure:
                raise AssertionError(f"{done}: {failure}") from failure
            assert all(200 <= status < 600 for status in statuses), done
    assert [answer.status for answer in stored.answers()] == before


# At the end of a text: in C it ends before that, and PostgreSQL takes none.
NUL = "x" if os.environ.get("TEST_POSTGRESQL") else "\0"


@pytest.mark.parametrize("change, value", [
    ("event_type = event_type || ?", NUL + "x"), ("severity = severity || ?", NUL), ("detail = detail || ?", NUL),
    ("id = ?", b"\0"), ("merchant_id = ?", b"\0"), ("mac = ?", b"\0"), ("created_us = ?", -2**63)])
def test_verify_audit_tells_of_a_damaged_entry(binary, nghttpx, start_server, change, value):
    server = start_server(**nghttpx.settings)
    Merchant(server)
    with open_database(server) as database:
        assert database.execute(f"UPDATE audit_log SET {change} WHERE seq = 2", (value,)).rowcount == 1
    told = server.command("verify-audit", check=False)
    assert told.returncode == 1 and "tampered with: entry 2" in told.stderr
