"""Payments by the thousand: written into the database of a service that does not run, as the service writes them."""
import random
import sqlite3
import uuid
from datetime import datetime, timezone
from decimal import Decimal

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
    with sqlite3.connect(f"{server.data_dir}/payments.db") as database:
        names = list(rows[0])
        database.executemany(f"INSERT INTO payments ({', '.join(names)}) VALUES "
                             f"({', '.join(':' + name for name in names)})", rows)
        database.executemany(
            "INSERT INTO idempotency_keys VALUES (:merchant_id, :livemode, 'payment', :idempotency_key, zeroblob(32),"
            " :id, :created_us)", rows)
    database.close()
