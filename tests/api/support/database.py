"""The service's database file, for values that the API does not show."""
import contextlib
import sqlite3
import uuid


@contextlib.contextmanager
def open_database(server):
    """The database of a service, which may be running. Changes are committed at the end."""
    with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db", timeout=20)) as database, database:
        yield database


def _rows(server, sql, *values):
    database = sqlite3.connect(f"file:{server.data_dir}/payments.db?mode=ro", uri=True)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()


def stored_events(server, merchant):
    """The ids of the merchant's Stripe events that are recorded, oldest first."""
    return [row[0] for row in _rows(server, "SELECT event_id FROM inbox WHERE merchant_id = ? ORDER BY received_us",
                                    uuid.UUID(merchant.id).bytes)]


def history(server, payment):
    """The payment's history, oldest first: (what, cause, reference of the cause)."""
    return _rows(server, "SELECT what, cause, cause_ref FROM payment_history WHERE payment_id = ? ORDER BY id",
                 uuid.UUID(payment["id"]).bytes)


def kept_values(server):
    """Everything in the database: (table, column, value), in a fixed order."""
    with contextlib.closing(sqlite3.connect(f"file:{server.data_dir}/payments.db?mode=ro", uri=True)) as database:
        tables = [name for name, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        for table in tables:
            rows = database.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in rows.description]
            for row in rows:
                yield from ((table, column, value) for column, value in zip(columns, row))


def request_hash(server, merchant, key):
    """The hash that the key stores of its request."""
    (found,), = _rows(server, "SELECT request_hash FROM idempotency_keys WHERE merchant_id = ? AND key = ?",
                      uuid.UUID(merchant.id).bytes, key)
    return found


def forget_answers(server):
    """Removes every stored answer, as time does; says how many there were."""
    with open_database(server) as database:
        return database.execute("DELETE FROM replies").rowcount


def age_credentials(server, merchant, days):
    """The merchant's Stripe credentials were last changed so many days earlier."""
    with open_database(server) as database:
        database.execute("UPDATE credentials SET updated_us = updated_us - ? WHERE merchant_id = ?",
                         (days * 86_400_000_000, uuid.UUID(merchant.id).bytes))


@contextlib.contextmanager
def nobody_writes(server):
    """While it is open, whatever the service wants to write has to wait."""
    with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db", timeout=10)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.rollback()


def is_asking_for_events(server):
    """Whether Stripe's events are still to be fetched for anybody."""
    return _rows(server, "SELECT count(*) FROM operations WHERE kind = 'events'")[0][0] > 0


def is_catching_up(server):
    """Whether Stripe is still to be asked by any account for what the database may lack."""
    return _rows(server, "SELECT count(*) FROM operations WHERE kind = 'catch_up'")[0][0] > 0
