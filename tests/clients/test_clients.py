"""Clients that are generated from the API's description: nothing of the description is lost in them, they type-check, and a
shop can pay with them."""
import json

import pytest

from generated import DESCRIPTION, HERE, Python, TypeScript
from support.merchant import random_secret
from support.receiver import payments_signature

METHODS = ("get", "put", "post", "delete")


@pytest.fixture(scope="module", params=[TypeScript, Python])
def client(request, tools):
    return request.param(tools)


def fields_of(document, schema):
    """The fields of an object, and whether they may be left out."""
    if "$ref" in schema:
        return fields_of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    required = schema.get("required", [])
    fields = {name: name not in required for name in schema.get("properties", {})}
    for part in schema.get("allOf", []):
        fields |= fields_of(document, part)
    return fields


def test_every_operation_and_field_is_there_and_as_optional_as_described(client, document):
    operations = [item[method]["operationId"] for item in document["paths"].values() for method in METHODS if method in item]
    described = {name: fields_of(document, schema) for name, schema in document["components"]["schemas"].items()}
    fields = {name: optionals for name, optionals in described.items() if optionals}
    assert len(operations) > 20 and len(fields) > 50
    client.hold_to(operations, fields)


def test_a_shop_pays_refunds_lists_and_reads_its_webhooks(client, server, merchant, receiver):
    shown = json.loads(client.run("pay", PAYMENTS_URL=server.url, PAYMENTS_KEY=merchant.key["key"],
                                  WEBHOOK_URL=receiver.url, STRIPE_KEY=random_secret("sk_test_")))
    payment, subscription = shown["payment"][0], shown["subscription"][0]
    assert shown["redirected"].startswith("http")
    assert shown | {"redirected": "", "webhook_secret": ""} == {
        "payment": [payment, "10.00", "USD", "stripe", "completed"],
        "declined": ["failed", "card_declined"],
        "redirected": "",
        "refused": [422, ["IDEMPOTENCY_KEY_REUSED"]],
        "card": ["4242", "visa", 1],
        "subscription": [subscription, "29.99", True],
        "refund": [payment, "2.50", "completed"],
        "listed": [subscription, payment],
        "webhook_secret": "",
    }
    booked = {item["id"]: (item["amount"], item["status"], item["amount_refunded"])
              for item in merchant.api.get("/v1/payments", expect=200).data}
    assert len(booked) == 4 and booked[payment] == ("10.00", "completed", "2.50")
    assert booked[subscription] == ("29.99", "completed", "0.00")

    deliveries = receiver.wait_for(4)
    for delivery in deliveries:
        assert delivery.header("X-Payments-Signature") == payments_signature(shown["webhook_secret"], delivery)
    told = client.run("receive", input=json.dumps([delivery.json for delivery in deliveries])).splitlines()
    declined = next(item for item, (_, status, _) in booked.items() if status == "failed")
    assert sorted(told) == sorted([f"{payment} paid 10.00 USD", f"{subscription} paid 29.99 USD",
                                   f"{declined} failed card_declined", f"{payment} refunded 2.50 of 10.00"])


def test_spectral_finds_nothing(tools):
    tools.run("spectral", "lint", "--fail-severity", "hint", "--ruleset", HERE / "spectral.yaml", DESCRIPTION)


def test_redocly_finds_nothing(tools):
    tools.run("redocly", "lint", "--config", HERE / "redocly.yaml", DESCRIPTION)
