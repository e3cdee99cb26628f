"""For the tests of idempotency keys: a payment under a key, and the charges that it made at the sandbox."""
import uuid

from sandbox_fixture import charges_of

BODY = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa",
        "description": "Two tickets", "metadata": {"order": "7", "shelf": "b"}}


def new_key():
    return f"order-{uuid.uuid4()}"


def pay(api, key, body=None, **options):
    return api.post("/v1/payments", BODY if body is None else body, idempotency_key=key, **options)


def charges(sandbox, payment):
    return charges_of(sandbox, payment_id=payment["id"])
