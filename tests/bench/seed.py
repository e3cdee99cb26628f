"""Fills a service's database with payments, as if they had been made over the last year."""
import itertools
import random
import time
import uuid

YEAR_US = 365 * 86_400_000_000
STATUSES = ["completed"] * 90 + ["failed"] * 7 + ["refunded"] * 3
CURRENCIES = ["USD"] * 6 + ["EUR"] * 2 + ["GBP", "KES"]
AMOUNTS_MINOR = (100, 100_000)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BATCH_ROWS = 10_000

PAYMENT_COLUMNS = (
    "id", "merchant_id", "livemode", "amount_minor", "amount_thousandths", "currency", "status", "provider",
    "provider_ref", "idempotency_key", "payment_method", "capture_manual", "captured_minor", "refunded_minor",
    "capturable", "action_given", "failure_code", "credential_version_id", "created_us", "updated_us")
KEY_COLUMNS = ("merchant_id", "livemode", "kind", "key", "request_hash", "subject_id", "created_us")


def uuid7(at_us, low_bits):
    """The id of a row made then, as src/base/uuid.c makes it."""
    ms, fraction = at_us // 1000, at_us % 1000 * 4096 // 1000
    return (ms << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | low_bits).to_bytes(16, "big")


def accounts(database):
    """(merchant, livemode, version of its credentials) for each merchant that has credentials."""
    return database.execute("SELECT merchant_id, livemode, version_id FROM credentials ORDER BY merchant_id").fetchall()


def rows(owners, count, now_us):
    """Rows of payments and idempotency_keys, oldest first, one owner after the other. The same for the same arguments."""
    chance = random.Random(count)
    step_us = YEAR_US // count
    for number in range(count):
        merchant, livemode, version = owners[number % len(owners)]
        at_us = now_us - YEAR_US + number * step_us
        payment_id = uuid7(at_us, chance.getrandbits(62))
        amount = chance.randint(*AMOUNTS_MINOR)
        status = chance.choice(STATUSES)
        failed = status == "failed"
        ref = None if failed else "pi_3" + "".join(chance.choices(ALPHABET, k=15)) + f"{number:08}"
        key = f"seed-{number:08}"
        yield (
            (payment_id, merchant, livemode, amount, amount * 10, chance.choice(CURRENCIES), status, "stripe", ref, key,
             "pm_card_visa", 0, 0 if failed else amount, amount if status == "refunded" else 0, 0, 0,
             "card_declined" if failed else None, version, at_us, at_us),
            (merchant, livemode, "payment", key, chance.randbytes(32), payment_id, at_us))


def insert(table, columns):
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def seed(database, count, owners=None):
    """Adds this many payments to a database (sqlite3.Connection) in one transaction. The indexes are made anew at the end,
    because that is faster than to keep them up to date."""
    indexes = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'payments'"
                               " AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")
    made = rows(owners or accounts(database), count, time.time_ns() // 1000)
    while batch := list(itertools.islice(made, BATCH_ROWS)):
        payments, keys = zip(*batch)
        database.executemany(insert("payments", PAYMENT_COLUMNS), payments)
        database.executemany(insert("idempotency_keys", KEY_COLUMNS), keys)
    for _, sql in indexes:
        database.execute(sql)
    database.commit()


def sample(database, merchant, count):
    """The ids of some of the payments of a merchant (its UUID as text), as the API shows them."""
    newest, = database.execute("SELECT max(rowid) FROM payments").fetchone()
    chance = random.Random(newest)
    found = []
    while len(found) < count:
        row = database.execute("SELECT id FROM payments WHERE rowid = ? AND merchant_id = ?",
                               (chance.randint(1, newest), uuid.UUID(merchant).bytes)).fetchone()
        found += [str(uuid.UUID(bytes=row[0]))] if row else []
    return found
