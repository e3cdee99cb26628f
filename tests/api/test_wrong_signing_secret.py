"""A merchant stored a signing secret that is not the one of its endpoint at Stripe: the service counts it, logs it, and
shows it to the merchant."""
import re
import uuid

import pytest

from support.events import event, intent_of, send_event
from support.merchant import Merchant, random_secret

WRONG = "whsec_of_another_endpoint"
SAID = re.compile("the provider's events are refused: their signatures match none of the merchant's signing secrets")


@pytest.fixture
def serving(start_server, sandbox):
    return start_server(sandbox.url, webhook_allow_http=True)


def paid(server):
    merchant = Merchant.with_stripe(server)
    return merchant, merchant.pay()


def shown(merchant):
    (provider,) = merchant.api.get("/v1/merchant/providers", expect=200).data
    assert merchant.api.get("/v1/merchant/me", expect=200).data["providers"] == [provider]
    return provider["refused_events"]


def warnings(server, merchant):
    return [entry for entry in server.log() if SAID.match(entry["message"]) and entry["merchant_id"] == merchant.id]


def send(server, payment, secret, path="/v1/webhooks/stripe"):
    return send_event(server, event("payment_intent.succeeded", intent_of(payment)), secret, path=path, expect=None).status


def total(server):
    shown_metrics = server.api().get("/metrics").body.decode()
    return int(re.search(r"^payments_webhook_signatures_refused_total (\d+)$", shown_metrics, re.MULTILINE)[1])


def test_it_is_counted_shown_and_said_once(serving):
    merchant, payment = paid(serving)
    other, _ = paid(serving)
    assert shown(merchant) is None and total(serving) == 0
    assert send(serving, payment, WRONG) == 400
    assert send(serving, payment, WRONG, f"/v1/webhooks/stripe/{merchant.id}") == 400
    refused = shown(merchant)
    assert refused["count"] == 2 and refused["last_at"].endswith("Z")
    (warning,) = warnings(serving, merchant)
    assert warning["level"] == "warn" and warning["mode"] == "test" and total(serving) == 2
    assert shown(other) is None and not warnings(serving, other)


def test_a_genuine_event_or_a_new_secret_ends_it(serving):
    merchant, payment = paid(serving)
    send(serving, payment, WRONG)
    assert shown(merchant)["count"] == 1
    assert send(serving, payment, merchant.stripe_webhook_secret) == 200
    assert shown(merchant) is None
    send(serving, payment, WRONG)
    assert shown(merchant)["count"] == 1
    merchant.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {
        "secret_key": merchant.stripe_key, "webhook_secret": random_secret("whsec_")}}, expect=200)
    assert shown(merchant) is None and len(warnings(serving, merchant)) == 1


def test_nothing_is_logged_for_a_merchant_that_does_not_exist(serving):
    _, payment = paid(serving)
    bare = Merchant(serving)
    assert send(serving, payment, WRONG, f"/v1/webhooks/stripe/{uuid.uuid4()}") == 400
    assert send(serving, payment, WRONG, f"/v1/webhooks/stripe/{bare.id}") == 400
    assert not [entry for entry in serving.log() if SAID.match(entry["message"])] and total(serving) == 2
