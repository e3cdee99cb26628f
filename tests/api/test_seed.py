"""The walk-through that integrators follow, request by request: getting a key, Stripe credentials, a webhook URL, the first
payment, the payment flow, and every field of every answer."""
import re

import pytest

from support.events import event, intent_of, send_event
from support.merchant import Merchant
from support.receiver import payments_signature
from support.shape import TIME, UUID7, assert_shape, refused, succeeded
from support.stripe_model import AUTHENTICATE, DECLINE

SCOPES = "payments:read,payments:write,merchant:read,merchant:write,webhooks:read"
# The requests send no Content-Type; curl sends the second one with them, and careful clients the third.
CONTENT_TYPES = [None, "application/x-www-form-urlencoded", "application/json"]

CREDENTIALS = """{
  "provider": "stripe",
  "stripe": {
    "secret_key": "sk_test_your_stripe_secret_key",
    "webhook_secret": "whsec_your_webhook_signing_secret"
  }
}"""
WEBHOOK = """{
  "webhook_url": "https://yourapp.com/webhooks/payments"
}"""
FIRST_PAYMENT = """{
  "amount": 10.00,
  "currency": "USD",
  "provider": "stripe",
  "payment_method": "pm_card_visa"
}"""
PAYMENT = """{
  "amount": 50.00,
  "currency": "USD",
  "provider": "stripe",
  "payment_method": "pm_card_visa",
  "return_url": "https://merchant.com/return"
}"""

STRIPE_INTENT = re.compile(r"pi_[A-Za-z0-9]+")
PAYMENT_SHAPE = {
    "id": UUID7, "merchant_id": UUID7, "amount": "10.00", "currency": "USD", "provider": "stripe",
    "status": "completed", "provider_ref": STRIPE_INTENT, "idempotency_key": "test-stripe-001", "created_at": TIME,
    # The walk-through's answer does not show these; the API's description does.
    "livemode": False, "amount_captured": "10.00", "amount_refunded": "0.00", "capturable": False,
    "saved_card_id": None, "save_card": False, "description": None, "metadata": {}, "capture_method": "automatic",
    "payment_method": "pm_card_visa", "customer_email": None, "return_url": None, "next_action": None,
    "failure": None,
    "updated_at": TIME,
}
FAILURE = {"code": str, "decline_code": str, "message": str}
PROVIDER = {"id": UUID7, "provider": "stripe", "livemode": False, "is_active": True,
            "config_summary": {"secret_key": "****_key", "webhook_secret": "****cret"},
            "refused_events": None, "created_at": TIME, "updated_at": TIME}


class Integrator:
    """Somebody who follows the steps: a new service, and the key that the command made."""

    def __init__(self, server):
        shown = server.command("createapikey", "--scopes", SCOPES).stdout
        self.key = re.search(r"\bsk_live_[0-9A-Za-z]{38}\b", shown).group()
        self.shown = shown
        self.api = server.api(self.key)

    def send(self, method, path, text, content_type=None, idempotency_key=None):
        return self.api.request(method, path, text, idempotency_key=idempotency_key,
                                headers={"Content-Type": content_type})

    def configure(self):
        succeeded(self.send("PUT", "/v1/merchant/providers", CREDENTIALS))

    def pay(self, key, **changes):
        body = {"amount": 50.00, "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"} | changes
        return succeeded(self.api.post("/v1/payments", body, idempotency_key=key), 201)


@pytest.fixture(params=["TLS and HTTP/2", "plain HTTP/1.1"])
def integrator(request, start_server, sandbox, nghttpx):
    """On an empty service, as in the walk-through; its key is live, its Stripe key a test one. Each way to Stripe in turn."""
    return Integrator(start_server(sandbox.url) if request.param == "plain HTTP/1.1" else start_server(**nghttpx.settings))


def test_step_3_makes_a_live_key_with_the_scopes_named(integrator):
    for scope in SCOPES.split(","):
        assert scope in integrator.shown
    assert integrator.key in integrator.shown
    refused(integrator.api.get("/v1/payments", headers={"X-API-Key": "sk_live_your_key"}), 401, "AUTH_INVALID_KEY")
    assert succeeded(integrator.api.get("/v1/payments")) == []


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_steps_work_in_order(integrator, content_type):
    step_4 = integrator.send("PUT", "/v1/merchant/providers", CREDENTIALS, content_type)
    assert_shape(step_4.json, {"success": True, "data": PROVIDER})

    step_5 = integrator.send("PUT", "/v1/merchant/webhook", WEBHOOK, content_type)
    assert_shape(step_5.json, {"success": True, "data": {
        "webhook_url": "https://yourapp.com/webhooks/payments",
        "webhook_secret": re.compile(r"whsec_[A-Za-z0-9+/]{43}=")}})

    step_6 = integrator.send("POST", "/v1/payments", FIRST_PAYMENT, content_type, "test-stripe-001")
    assert (step_4.status, step_5.status, step_6.status) == (200, 200, 201)
    assert_shape(step_6.json, {"success": True, "data": PAYMENT_SHAPE})

    create = integrator.send("POST", "/v1/payments", PAYMENT, content_type, "order-123")
    assert create.status == 201
    assert_shape(create.json, {"success": True, "data": PAYMENT_SHAPE | {
        "amount": "50.00", "amount_captured": "50.00", "idempotency_key": "order-123",
        "return_url": "https://merchant.com/return"}})
    assert create.data["merchant_id"] == step_6.data["merchant_id"]
    assert create.data["id"] > step_6.data["id"], "ids are ordered by time"


def test_the_payment_can_be_read_again_as_it_was_answered(integrator):
    integrator.configure()
    made = integrator.send("POST", "/v1/payments", PAYMENT, None, "order-123")
    read = integrator.api.get(f"/v1/payments/{made.data['id']}")
    assert read.status == 200 and read.json == made.json
    listed = integrator.api.get("/v1/payments")
    assert_shape(listed.json, {"success": True, "data": [made.data], "meta": {
        "page": 1, "page_size": 50, "has_more": False, "next_cursor": None}})


@pytest.mark.parametrize("payment_method, status", [
    ("pm_card_visa", "completed"), ("pm_card_mastercard", "completed"), ("pm_card_declined", "failed")])
def test_the_test_payment_methods_simulate_their_outcomes(integrator, payment_method, status):
    integrator.configure()
    payment = integrator.pay("test-stripe-002", payment_method=payment_method)
    failed = status == "failed"
    assert_shape(payment, PAYMENT_SHAPE | {
        "amount": "50.00", "amount_captured": "0.00" if failed else "50.00", "idempotency_key": "test-stripe-002",
        "payment_method": payment_method, "status": status, "failure": FAILURE if failed else None})


@pytest.mark.parametrize("payment_method, status", [
    ("pm_card_visa", "completed"),                    # succeeded on Stripe
    ("pm_card_authenticationRequired", "pending"),    # requires action
    ("pm_sandbox_processing", "pending"),             # processing
    ("pm_card_visa_chargeDeclined", "failed"),        # declined
    ("pm_no_such_method", "failed"),                  # error
])
def test_each_status_has_the_meaning_in_the_table(integrator, payment_method, status):
    integrator.configure()
    payment = integrator.pay("status", payment_method=payment_method, return_url="https://merchant.com/return")
    assert payment["status"] == status
    assert (payment["failure"] is not None) == (status == "failed")
    assert payment["amount_captured"] == ("50.00" if status == "completed" else "0.00")


@pytest.mark.parametrize("field", ["amount", "currency", "provider"])
def test_a_required_field_that_is_missing_is_named(integrator, field):
    integrator.configure()
    body = {"amount": 50.00, "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    del body[field]
    refused(integrator.api.post("/v1/payments", body, idempotency_key="order-124"), 422, "VALIDATION_ERROR", field)


def test_without_step_4_there_is_nothing_to_charge_with(integrator):
    refused(integrator.send("POST", "/v1/payments", FIRST_PAYMENT, None, "test-stripe-001"), 422,
            "PROVIDER_NOT_CONFIGURED")


def follow_flow(start_server, stub_stripe, receiver, payment_method):
    """The flow's participants, up to the API's answer."""
    server = start_server(stub_stripe.url)
    merchant = Merchant.with_stripe(server)
    merchant.use_webhook(receiver.url)
    payment = merchant.pay("50.00", payment_method=payment_method, return_url="https://merchant.com/return")
    call, = stub_stripe.calls("POST", "/v1/payment_intents")
    assert call.header("Authorization") == f"Bearer {merchant.stripe_key}", "the merchant's own secret key"
    return server, merchant, payment


def test_the_payment_flow_works_as_described(start_server, stub_stripe, receiver):
    server, merchant, payment = follow_flow(start_server, stub_stripe, receiver, "pm_card_visa")
    assert (payment["status"], payment["provider_ref"][:3]) == ("completed", "pi_")
    delivery = receiver.wait_for("payment.completed")
    assert delivery.header("X-Payments-Signature") == payments_signature(merchant.webhook_secret, delivery)
    assert_shape(delivery.json, {"id": UUID7, "type": "payment.completed", "created_at": TIME, "data": dict})
    assert delivery.json["data"]["payment_id"] == payment["id"]
    shown = {name: value for name, value in payment.items() if name != "next_action"}
    assert {name: delivery.json["data"][name] for name in shown} == shown

    # "Stripe also sends webhook callback": verified, and news to nobody any more.
    callback = event("payment_intent.succeeded", intent_of(payment))
    send_event(server, callback, merchant.stripe_webhook_secret)
    send_event(server, callback, merchant.stripe_webhook_secret)
    send_event(server, callback, "whsec_of_somebody_else", expect=400)
    assert merchant.payment(payment["id"]) == payment
    assert len(receiver.events()) == 1


def test_the_callback_completes_a_payment_that_was_pending(start_server, stub_stripe, receiver):
    server, merchant, payment = follow_flow(start_server, stub_stripe, receiver, AUTHENTICATE)
    assert payment["status"] == "pending" and payment["next_action"]["type"] == "redirect_to_url"
    send_event(server, event("payment_intent.succeeded", intent_of(payment)), merchant.stripe_webhook_secret)
    delivery = receiver.wait_for("payment.completed")
    assert delivery.json["data"]["payment_id"] == payment["id"]
    assert merchant.payment(payment["id"])["status"] == "completed"


def test_a_declined_payment_is_sent_to_the_merchant(start_server, stub_stripe, receiver):
    _, _, payment = follow_flow(start_server, stub_stripe, receiver, DECLINE)
    assert payment["status"] == "failed"
    assert receiver.wait_for("payment.failed").json["data"]["payment_id"] == payment["id"]
