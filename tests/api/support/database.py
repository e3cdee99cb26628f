"""The service's database, for values that the API does not show: a SQLite file in the data directory, or a schema of the
PostgreSQL server in $TEST_POSTGRESQL (see postgresql.py). Tests write SQLite's SQL with its placeholders, ? and :name."""
import contextlib
import os
import re
import secrets
import sqlite3
import urllib.parse
import uuid

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:
    psycopg2 = None

SERVER = os.environ.get("TEST_POSTGRESQL")
TIMEOUT_S = 20


# Where tests run on PostgreSQL

def new_database():
    """The setting `database` of a new, empty one; None: a file in the data directory."""
    if not SERVER:
        return None
    schema = f"test_{secrets.token_hex(8)}"
    with contextlib.closing(_connect(SERVER)) as database, database:
        database.execute(f'CREATE SCHEMA "{schema}"')
    return f"{SERVER}&options={urllib.parse.quote(f'-csearch_path={schema}')}"


def drop_database(setting, *then):
    """Removes what new_database made, and runs these statements, in which {schema} is its name."""
    if setting and SERVER and setting.startswith(SERVER):
        schema = urllib.parse.unquote(setting).rpartition("=")[2]
        with contextlib.closing(_connect(SERVER)) as database, database:
            database.execute("SET client_min_messages = error")
            for statement in ('DROP SCHEMA IF EXISTS "{schema}" CASCADE', *then):
                database.execute(statement.format(schema=schema))


def empty_database(setting):
    """Removes everything from what new_database made."""
    drop_database(setting, 'CREATE SCHEMA "{schema}"')


class _Postgresql:
    """A connection that is used as those of sqlite3 are. A transaction begins with the first statement."""

    Error = psycopg2 and psycopg2.Error

    def __init__(self, uri):
        self._connection = psycopg2.connect(uri)

    def execute(self, sql, values=()):
        cursor = self._connection.cursor()
        cursor.execute(_placeholders(sql), values or None)
        return cursor

    def executemany(self, sql, rows):
        cursor = self._connection.cursor()
        cursor.executemany(_placeholders(sql), rows)
        return cursor

    def commit(self):
        self._connection.commit()

    def rollback(self):
        self._connection.rollback()

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.rollback() if kind else self.commit()


def _placeholders(sql):
    """psycopg2's: a `%` of the text is doubled."""
    return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", sql.replace("%", "%%").replace("?", "%s"))


def _connect(uri):
    return _Postgresql(uri)


def _read_as(number, name, convert):
    """A type of PostgreSQL's, by its number, as what sqlite3 answers."""
    kind = psycopg2.extensions.new_type((number,), name, lambda text, cursor: text if text is None else convert(text))
    psycopg2.extensions.register_type(kind)


if psycopg2:
    _read_as(17, "BYTEA", lambda text: bytes.fromhex(text[2:]))
    _read_as(1700, "NUMERIC", int)  # sums


# For all tests

def connect(server, timeout=TIMEOUT_S):
    """A connection to the database of a service, which may be running."""
    uri = server.settings.get("database") or ""
    if uri.startswith("postgresql:"):
        return _connect(uri)
    return sqlite3.connect(f"{server.data_dir}/payments.db", timeout=timeout)


@contextlib.contextmanager
def open_database(server):
    """The database of a service, which may be running. Changes are committed at the end."""
    with contextlib.closing(connect(server)) as database, database:
        yield database


def rows_of(server, sql, *values):
    """Of a statement that may write, too."""
    with open_database(server) as database:
        cursor = database.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def tables(database):
    """The names of its tables, in order."""
    listed = ("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
              if isinstance(database, sqlite3.Connection) else
              "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1")
    return [name for name, in database.execute(listed).fetchall()]


_TYPES = {"bytea": "BLOB", "text": "TEXT", "bigint": "INTEGER"}


def columns(database, table):
    """(name, SQLite's type) of each."""
    if isinstance(database, sqlite3.Connection):
        return [(name, type_) for _, name, type_, *_ in database.execute(f"PRAGMA table_info({table})").fetchall()]
    listed = database.execute("SELECT column_name, data_type FROM information_schema.columns"
                              " WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position", (table,))
    return [(name, _TYPES[type_]) for name, type_ in listed.fetchall()]


def is_whole(database):
    """Whether SQLite finds its file intact. PostgreSQL looks after its own."""
    return (not isinstance(database, sqlite3.Connection) or
            database.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def stored_events(server, merchant):
    """The ids of the merchant's Stripe events that are recorded, oldest first."""
    return [row[0] for row in rows_of(server, "SELECT event_id FROM inbox WHERE merchant_id = ? ORDER BY received_us",
                                      uuid.UUID(merchant.id).bytes)]


def history(server, payment):
    """The payment's history, oldest first: (what, cause, reference of the cause)."""
    return rows_of(server, "SELECT what, cause, cause_ref FROM payment_history WHERE payment_id = ? ORDER BY id",
                   uuid.UUID(payment["id"]).bytes)


def kept_values(server):
    """Everything in the database: (table, column, value), in a fixed order."""
    with open_database(server) as database:
        for table in tables(database):
            rows = database.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in rows.description]
            for row in sorted(rows.fetchall(), key=repr):
                yield from ((table, column, value) for column, value in zip(columns, row))


def request_hash(server, merchant, key):
    """The hash that the key stores of its request."""
    (found,), = rows_of(server, "SELECT request_hash FROM idempotency_keys WHERE merchant_id = ? AND key = ?",
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
    with contextlib.closing(connect(server)) as database:
        if isinstance(database, sqlite3.Connection):
            database.execute("BEGIN IMMEDIATE")
        else:
            for table in tables(database):
                database.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield
        database.rollback()


def is_asking_for_events(server):
    """Whether Stripe's events are still to be fetched for anybody."""
    return rows_of(server, "SELECT count(*) FROM operations WHERE kind = 'events'")[0][0] > 0


def is_catching_up(server):
    """Whether Stripe is still to be asked by any account for what the database may lack."""
    return rows_of(server, "SELECT count(*) FROM operations WHERE kind = 'catch_up'")[0][0] > 0
