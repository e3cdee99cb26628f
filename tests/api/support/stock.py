"""Thousands of rows, written into the database of a stopped service as the service writes them."""
import itertools
import random
import uuid
from datetime import datetime, timezone
from decimal import Decimal

from .database import open_database

ENTRIES = itertools.count(10**6, 10**4)  # numbers of audit entries; the service's own may follow each of them
DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}


def uuid7(at_us, rng=random):
    """A time-ordered id as the service makes one at this time."""
    return uuid.UUID(int=at_us // 1000 << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62))


def utc_us(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()) * 1000000


def payment(merchant, at_us, *, rng=random, amount="10.00", currency="USD", status="completed", livemode=False,
            provider_ref=None, idempotency_key=None, saved_card_id=None, description=None):
    """A row, by its columns; `amount` as a Decimal and `ids` as text are what a test may compare."""
    payment_id = uuid7(at_us, rng)
    return {
        "id": payment_id, "merchant_id": uuid.UUID(merchant.id), "livemode": livemode, "amount": Decimal(amount),
        "currency": currency, "status": status, "provider_ref": provider_ref, "saved_card_id": saved_card_id,
        "idempotency_key": idempotency_key or f"order-{payment_id}", "description": description, "at_us": at_us,
    }


def add_payments(server, payments):
    """The server must not run."""
    def columns(row):
        minor = int(row["amount"].scaleb(DECIMALS[row["currency"]]))
        return {
            "id": row["id"].bytes, "merchant_id": row["merchant_id"].bytes, "livemode": int(row["livemode"]),
            "amount_minor": minor, "amount_thousandths": int(row["amount"] * 1000), "currency": row["currency"],
            "status": row["status"], "provider": "stripe", "provider_ref": row["provider_ref"],
            "saved_card_id": row["saved_card_id"].bytes if row["saved_card_id"] else None,
            "idempotency_key": row["idempotency_key"], "payment_method": None if row["saved_card_id"] else "pm_card_visa",
            "description": row["description"], "capture_manual": 0,
            "captured_minor": minor if row["status"] in ("completed", "refunded") else 0,
            "refunded_minor": minor if row["status"] == "refunded" else 0, "capturable": 0, "action_given": 0,
            "failure_code": "card_declined" if row["status"] == "failed" else None,
            "failure_message": "Your card was declined." if row["status"] == "failed" else None,
            "credential_version_id": row["id"].bytes, "created_us": row["at_us"], "updated_us": row["at_us"],
        }
    rows = [columns(row) for row in payments]
    add_rows(server, "payments", rows)
    add_rows(server, "idempotency_keys", [
        {"merchant_id": row["merchant_id"], "livemode": row["livemode"], "kind": "payment", "key": row["idempotency_key"],
         "request_hash": bytes(32), "subject_id": row["id"], "created_us": row["created_us"]} for row in rows])


def add_rows(server, table, rows):
    """Rows by their columns, all of the same ones; answers their ids. The server must not run."""
    with open_database(server) as database:
        names = list(rows[0])
        database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES "
                             f"({', '.join(':' + name for name in names)})", rows)
    return [row.get("id") for row in rows]


# Rows of the other lists, each made at a time of its own.

def refund(merchant, at_us, of, *, livemode):
    """A refund of this payment's."""
    return _owned(merchant, at_us, livemode) | {
        "payment_id": of["id"].bytes, "amount_minor": 1, "currency": "USD", "status": "completed",
        "credential_version_id": bytes(16), "updated_us": at_us}


def dispute(merchant, at_us, of, *, livemode):
    """A dispute of this payment's."""
    row = _owned(merchant, at_us, livemode)
    return row | {"payment_id": of["id"].bytes, "provider_ref": f"dp_{uuid.UUID(bytes=row['id']).hex}", "status": "lost",
                  "reported_s": at_us // 1_000_000, "updated_us": at_us}


def customer(merchant, at_us, email, *, livemode):
    return _owned(merchant, at_us, livemode) | {"email": email, "body": "", "credential_version_id": bytes(16),
                                                "gone_us": 0}


def card(merchant, at_us, of, *, livemode):
    """A card of this customer's."""
    return _owned(merchant, at_us, livemode) | {
        "customer_id": of["id"], "customer_email": of["email"], "status": "active", "provider": "stripe",
        "method_sent": "pm_card_visa", "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034, "is_default": 0,
        "credential_version_id": bytes(16), "updated_us": at_us}


def event(merchant, at_us, *, livemode):
    return _owned(merchant, at_us, livemode) | {
        "type": "payment.completed", "body": "{}", "status": "delivered", "attempts": 1, "last_status_code": 200,
        "delivered_us": at_us}


def inbound_event(merchant, at_us, *, livemode):
    row = _owned(merchant, at_us, livemode)
    received_us = row.pop("created_us")
    return row | {"event_id": f"evt_{uuid.UUID(bytes=row['id']).hex}", "type": "payment_intent.succeeded",
                  "received_us": received_us, "outcome": "applied"}


def audit_entry(merchant, at_us):
    """One that the chain does not know."""
    return {"seq": next(ENTRIES), "id": uuid7(at_us).bytes, "event_type": "provider.updated", "severity": "info",
            "merchant_id": uuid.UUID(merchant.id).bytes, "detail": "made for a test", "metadata": "{}", "created_us": at_us,
            "mac": bytes(32)}


def api_key(merchant, at_us, *, livemode):
    row = _owned(merchant, at_us, livemode)
    return row | {"hash": row["id"] * 2, "prefix": "sk_test_none", "scopes": 1}


def merchant(at_us):
    row_id = uuid7(at_us)
    return {"id": row_id.bytes, "name": f"stored-{row_id}", "role": "merchant", "is_active": 1, "webhook_stopped": 0,
            "created_us": at_us, "updated_us": at_us}


def history_entry(payment_id, at_us):
    return {"payment_id": uuid.UUID(payment_id).bytes, "id": uuid7(at_us).bytes, "at_us": at_us, "what": "created",
            "status": "pending", "cause": "api"}


def _owned(merchant, at_us, livemode):
    return {"id": uuid7(at_us).bytes, "merchant_id": uuid.UUID(merchant.id).bytes, "livemode": int(livemode),
            "created_us": at_us}
