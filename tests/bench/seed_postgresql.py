"""Fills a service's database on PostgreSQL with payments like those of seed.py. The server makes the rows itself: ten million
take some minutes."""
import contextlib

import psycopg2

from seed import ALPHABET, AMOUNTS_MINOR, CURRENCIES, STATUSES, YEAR_US

INDEXES = ("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'payments'"
           " AND indexname <> 'payments_pkey'")

# One row for each number. An id is that of a row made then, as src/base/uuid.c makes it.
MADE = """
CREATE TEMPORARY TABLE made AS
    SELECT number, at, merchant, mode, version, 'seed-' || lpad(number::text, 8, '0') AS key,
        int8send(at / 1000 << 16 | 7 << 12 | at %% 1000 * 4096 / 1000) || set_byte(hash, 0, get_byte(hash, 0) & 63 | 128) AS id,
        %(lowest)s + floor(random() * %(amounts)s)::bigint AS amount,
        (%(currencies)s::text[])[1 + floor(random() * %(currency_count)s)::int] AS currency,
        (%(statuses)s::text[])[1 + floor(random() * %(status_count)s)::int] AS status
    FROM (SELECT number, substring(sha256(int8send(number)) FOR 8) AS hash,
            (extract(epoch FROM now()) * 1000000)::bigint - %(year)s + number * (%(year)s / %(count)s) AS at
        FROM generate_series(0, %(count)s::bigint - 1) AS number) AS numbers
    JOIN owners ON place = number %% (SELECT count(*) FROM owners)"""
PAYMENTS = """
INSERT INTO payments (id, merchant_id, livemode, amount_minor, amount_thousandths, currency, status, provider, provider_ref,
        idempotency_key, payment_method, capture_manual, captured_minor, refunded_minor, capturable, action_given, failure_code,
        credential_version_id, created_us, updated_us)
    SELECT id, merchant, mode, amount, amount * 10, currency, status, 'stripe',
        CASE WHEN status <> 'failed' THEN 'pi_3' || translate(encode(substring(id FROM 9), 'hex'), '0123', %(letters)s)
            || lpad(number::text, 8, '0') END,
        key, 'pm_card_visa', 0, CASE WHEN status = 'failed' THEN 0 ELSE amount END,
        CASE WHEN status = 'refunded' THEN amount ELSE 0 END, 0, 0, CASE WHEN status = 'failed' THEN 'card_declined' END,
        version, at, at
    FROM made ORDER BY number"""
KEYS = """
INSERT INTO idempotency_keys (merchant_id, livemode, kind, key, request_hash, subject_id, created_us)
    SELECT merchant, mode, 'payment', key, sha256(key::bytea), id, at FROM made ORDER BY number"""


def seed(uri, count, owners):
    """Adds this many payments, whose owners (merchant, mode, version of its credentials) take turns. The indexes are made
    anew at the end, because that is faster than to keep them up to date."""
    words = {"lowest": AMOUNTS_MINOR[0], "amounts": AMOUNTS_MINOR[1] - AMOUNTS_MINOR[0] + 1, "year": YEAR_US, "count": count,
             "currencies": CURRENCIES, "currency_count": len(CURRENCIES), "statuses": STATUSES, "status_count": len(STATUSES),
             "letters": ALPHABET[-4:]}
    with contextlib.closing(psycopg2.connect(uri)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE owners (place BIGINT, merchant BYTEA, mode BIGINT, version BYTEA)")
            cursor.executemany("INSERT INTO owners VALUES (%s, %s, %s, %s)",
                               [(place, *owner) for place, owner in enumerate(owners)])
            cursor.execute(INDEXES)
            indexes = cursor.fetchall()
            for name, _ in indexes:
                cursor.execute(f"DROP INDEX {name}")
            for statement in (MADE, PAYMENTS, KEYS):
                cursor.execute(statement, words)
            for _, definition in indexes:
                cursor.execute(definition)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")
