"""What the machine can do at best: the same rows written by nothing but SQLite, and syncs of the disk."""
import contextlib
import os
import sqlite3
import time

PER_COMMIT = 64  # payments: as many as wait at once in the phases with 64 connections
SYNC_S = 2
# The rows that a create leaves, and how they name their payment.
TABLES = {"payments": "id", "payment_history": "payment_id", "idempotency_keys": "subject_id", "replies": "subject_id",
          "outbox": "transaction_id"}


def schema_of(database):
    return [sql for sql, in database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")]


def columns_of(database, table):
    return [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]


def newest_payments(database, count):
    """The last payments with the rows of each: [[(table, row)]]. Those that the seed made have fewer rows."""
    ids = [row[0] for row in database.execute("SELECT id FROM payments ORDER BY rowid DESC LIMIT ?", (count,))]
    return [[(table, row) for table, column in TABLES.items() if column in columns_of(database, table)
             for row in database.execute(f"SELECT * FROM {table} WHERE {column} = ?", (payment,))] for payment in reversed(ids)]


def raw_sqlite(source, folder, count):
    """Writes the newest payments of the service's database once more, into an empty one with the same tables and indexes."""
    with contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database:
        payments, schema = newest_payments(database, count), schema_of(database)
        inserts = {table: f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns_of(database, table)))})"
                   for table in TABLES}
    with contextlib.closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        for sql in schema:
            database.execute(sql)
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        for at in range(0, len(payments), PER_COMMIT):
            database.execute("BEGIN")
            for rows in payments[at:at + PER_COMMIT]:
                for table, row in rows:
                    database.execute(inserts[table], row)
            database.execute("COMMIT")
        seconds, cpu_s = time.monotonic() - begun_s, time.process_time() - begun_cpu_s
    return {"target": "SQLite alone", "phase": f"the rows of a create, {PER_COMMIT} payments a commit",
            "per_second": len(payments) / seconds, "cpu_us": 1e6 * cpu_s / len(payments)}


def syncs(folder):
    """How often a page can be written and synced, one after the other."""
    delays_ms = []
    with open(folder / "syncs", "wb") as file:
        end_s = time.monotonic() + SYNC_S
        while (begun_s := time.monotonic()) < end_s:
            os.pwrite(file.fileno(), bytes(4096), 4096 * len(delays_ms))
            os.fdatasync(file.fileno())
            delays_ms.append(1000 * (time.monotonic() - begun_s))
    delays_ms.sort()
    return {"target": "the disk", "phase": "4 kB written and synced", "per_second": len(delays_ms) / SYNC_S,
            "p50_ms": delays_ms[len(delays_ms) // 2], "p99_ms": delays_ms[len(delays_ms) * 99 // 100]}
