"""An authorised payment is captured once, or canceled. The sandbox does it as Stripe does; a stub leaves the outcome
unknown or refuses."""
import threading
import uuid
from dataclasses import replace

import pytest

from stub_fixture import wait_for_status
from support.events import event, intent_of, send_event
from support.http_listener import Answer
from support.background import InBackground
from support.merchant import Merchant
from support.shape import refused
from support.stripe_model import AUTHENTICATE, stripe_error
from support.stub import lying
from support.waiting import wait_until
from unknown_outcomes import SENT_AGAIN

CAPTURE = ("POST", "/v1/payment_intents/*/capture")
CANCEL = ("POST", "/v1/payment_intents/*/cancel")
WAYS = {"capture": CAPTURE, "cancel": CANCEL}
UNEXPECTED = Answer(400, stripe_error(code="payment_intent_unexpected_state"))
UNKNOWN = [pytest.param(SENT_AGAIN[name], id=name) for name in
           ("no answer in time", "reset without an answer", "charged, closed without an answer", "500", "not JSON")]

both_ways = pytest.mark.parametrize("how", WAYS)


def authorise(shop, amount="10.00", currency="USD", **fields):
    payment = shop.pay(amount, currency, capture_method="manual", **fields)
    assert (payment["status"], payment["capturable"], payment["amount_captured"][0]) == ("pending", True, "0")
    return payment


def history(shop, payment):
    answer = shop.api.get(f"/v1/payments/{payment['id']}/events", expect=200)
    return [(item["what"], item["cause"]) for item in reversed(answer.data)]


def state(payment):
    return payment["status"], payment["capturable"], payment["amount_captured"]


# Capture

@pytest.mark.parametrize("body", [None, "", {}])
def test_without_an_amount_all_of_it_is_captured(merchant, receiver, body):
    merchant.use_webhook(receiver.url)
    payment = authorise(merchant)
    captured = merchant.end(payment, "capture", body).data
    assert state(captured) == ("completed", False, "10.00")
    assert captured | {"updated_at": None} == merchant.payment(payment["id"]) | {"updated_at": None}
    assert receiver.wait_for("payment.completed").json["data"]["amount_captured"] == "10.00"
    assert history(merchant, payment)[-2:] == [("capture requested", "api"), ("completed", "api")]


@pytest.mark.parametrize("currency, authorised, amount, captured", [
    ("USD", "10.00", "2.50", "2.50"), ("USD", "10.00", 2.5, "2.50"), ("USD", "10.00", "10", "10.00"),
    ("JPY", "500", 120, "120"), ("KWD", "5.000", "1.230", "1.230"), ("ISK", "500", "120", "120"),
    ("UGX", "500", "120.0", "120"),
])
def test_a_part_is_captured_and_the_rest_released(merchant, sandbox, currency, authorised, amount, captured):
    payment = authorise(merchant, authorised, currency)
    assert state(merchant.end(payment, "capture", {"amount": amount}).data) == ("completed", False, captured)
    assert merchant.payment(payment["id"])["amount_refunded"].strip("0.") == ""
    assert merchant.refund(payment)["amount"] == captured, "no more than was captured can be given back"


def test_a_payment_is_captured_once(observed):
    payment = authorise(observed)
    observed.end(payment, "capture", {"amount": "4.00"})
    refused(observed.end(payment, "capture", {"amount": "6.00"}, expect=409), 409, "CONFLICT")
    refused(observed.end(payment, "cancel", expect=409), 409, "CONFLICT")
    assert len(observed.stripe.calls("POST", f"/v1/payment_intents/{payment['provider_ref']}/*")) == 1
    assert observed.stripe.charged_minor(payment["id"]) == 400


def test_concurrent_captures_are_one(merchant):
    payment = authorise(merchant)
    path = f"/v1/payments/{payment['id']}/capture"
    answers = [capture.result() for capture in [InBackground(merchant.api.post, path) for _ in range(8)]]
    assert sorted(answer.status for answer in answers) == [200] + 7 * [409]


def test_a_payment_that_is_not_authorised_cannot_be_captured(merchant):
    completed, waiting = merchant.pay(), merchant.pay(payment_method=AUTHENTICATE, capture_method="manual")
    failed = merchant.pay(payment_method="pm_card_visa_chargeDeclined", capture_method="manual")
    for payment in (completed, waiting, failed):
        refused(merchant.end(payment, "capture", expect=409), 409, "CONFLICT")
        assert state(merchant.payment(payment["id"])) == state(payment)


@pytest.mark.parametrize("amount", ["10.01", 1e3, 0, "0.00", "-1", "1.001", "one", None, True, [1], "99999999999999999999"])
def test_an_amount_that_is_not_authorised_is_refused(merchant, amount):
    payment = authorise(merchant)
    refused(merchant.end(payment, "capture", {"amount": amount}, expect=422), 422, "VALIDATION_ERROR", "amount")
    assert merchant.payment(payment["id"])["capturable"]


def test_other_fields_and_bodies_are_refused(merchant):
    payment = authorise(merchant)
    assert merchant.end(payment, "capture", {"amount_to_capture": 5}, expect=422).fields == {"amount_to_capture"}
    assert merchant.end(payment, "capture", {"number": "4242424242424242"}, expect=422).codes == ["CARD_DATA_REFUSED"]
    for body in ("[]", "{", "null"):
        refused(merchant.end(payment, "capture", body, expect=400), 400, "BAD_REQUEST")
    assert merchant.payment(payment["id"])["capturable"]


@both_ways
def test_only_a_merchant_ends_its_own_payments(merchant, server, how):
    payment = authorise(merchant)
    other = Merchant.with_stripe(server)
    for unknown in (payment["id"], uuid.uuid4(), "x"):
        refused(other.end({"id": unknown}, how, expect=404), 404, "NOT_FOUND")
    assert merchant.payment(payment["id"])["capturable"]


@both_ways
def test_without_credentials_nothing_is_asked(merchant, how):
    payment = authorise(merchant)
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    refused(merchant.end(payment, how, expect=422), 422, "PROVIDER_NOT_CONFIGURED")
    assert merchant.payment(payment["id"])["capturable"]


# Cancel

def test_an_authorised_payment_can_be_canceled(merchant, receiver):
    merchant.use_webhook(receiver.url)
    payment = authorise(merchant)
    canceled = merchant.end(payment, "cancel").data
    assert state(canceled) == ("failed", False, "0.00")
    assert canceled["failure"]["code"] == "canceled"
    assert receiver.wait_for("payment.failed").json["data"]["failure"]["code"] == "canceled"
    assert history(merchant, payment)[-2:] == [("cancellation requested", "api"), ("failed", "api")]
    for how in WAYS:
        refused(merchant.end(payment, how, expect=409), 409, "CONFLICT")


@pytest.mark.parametrize("capture_method", ["manual", "automatic"])
def test_the_payer_can_no_longer_act_after_a_cancellation(observed, capture_method):
    payment = observed.pay(payment_method=AUTHENTICATE, return_url="https://shop.example/r",
                           capture_method=capture_method)
    canceled = observed.end(payment, "cancel").data
    assert (canceled["status"], canceled["failure"]["code"], canceled["next_action"]) == ("failed", "canceled", None)
    assert len(observed.stripe.calls("POST", f"/v1/payment_intents/{payment['provider_ref']}/cancel")) == 1


def test_a_payment_that_is_completed_or_unknown_cannot_be_canceled(impatient_shop, stub_stripe):
    refused(impatient_shop.end(impatient_shop.pay(), "cancel", expect=409), 409, "CONFLICT")
    stub_stripe.answer_always("POST", "/v1/payment_intents", SENT_AGAIN["503"])
    refused(impatient_shop.end(impatient_shop.pay(), "cancel", expect=409), 409, "CONFLICT")


# An unknown outcome

@both_ways
@pytest.mark.parametrize("answer", UNKNOWN)
def test_an_unknown_outcome_is_asked_for_until_it_is_known(impatient_shop, stub_stripe, receiver, how, answer):
    impatient_shop.use_webhook(receiver.url)
    payment = authorise(impatient_shop)
    stub_stripe.answer_always(*WAYS[how], answer)
    assert state(impatient_shop.end(payment, how, expect=202).data) == ("pending", False, "0.00")
    assert not impatient_shop.payment(payment["id"])["capturable"]
    for again in WAYS:
        refused(impatient_shop.end(payment, again, expect=409), 409, "CONFLICT")
    stub_stripe.wait_for(*WAYS[how], count=2)
    stub_stripe.behave()
    status, told = {"capture": ("completed", "payment.completed"), "cancel": ("failed", "payment.failed")}[how]
    wait_for_status(impatient_shop, payment, status)
    receiver.wait_for(told)
    requests = stub_stripe.calls(*WAYS[how])
    assert len({(request.header("Idempotency-Key"), request.body) for request in requests}) == 1
    assert stub_stripe.charged_minor(payment["id"]) == (1000 if how == "capture" else 0)


@pytest.mark.parametrize("told_first", [False, True], ids=["the capture's answer", "an event and a look-up first"])
def test_if_stripe_does_not_say_how_much_it_captured_it_captured_what_was_asked_for(start_shop, stub_stripe, told_first):
    shop = start_shop(stripe_timeout="10s")
    payment = authorise(shop)
    silent, gate = lying(amount_received=None), threading.Event()
    stub_stripe.answer_always("*", "/v1/payment_intents/*", silent)
    if told_first:
        stub_stripe.answer_next(*CAPTURE, lambda done: replace(silent(done), gate=gate))
    capturing = InBackground(shop.end, payment, "capture", {"amount": "4.00"})
    if told_first:
        stub_stripe.wait_for(*CAPTURE)
        sent = event("payment_intent.succeeded", intent_of(payment, amount_received=None))
        send_event(shop.server, sent, shop.stripe_webhook_secret)
        stub_stripe.wait_for("GET", f"/v1/payment_intents/{payment['provider_ref']}")
        gate.set()
    capturing.result(timeout=30)
    assert state(wait_for_status(shop, payment, "completed")) == ("completed", False, "4.00")


@both_ways
def test_a_capture_or_cancellation_goes_on_after_a_restart(impatient_shop, stub_stripe, how):
    payment = authorise(impatient_shop)
    stub_stripe.answer_always(*WAYS[how], SENT_AGAIN["500"])
    impatient_shop.end(payment, how, expect=202)
    impatient_shop.server.restart()
    stub_stripe.behave()
    wait_for_status(impatient_shop, payment, {"capture": "completed", "cancel": "failed"}[how])
    assert len({request.header("Idempotency-Key") for request in stub_stripe.calls(*WAYS[how])}) == 1


def test_an_answer_that_would_only_come_again_is_looked_up(start_shop, stub_stripe):
    shop = start_shop()
    payment = authorise(shop)
    stored = Answer(500, stripe_error("api_error"), {"Idempotent-Replayed": "true"})
    stub_stripe.answer_always(*CAPTURE, stored)
    refused(shop.end(payment, "capture", expect=422), 422, "PROVIDER_REJECTED")
    assert shop.payment(payment["id"])["capturable"] and len(stub_stripe.calls(*CAPTURE)) == 1
    stub_stripe.behave()
    shop.end(payment, "capture", expect=200)
    first, second = [request.header("Idempotency-Key") for request in stub_stripe.calls(*CAPTURE)]
    assert first != second, "the old key would bring the old answer"


def test_an_old_event_does_not_make_it_capturable_again(impatient_shop, stub_stripe):
    payment = authorise(impatient_shop)
    stub_stripe.answer_always(*CAPTURE, SENT_AGAIN["500"])
    impatient_shop.end(payment, "capture", expect=202)
    late = event("payment_intent.amount_capturable_updated", intent_of(payment, "requires_capture"))
    send_event(impatient_shop.server, late, impatient_shop.stripe_webhook_secret)
    assert not impatient_shop.payment(payment["id"])["capturable"]
    stub_stripe.behave()
    wait_for_status(impatient_shop, payment, "completed")


@pytest.mark.parametrize("how, status, told", [
    ("capture", "succeeded", "payment_intent.succeeded"), ("cancel", "canceled", "payment_intent.canceled")])
def test_an_event_that_comes_before_the_answer_ends_it(impatient_shop, stub_stripe, how, status, told):
    payment = authorise(impatient_shop)
    stub_stripe.answer_always(*WAYS[how], SENT_AGAIN["500"])
    impatient_shop.end(payment, how, expect=202)
    send_event(impatient_shop.server, event(told, intent_of(payment, status)), impatient_shop.stripe_webhook_secret)
    ended = impatient_shop.payment(payment["id"])
    assert state(ended) == (("completed", False, "10.00") if how == "capture" else ("failed", False, "0.00"))


# Refused

@both_ways
@pytest.mark.parametrize("answer, status, code, said", [
    (UNEXPECTED, 409, "CONFLICT", "state"),
    (Answer(400, stripe_error(code="amount_too_small", message="Too small.")), 422, "PROVIDER_REJECTED",
     "amount_too_small: Too small."),
    (Answer(404, stripe_error(code="resource_missing")), 422, "PROVIDER_REJECTED", "resource_missing"),
    (Answer(401, stripe_error(code="api_key_expired")), 422, "PROVIDER_AUTH_FAILED", "secret key"),
])
def test_a_refusal_is_answered_and_it_may_be_tried_again(start_shop, stub_stripe, receiver, how, answer, status, code, said):
    shop = start_shop()
    shop.use_webhook(receiver.url)
    payment = authorise(shop)
    stub_stripe.answer_next(*WAYS[how], answer)
    refusal = shop.end(payment, how, expect=status)
    refused(refusal, status, code)
    assert said in refusal.errors[0]["message"]
    assert state(shop.payment(payment["id"])) == ("pending", True, "0.00")
    wait_until(lambda: [one.json["type"] for one in receiver.deliveries] == 2 * ["payment.capturable"],
               what="the merchant to be told that it is capturable again")
    shop.end(payment, how, expect=200)


def test_a_payer_who_acts_before_a_cancellation_is_refused_is_not_lost(start_shop, stub_stripe):
    shop = start_shop()
    payment = shop.pay(payment_method=AUTHENTICATE, capture_method="manual")
    stub_stripe.objects("payment_intent")[0].update(status="requires_capture", next_action=None)
    stub_stripe.answer_next(*CANCEL, UNEXPECTED)
    refused(shop.end(payment, "cancel", expect=409), 409, "CONFLICT")
    assert state(shop.payment(payment["id"])) == ("pending", True, "0.00")


def test_a_refused_cancellation_announces_no_authorisation_that_there_never_was(start_shop, stub_stripe, receiver):
    shop = start_shop()
    shop.use_webhook(receiver.url)
    stub_stripe.answer_next("POST", "/v1/payment_intents", lying(status="processing"))
    payment = shop.pay(capture_method="manual")
    assert state(payment) == ("pending", False, "0.00") and payment["next_action"] is None
    stub_stripe.answer_next(*CANCEL, Answer(401, stripe_error(code="api_key_expired")))
    shop.end(payment, "cancel", expect=422)
    assert state(shop.payment(payment["id"])) == ("pending", False, "0.00")
    shop.api.post("/v1/merchant/webhook/test", None, expect=201)
    receiver.wait_for("webhook.test")
    assert receiver.events("payment.capturable") == []


@pytest.mark.parametrize("how, at_stripe, status, ended", [
    ("capture", {"status": "succeeded", "amount_received": 400}, 200, ("completed", False, "4.00")),
    ("capture", {"status": "canceled"}, 409, ("failed", False, "0.00")),
    ("cancel", {"status": "canceled"}, 200, ("failed", False, "0.00")),
    ("cancel", {"status": "succeeded", "amount_received": 1000}, 409, ("completed", False, "10.00")),
])
def test_a_state_that_was_not_known_here_is_taken_over(start_shop, stub_stripe, how, at_stripe, status, ended):
    shop = start_shop()
    payment = authorise(shop)
    stub_stripe.objects("payment_intent")[0].update(amount_capturable=0, **at_stripe)
    shop.end(payment, how, expect=status)
    assert state(shop.payment(payment["id"])) == ended


@both_ways
def test_if_both_the_request_and_the_reading_are_refused_it_was_not_done(start_shop, stub_stripe, how):
    shop = start_shop()
    payment = authorise(shop)
    missing = Answer(404, stripe_error(code="resource_missing"))
    stub_stripe.answer_always(*WAYS[how], missing)
    stub_stripe.answer_always("GET", "/v1/payment_intents/*", missing)
    refused(shop.end(payment, how, expect=422), 422, "PROVIDER_REJECTED")
    assert shop.payment(payment["id"])["capturable"]


@both_ways
def test_a_key_that_is_refused_after_an_unknown_attempt_says_nothing(impatient_shop, stub_stripe, how):
    payment = authorise(impatient_shop)
    stub_stripe.answer_next(*WAYS[how], SENT_AGAIN["charged, no answer in time"])
    stub_stripe.answer_always(*WAYS[how], Answer(401, stripe_error(code="api_key_expired")))
    impatient_shop.end(payment, how, expect=202)
    stub_stripe.wait_for(*WAYS[how], count=2)
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    wait_for_status(impatient_shop, payment, {"capture": "completed", "cancel": "failed"}[how])
