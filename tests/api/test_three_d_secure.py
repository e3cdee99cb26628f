"""3-D Secure from the first answer to the payer's last action, and intents that nobody may pay any more. The sandbox sends
its events to the service, as Stripe does."""
import pytest
import requests
import stripe

from stub_fixture import READ, wait_for_status
from support.events import event, intent_of, send_event
from support.http_listener import Answer
from support.merchant import Merchant
from support.stripe_model import AUTHENTICATE, DECLINE, stripe_error
from support.stub import executed
from support.waiting import wait_until

RETURN_URL = "https://shop.example/return"
CANCEL = ("POST", "/v1/payment_intents/*/cancel")


def intent_at(sandbox, shop, payment):
    stripe.api_base = sandbox.url
    return stripe.PaymentIntent.retrieve(payment["provider_ref"], api_key=shop.stripe_key)


def press(page, action):
    answer = requests.post(page, data={"action": action}, allow_redirects=False, timeout=10)
    assert answer.status_code in (200, 303), answer.text


@pytest.mark.parametrize("method", [AUTHENTICATE, "pm_card_threeDSecure2Required"])
def test_a_payer_who_authenticates_completes_the_payment(listening, sandbox, receiver, method):
    listening.use_webhook(receiver.url)
    payment = listening.pay(payment_method=method, return_url=RETURN_URL)
    assert (payment["status"], payment["next_action"]["type"]) == ("pending", "redirect_to_url")
    press(payment["next_action"]["redirect_url"], "complete")
    completed = wait_for_status(listening, payment, "completed")
    assert (completed["amount_captured"], completed["next_action"]) == ("10.00", None)
    assert intent_at(sandbox, listening, payment).status == "succeeded"
    assert receiver.wait_for("payment.completed").json["data"]["id"] == payment["id"]
    assert len(receiver.deliveries) == 1


def test_without_a_return_url_the_payer_acts_in_the_shops_own_page(listening, sandbox):
    payment = listening.pay(payment_method=AUTHENTICATE)
    action = payment["next_action"]
    intent = intent_at(sandbox, listening, payment)
    assert action == {"type": "use_stripe_sdk", "client_secret": intent.client_secret}
    press(intent.next_action.use_stripe_sdk.stripe_js, "complete")
    wait_for_status(listening, payment, "completed")


def test_an_authenticated_payment_may_still_have_to_be_captured(listening, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay(payment_method=AUTHENTICATE, return_url=RETURN_URL, capture_method="manual")
    assert not payment["capturable"]
    press(payment["next_action"]["redirect_url"], "complete")
    wait_until(lambda: listening.payment(payment["id"])["capturable"], what="the payment to be capturable")
    receiver.wait_for("payment.capturable")


@pytest.mark.parametrize("method, action, code", [
    (AUTHENTICATE, "fail", "payment_intent_authentication_failure"),
    ("pm_card_threeDSecureRequiredChargeDeclined", "complete", "card_declined"),
])
def test_an_action_that_fails_ends_the_payment_and_its_intent(listening, sandbox, receiver, method, action, code):
    listening.use_webhook(receiver.url)
    payment = listening.pay(payment_method=method, return_url=RETURN_URL)
    press(payment["next_action"]["redirect_url"], action)
    failed = wait_for_status(listening, payment, "failed")
    assert (failed["failure"]["code"], failed["next_action"]) == (code, None)
    # Nobody can pay it later, in addition to the payment that replaces it.
    wait_until(lambda: intent_at(sandbox, listening, payment).status == "canceled", what="the intent to be canceled")
    receiver.wait_for("payment.failed")
    listening.pay(idempotency_key="last")
    receiver.wait_for(lambda delivery: delivery.json["data"]["idempotency_key"] == "last")
    assert [told["type"] for told in receiver.events()] == ["payment.failed", "payment.completed"]
    assert listening.payment(payment["id"])["failure"]["code"] == code


def test_a_lost_event_is_replaced_by_a_look_up(start_server, sandbox, nghttpx):
    merchant = Merchant(start_server(**nghttpx.settings))
    merchant.use_stripe()  # the sandbox sends this account's events nowhere
    payment = merchant.pay(payment_method=AUTHENTICATE, return_url=RETURN_URL)
    press(payment["next_action"]["redirect_url"], "complete")
    merchant.server.restart_making_due()  # asks at once after all that is open
    wait_for_status(merchant, payment, "completed")


# The intent of a payment that failed

def tell_of_failure(shop, payment):
    error = {"type": "card_error", "code": "payment_intent_authentication_failure"}
    send_event(shop.server, event("payment_intent.payment_failed",
                                  intent_of(payment, "requires_payment_method", last_payment_error=error)),
               shop.stripe_webhook_secret)


def fail(shop, payment):
    tell_of_failure(shop, payment)
    assert shop.payment(payment["id"])["status"] == "failed"


def intent_of_stub(stub, payment):
    return next(found for found in stub.objects("payment_intent") if found["id"] == payment["provider_ref"])


def test_the_intent_is_canceled_once_and_with_the_credentials_that_made_it(shop, stub_stripe, pending):
    old_key = shop.stripe_key
    shop.use_stripe()
    fail(shop, pending)
    request, = stub_stripe.wait_for(*CANCEL)
    assert request.path == f"/v1/payment_intents/{pending['provider_ref']}/cancel"
    assert request.header("Idempotency-Key") == f"can_{pending['id']}"
    assert request.header("Authorization") == f"Bearer {old_key}"
    assert intent_of_stub(stub_stripe, pending)["status"] == "canceled"
    fail(shop, pending)
    shop.server.restart_making_due()
    assert len(stub_stripe.calls(*CANCEL)) == 1


@pytest.mark.parametrize("answer", [Answer(200, cut_after=0), executed(cut_after=0), Answer(503), executed(hang=True),
                                    Answer(429, stripe_error(code="lock_timeout"))],
                         ids=["cut", "canceled and cut", "503", "canceled and no answer", "locked"])
def test_a_cancellation_of_unknown_outcome_is_sent_again_under_its_key(shop, stub_stripe, pending, answer):
    stub_stripe.answer_next(*CANCEL, answer)
    fail(shop, pending)
    first, second = stub_stripe.wait_for(*CANCEL, count=2)
    assert first.header("Idempotency-Key") == second.header("Idempotency-Key") == f"can_{pending['id']}"
    wait_until(lambda: intent_of_stub(stub_stripe, pending)["status"] == "canceled")
    assert shop.payment(pending["id"])["status"] == "failed"


def test_a_cancellation_survives_a_kill(shop, stub_stripe, pending):
    stub_stripe.answer_next(*CANCEL, Answer(hang=True))
    fail(shop, pending)
    stub_stripe.wait_for(*CANCEL)
    shop.server.kill()
    shop.server.start()
    wait_until(lambda: intent_of_stub(stub_stripe, pending)["status"] == "canceled")


def test_an_intent_that_was_paid_before_it_could_be_canceled_completes_the_payment(shop, stub_stripe, pending):
    intent_of_stub(stub_stripe, pending).update(status="succeeded", amount_received=1000)
    tell_of_failure(shop, pending)
    wait_for_status(shop, pending, "completed")
    assert "failed" in [change["status"] for change in shop.api.get(f"/v1/payments/{pending['id']}/events").data]
    assert stub_stripe.calls(*READ)


@pytest.mark.parametrize("answer", [Answer(400, stripe_error(code="payment_intent_unexpected_state")),
                                    Answer(400, stripe_error("idempotency_error")),
                                    Answer(500, stripe_error("api_error"), {"Idempotent-Replayed": "true"})],
                         ids=["refused", "idempotency_error", "a stored 500"])
def test_an_intent_that_could_not_be_canceled_is_read_and_canceled_later(shop, stub_stripe, pending, answer):
    stub_stripe.answer_next(*CANCEL, answer)
    fail(shop, pending)
    stub_stripe.wait_for(*READ)
    assert shop.payment(pending["id"])["status"] == "failed"
    shop.server.restart_making_due()  # goes on at once with what is open
    stub_stripe.wait_for(*CANCEL, count=2)
    wait_until(lambda: intent_of_stub(stub_stripe, pending)["status"] == "canceled")


def test_a_payment_that_failed_without_an_action_has_nothing_to_cancel(shop, stub_stripe):
    assert shop.pay(payment_method=DECLINE)["status"] == "failed"
    shop.server.restart()
    assert stub_stripe.calls(*CANCEL) == []


def test_an_intent_that_was_canceled_at_stripe_is_not_canceled_again(shop, stub_stripe, pending):
    send_event(shop.server, event("payment_intent.canceled", intent_of(pending, "canceled")),
               shop.stripe_webhook_secret)
    assert shop.payment(pending["id"])["failure"]["code"] == "canceled"
    shop.server.restart_making_due()
    assert stub_stripe.calls(*CANCEL) == []
