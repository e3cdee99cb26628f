"""The mistakes of a first hour: each is answered with a sentence that says what went wrong and what to do."""
import ipaddress
import uuid

import pytest

from support.merchant import Merchant
from support.shape import refused, succeeded

STRIPE_KEYS = ["sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc", "sk_live_51" + "Ab3" * 33, "rk_test_" + "51Ab" * 25,
               "pk_live_" + "51Ab" * 25, "whsec_" + "Ab3" * 11]
PLACEHOLDERS = ["sk_live_...", "sk_test_...", "..."]


def from_somewhere(server):
    """A client with an address of its own, as bad keys block theirs."""
    return server.api(None, X_Forwarded_For=str(ipaddress.IPv6Address(uuid.uuid4().int)))


def said(answer, status, code, field=None):
    return refused(answer, status, code, *([field] if field else [])).errors[0]["message"]


@pytest.mark.parametrize("key", STRIPE_KEYS, ids=lambda key: key[:12])
@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_a_key_of_stripes_is_named_as_such(server, key, header):
    value = key if header == "X-API-Key" else f"Bearer {key}"
    message = said(from_somewhere(server).get("/v1/merchant/me", headers={header: value}), 401, "AUTH_INVALID_KEY")
    assert "looks like a Stripe key" in message and "createapikey" in message and key not in message


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_a_placeholder_in_the_header_is_named_as_such(server, key):
    message = said(from_somewhere(server).get("/v1/merchant/me", headers={"X-API-Key": key}), 401, "AUTH_INVALID_KEY")
    assert "placeholder" in message


def test_a_mistyped_key_of_ours_is_still_a_mistyped_one(server, merchant):
    for key in (merchant.key["key"][:-1], merchant.key["key"][:-1] + "_", "sk_live_", "x"):
        assert "mistyped" in said(from_somewhere(server).get("/v1/merchant/me", headers={"X-API-Key": key}), 401, "AUTH_INVALID_KEY")


def put(merchant, **stripe):
    return merchant.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": stripe})


def test_a_key_of_ours_is_no_secret_of_stripes(merchant):
    own = merchant.key["key"]
    message = said(put(merchant, secret_key=own), 422, "VALIDATION_ERROR", "stripe.secret_key")
    assert "this is an API key of this service" in message and "Stripe's dashboard" in message and own not in message
    message = said(put(merchant, secret_key="sk_test_good", webhook_secret=own), 422, "VALIDATION_ERROR",
                   "stripe.webhook_secret")
    assert "this is an API key of this service" in message


def test_a_literal_placeholder_is_no_secret_of_stripes(merchant):
    assert "placeholder" in said(put(merchant, secret_key="sk_test_..."), 422, "VALIDATION_ERROR", "stripe.secret_key")
    assert "placeholder" in said(put(merchant, secret_key="sk_test_good", webhook_secret="whsec_..."), 422,
                                 "VALIDATION_ERROR", "stripe.webhook_secret")
    # The walk-through's own placeholders pass, as its reader types them.
    succeeded(put(merchant, secret_key="sk_test_your_stripe_secret_key", webhook_secret="whsec_your_webhook_signing_secret"))


@pytest.mark.parametrize("body, expected", [
    ('{\n  "amount": 10.00,\n  "currency": "USD",\n}', "line 4, column 1: a name in double quotes is expected after the comma"),
    ("{'amount': 10}", "line 1, column 2: a name in double quotes is expected"),
    ('{"amount": 10 "currency": "USD"}', "line 1, column 15: a comma or } is expected"),
    ('{"amount": 10', "line 1, column 14: a comma or } is expected"),
])
def test_malformed_json_says_where_and_what_was_expected(merchant, body, expected):
    answer = merchant.api.post("/v1/payments", body.encode(), idempotency_key="order-1")
    assert expected in said(answer, 400, "BAD_REQUEST")


def test_a_form_is_told_that_json_is_expected(merchant):
    for body in (b"amount=10.00&currency=USD", b"metadata[order]=1", b"payment_method=pm_card_visa"):
        answer = merchant.api.post("/v1/payments", body, idempotency_key="order-1",
                                   headers={"Content-Type": "application/x-www-form-urlencoded"})
        message = said(answer, 400, "BAD_REQUEST")
        assert "must be JSON" in message and "form" in message
    answer = merchant.api.post("/v1/payments", b"amount=1", idempotency_key="order-1",
                               headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert "must be JSON" in said(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_test_event_without_an_endpoint_says_how_to_set_one(server):
    merchant = Merchant(server)
    message = said(merchant.api.post("/v1/merchant/webhook/test"), 409, "CONFLICT")
    assert "there is no webhook_url" in message and "PUT /v1/merchant/webhook" in message
    assert merchant.api.get("/v1/webhooks/logs", expect=200).data == []
