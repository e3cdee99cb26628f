"""A renewal that failed because nobody was there to authenticate is brought back to its payer. The sandbox does it as
Stripe does; a stub leaves the outcome unknown or refuses."""
import uuid

import pytest
import stripe

from stub_fixture import wait_for_status
from support.at_stripe import press
from support.background import InBackground
from support.events import event, intent_of, send_event
from support.http_listener import Answer
from support.merchant import Merchant
from support.shape import refused
from support.stripe_model import AUTHENTICATE, stripe_error
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import SENT_AGAIN

RETURN_URL = "https://shop.example/return"
CONFIRM = ("POST", "/v1/payment_intents/*/confirm")
READ = ("GET", "/v1/payment_intents/*")
UNKNOWN = [pytest.param(SENT_AGAIN[name], id=name) for name in
           ("no answer in time", "reset without an answer", "charged, closed without an answer", "500", "not JSON")]


def renewal(shop, method=AUTHENTICATE, **fields):
    """A saved card's payment that failed for want of its payer."""
    card = shop.api.post("/v1/payments/cards", {"payment_method_id": method}, expect=201).data
    payment = shop.pay(saved_card_id=card["id"], **fields)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "authentication_required")
    return payment


def bring_back(shop, payment, *, expect=200):
    return shop.end(payment, "authenticate", {"return_url": RETURN_URL}, expect=expect)


def confirmations(stub, payment):
    return stub.calls("POST", f"/v1/payment_intents/{payment['provider_ref']}/confirm")


def history(shop, payment):
    answer = shop.api.get(f"/v1/payments/{payment['id']}/events", expect=200)
    return [item["what"] for item in reversed(answer.data)]


def intent_at(sandbox, shop, payment):
    stripe.api_base = sandbox.url
    return stripe.PaymentIntent.retrieve(payment["provider_ref"], api_key=shop.stripe_key)


# With the sandbox

def test_a_payer_who_comes_back_completes_the_same_payment(listening, sandbox, receiver):
    listening.use_webhook(receiver.url)
    failed = renewal(listening)
    pending = bring_back(listening, failed).data
    assert (pending["status"], pending["next_action"]["type"], pending["failure"]) == ("pending", "redirect_to_url", None)
    press(pending, "complete")
    completed = wait_for_status(listening, failed, "completed")
    assert (completed["provider_ref"], completed["amount_captured"]) == (failed["provider_ref"], "10.00")
    assert intent_at(sandbox, listening, failed).status == "succeeded"
    receiver.wait_for("payment.completed")
    told = [told["type"] for told in receiver.events() if told["type"].startswith("payment.")]
    assert told == ["payment.failed", "payment.completed"]
    expected = ["authentication requested", "reopened", "action required", "completed"]
    assert [what for what in history(listening, failed) if what in expected] == expected


def test_a_payer_who_authenticates_once_is_not_needed_for_the_next_renewal(listening):
    failed = renewal(listening, "pm_card_authenticationRequiredOnSetup")
    press(bring_back(listening, failed).data, "complete")
    wait_for_status(listening, failed, "completed")
    assert listening.pay(saved_card_id=failed["saved_card_id"])["status"] == "completed"


def test_a_repeat_is_answered_with_the_pending_payment(observed):
    failed = renewal(observed)
    first = bring_back(observed, failed).data
    assert bring_back(observed, failed).data == first
    assert len(confirmations(observed.stripe, failed)) == 1


def test_concurrent_repeats_are_one_attempt(observed):
    failed = renewal(observed)
    answers = [asked.result() for asked in [InBackground(bring_back, observed, failed) for _ in range(8)]]
    assert len({answer.data["next_action"]["redirect_url"] for answer in answers}) == 1
    assert len(confirmations(observed.stripe, failed)) == 1


def test_a_payer_who_fails_to_authenticate_ends_it_for_good(listening, sandbox):
    failed = renewal(listening)
    press(bring_back(listening, failed).data, "fail")
    again = wait_for_status(listening, failed, "failed")
    assert again["failure"]["code"] == "payment_intent_authentication_failure"
    wait_until(lambda: intent_at(sandbox, listening, failed).status == "canceled", what="the intent to be canceled")
    refused(bring_back(listening, failed, expect=409), 409, "CONFLICT")


def test_one_that_is_brought_back_can_be_canceled(listening, sandbox):
    failed = renewal(listening)
    bring_back(listening, failed)
    assert listening.end(failed, "cancel").data["failure"]["code"] == "canceled"
    assert intent_at(sandbox, listening, failed).status == "canceled"
    refused(bring_back(listening, failed, expect=409), 409, "CONFLICT")


def test_one_that_is_to_be_captured_is_authorised_by_its_payer(listening):
    failed = renewal(listening, capture_method="manual")
    press(bring_back(listening, failed).data, "complete")
    wait_until(lambda: listening.payment(failed["id"])["capturable"], what="the payment to be capturable")
    assert listening.end(failed, "capture").data["status"] == "completed"


# Refusals

def test_only_a_payment_that_failed_without_its_payer_can_be_brought_back(merchant):
    card = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=201).data
    declining = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_chargeCustomerFail"}, expect=201).data
    for payment, says in [(merchant.pay(), "completed"), (merchant.pay(saved_card_id=card["id"]), "completed"),
                          (merchant.pay(payment_method="pm_card_visa_chargeDeclined"), "card_declined"),
                          (merchant.pay(saved_card_id=declining["id"]), "card_declined")]:
        answer = bring_back(merchant, payment, expect=409)
        refused(answer, 409, "CONFLICT")
        assert says in answer.json["errors"][0]["message"]
        assert merchant.payment(payment["id"]) == payment


def test_a_card_that_is_gone_is_not_asked_for_money_again(merchant):
    failed = renewal(merchant)
    merchant.api.delete(f"/v1/payments/cards/{failed['saved_card_id']}", expect=200)
    answer = bring_back(merchant, failed, expect=409)
    assert "saved card" in answer.json["errors"][0]["message"]


@pytest.mark.parametrize("body, field", [({}, "return_url"), ({"return_url": None}, "return_url"),
                                         ({"return_url": "shop"}, "return_url"), ({"return_url": RETURN_URL, "amount": 1}, "amount")])
def test_a_body_without_a_page_to_come_back_to_is_refused(merchant, body, field):
    failed = renewal(merchant)
    refused(merchant.end(failed, "authenticate", body, expect=422), 422, "VALIDATION_ERROR", field)
    assert merchant.payment(failed["id"]) == failed


def test_only_a_merchant_brings_its_own_payments_back(merchant, server):
    failed = renewal(merchant)
    other = Merchant.with_stripe(server)
    for unknown in (failed["id"], uuid.uuid4(), "x"):
        refused(bring_back(other, {"id": unknown}, expect=404), 404, "NOT_FOUND")


def test_without_credentials_nothing_is_asked(merchant):
    failed = renewal(merchant)
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    refused(bring_back(merchant, failed, expect=422), 422, "PROVIDER_NOT_CONFIGURED")


# With a stub

def test_stripe_is_asked_to_confirm_with_the_payer_present(shop, stub_stripe):
    failed = renewal(shop)
    bring_back(shop, failed)
    request, = stub_stripe.calls(*CONFIRM)
    assert request.path == f"/v1/payment_intents/{failed['provider_ref']}/confirm"
    charged = stub_stripe.calls("POST", "/v1/payment_intents")[-1]
    assert request.form == {"payment_method": charged.form["payment_method"], "return_url": RETURN_URL,
                            "setup_future_usage": "off_session"}
    assert request.header("Idempotency-Key").startswith(f"auth_{failed['id']}_")


@pytest.mark.parametrize("answer", UNKNOWN)
def test_an_unknown_outcome_is_asked_for_again_under_its_key(shop, stub_stripe, answer):
    failed = renewal(shop)
    stub_stripe.answer_next(*CONFIRM, answer)
    pending = bring_back(shop, failed).data
    assert (pending["status"], pending["next_action"]["type"]) == ("pending", "redirect_to_url")
    first, second = stub_stripe.calls(*CONFIRM)
    assert (first.header("Idempotency-Key"), first.form) == (second.header("Idempotency-Key"), second.form)


def test_a_caller_whose_patience_ends_is_told_that_the_attempt_goes_on(start_shop, stub_stripe):
    shop = start_shop(patience="300ms")
    failed = renewal(shop)
    stub_stripe.answer_next(*CONFIRM, executed(hang=True))
    assert bring_back(shop, failed, expect=202).data["status"] == "failed"
    assert wait_for_status(shop, failed, "pending")["next_action"]["type"] == "redirect_to_url"


def test_a_decline_is_answered_and_stays_the_reason(shop, stub_stripe):
    failed = renewal(shop)
    error = stripe_error("card_error", code="card_declined", decline_code="insufficient_funds", message="No funds.")
    intent = next(found for found in stub_stripe.objects("payment_intent") if found["id"] == failed["provider_ref"])
    declined = intent | {"last_payment_error": error["error"]}
    stub_stripe.answer_next(*CONFIRM, Answer(402, {"error": error["error"] | {"payment_intent": declined}}))
    stub_stripe.answer_next(*READ, Answer(200, declined))
    answer = bring_back(shop, failed, expect=422)
    refused(answer, 422, "PROVIDER_REJECTED")
    assert "No funds." in answer.json["errors"][0]["message"]
    again = shop.payment(failed["id"])
    assert (again["status"], again["failure"]["decline_code"]) == ("failed", "insufficient_funds")
    assert history(shop, failed)[-2:] == ["authentication requested", "authentication refused"]
    refused(bring_back(shop, failed, expect=409), 409, "CONFLICT")


def test_the_event_of_the_first_failure_does_not_end_it(shop, stub_stripe):
    failed = renewal(shop)
    pending = bring_back(shop, failed).data
    error = {"type": "card_error", "code": "authentication_required"}
    send_event(shop.server, event("payment_intent.payment_failed",
                                  intent_of(failed, "requires_payment_method", last_payment_error=error)),
               shop.stripe_webhook_secret)
    stub_stripe.wait_for(*READ)
    assert shop.payment(failed["id"])["next_action"] == pending["next_action"]


def test_an_event_that_comes_before_the_answer_completes_it(shop, stub_stripe):
    failed = renewal(shop)
    stub_stripe.answer_next(*CONFIRM, Answer(hang=True))
    asked = InBackground(bring_back, shop, failed)
    stub_stripe.wait_for(*CONFIRM)
    send_event(shop.server, event("payment_intent.succeeded", intent_of(failed, "succeeded", amount_received=1000)),
               shop.stripe_webhook_secret)
    assert asked.result().data["status"] == "completed"
    assert len(stub_stripe.calls(*CONFIRM)) == 1
