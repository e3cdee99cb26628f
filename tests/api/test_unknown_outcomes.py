"""A payment of unknown outcome is never failed: whatever Stripe does to a charge, nobody pays twice, and nothing that may
have been paid is called failed. The stub plays a Stripe that misbehaves."""
import json
import time
import uuid

import pytest

from stub_fixture import CHARGE, assert_the_same_request, pay, pay_in_vain, wait_for_status
from support.events import event
from support.http_listener import Answer
from support.background import InBackground
from support.merchant import Merchant
from support.stripe_model import DECLINE, stripe_error
from support.stub import executed, lying
from unknown_outcomes import SENT_AGAIN, by_name

# The answer is about another charge, so it says nothing about this payment.
ANOTHER = {
    "amount": lying(amount=999),
    "received amount": lying(amount_received=100_000),
    "currency": lying(currency="eur"),
    "mode": lying(livemode=True),
    "payment": lying(metadata=lambda said: said["metadata"] | {"payment_id": str(uuid.uuid4())}),
    "payment of somebody else": lying(metadata={"payment_id": "4711"}),
}

DEFINITE = {
    "a declined card": (Answer(402, stripe_error("card_error", code="card_declined", decline_code="lost_card")),
                        "card_declined"),
    "a decline without a last error": (lambda done: Answer(402, stripe_error(
        "card_error", code="card_declined",
        payment_intent=json.loads(done.body) | {"status": "requires_payment_method"})), "card_declined"),
    "a bad request": (Answer(400, stripe_error(code="parameter_invalid_empty", param="amount")),
                      "parameter_invalid_empty"),
    "an unknown method": (Answer(400, stripe_error(code="resource_missing", param="payment_method")),
                          "resource_missing"),
    "404": (Answer(404, stripe_error(code="resource_missing")), "resource_missing"),
    "a refusal without a code": (Answer(400, stripe_error()), "invalid_request_error"),
    "401": (Answer(401, stripe_error(code="api_key_expired")), "provider_auth_failed"),
    "403": (Answer(403, stripe_error(message="This key may not.")), "provider_auth_failed"),
}


# Sent again

@by_name(SENT_AGAIN)
def test_a_charge_of_unknown_outcome_is_sent_again_unchanged_until_it_is_known(impatient_shop, stub_stripe, answer):
    stub_stripe.answer_always(*CHARGE, answer)
    first = pay_in_vain(impatient_shop)
    payment = first.data
    old_key = impatient_shop.stripe_key
    impatient_shop.use_stripe()
    asked = len(stub_stripe.calls(*CHARGE))
    stub_stripe.wait_for(*CHARGE, count=asked + 1)  # and with new credentials in place
    assert impatient_shop.payment(payment["id"])["status"] == "pending"

    stub_stripe.behave()
    completed = wait_for_status(impatient_shop, payment, "completed")
    assert completed["provider_ref"].startswith("pi_") and completed["amount_captured"] == "10.00"
    assert stub_stripe.charged_minor(payment["id"]) == 1000
    impatient_shop.stripe_key = old_key
    assert_the_same_request(stub_stripe.calls(*CHARGE), impatient_shop, payment)
    again = pay(impatient_shop)
    assert (again.status, again.body, again.replayed) == (201, first.body, True)


@pytest.mark.parametrize("name", ["charged, closed without an answer", "charged, cut in the body", "not JSON", "502",
                                  "409, the key is in use"])
def test_the_caller_gets_the_outcome_if_it_is_known_in_time(start_shop, stub_stripe, name):
    shop = start_shop()
    stub_stripe.answer_next(*CHARGE, SENT_AGAIN[name])
    answer = pay(shop)
    assert (answer.status, answer.data["status"]) == (201, "completed")
    assert_the_same_request(stub_stripe.wait_for(*CHARGE, count=2), shop, answer.data)
    assert stub_stripe.charged_minor(answer.data["id"]) == 1000


def test_an_unreachable_stripe_is_asked_until_it_is_back(impatient_shop, stub_stripe):
    stub_stripe.close()
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.come_back()
    wait_for_status(impatient_shop, payment, "completed")
    assert stub_stripe.charged_minor(payment["id"]) == 1000


def test_a_rate_limit_says_when_to_come_back(start_shop, stub_stripe):
    shop = start_shop()
    stub_stripe.answer_next(*CHARGE, Answer(429, stripe_error(code="rate_limit"), {"Retry-After": "2"}))
    assert pay(shop).data["status"] == "completed"
    first, second = stub_stripe.calls(*CHARGE)
    assert second.received_at - first.received_at >= 2


def test_the_old_credentials_are_used_for_the_old_payment_and_the_new_ones_for_the_next(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["503"])
    payment = pay_in_vain(impatient_shop).data
    old_key = impatient_shop.stripe_key
    impatient_shop.use_stripe()
    stub_stripe.behave()
    wait_for_status(impatient_shop, payment, "completed")
    pay(impatient_shop, key="order-2")
    authorizations = [request.header("Authorization") for request in stub_stripe.calls(*CHARGE)]
    assert set(authorizations[:-1]) == {f"Bearer {old_key}"}
    assert authorizations[-1] == f"Bearer {impatient_shop.stripe_key}"


def test_deleted_credentials_still_end_what_was_begun_with_them(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["503"])
    payment = pay_in_vain(impatient_shop).data
    impatient_shop.api.delete("/v1/merchant/providers/stripe", expect=200)
    stub_stripe.behave()
    wait_for_status(impatient_shop, payment, "completed")
    assert_the_same_request(stub_stripe.calls(*CHARGE), impatient_shop, payment)


def test_two_merchants_payments_keep_to_their_own_stripe_keys(impatient_shop, stub_stripe):
    other = Merchant.with_stripe(impatient_shop.server)
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0), executed(cut_after=0))
    payments = [(shop, pay(shop).data) for shop in (impatient_shop, other)]
    for shop, payment in payments:
        wait_for_status(shop, payment, "completed")
        calls = [request for request in stub_stripe.calls(*CHARGE)
                 if request.header("Idempotency-Key") == f"pay_{payment['id']}"]
        assert_the_same_request(calls, shop, payment)


# The caller

def test_a_caller_waits_as_long_as_its_patience_and_no_longer(start_shop, stub_stripe):
    shop = start_shop(patience="700ms", stripe_timeout="30s")
    stub_stripe.answer_always(*CHARGE, executed(hang=True))
    started = time.monotonic()
    pay_in_vain(shop)
    assert 0.7 <= time.monotonic() - started < 5
    stub_stripe.close()  # ends the call, so that the service may end too


def test_a_repeat_while_the_first_is_under_way_is_told_to_wait(start_shop, stub_stripe):
    shop = start_shop()
    stub_stripe.answer_next(*CHARGE, SENT_AGAIN["charged, no answer in time"])
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    repeat = pay(shop)
    assert (repeat.status, repeat.codes) == (409, ["IDEMPOTENCY_IN_PROGRESS"])
    assert int(repeat.headers["Retry-After"]) >= 1
    first = paying.result()
    assert first.data["status"] == "completed"
    assert pay(shop).body == first.body and len(stub_stripe.objects("payment_intent")) == 1


def test_another_request_under_the_key_of_an_open_one_is_refused(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["500"])
    pay_in_vain(impatient_shop)
    other = pay(impatient_shop, amount="11.00")
    assert (other.status, other.codes) == (422, ["IDEMPOTENCY_KEY_REUSED"])


def test_the_merchant_gets_one_event_when_the_outcome_is_known(impatient_shop, stub_stripe, receiver):
    impatient_shop.use_webhook(receiver.url)
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["charged, closed without an answer"])
    payment = pay_in_vain(impatient_shop).data
    assert receiver.events() == []
    stub_stripe.behave()
    told = receiver.wait_for("payment.completed").json
    assert (told["data"]["payment_id"], told["data"]["status"]) == (payment["id"], "completed")
    pay(impatient_shop, key="order-2")
    receiver.wait_for(lambda delivery: delivery.json["data"]["idempotency_key"] == "order-2")
    assert [event["type"] for event in receiver.events()] == ["payment.completed"] * 2


def test_a_decline_of_a_repeated_attempt_is_still_a_decline(start_shop, stub_stripe):
    shop = start_shop()
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    payment = pay(shop, payment_method=DECLINE).data
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "card_declined")
    assert payment["failure"]["decline_code"] == "generic_decline"
    assert payment["provider_ref"] == stub_stripe.objects("payment_intent")[0]["id"]


# Answers about something else

@by_name(ANOTHER)
def test_an_answer_about_another_charge_is_not_believed(impatient_shop, stub_stripe, answer):
    stub_stripe.answer_always(*CHARGE, answer)
    payment = pay_in_vain(impatient_shop).data
    assert (payment["provider_ref"], payment["amount_captured"]) == (None, "0.00")
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()  # asks again at once; the idempotency key brings the charge that was made
    completed = wait_for_status(impatient_shop, payment, "completed")
    assert completed["amount_captured"] == "10.00" and stub_stripe.charged_minor(payment["id"]) == 1000


@pytest.mark.parametrize("metadata", ["kept", "gone"])
@pytest.mark.parametrize("status", [200, 402])
def test_another_payments_intent_is_not_taken(impatient_shop, stub_stripe, status, metadata):
    first = pay(impatient_shop).data
    taken, = stub_stripe.objects("payment_intent")
    shown = taken if metadata == "kept" else taken | {"metadata": {}}
    error = stripe_error("card_error", code="card_declined", payment_intent=shown | {
        "status": "requires_payment_method", "last_payment_error": {"type": "card_error", "code": "card_declined"}})
    stub_stripe.answer_next(*CHARGE, Answer(200, shown) if status == 200 else Answer(402, error))
    second = pay_in_vain(impatient_shop, key="order-2").data
    assert second["provider_ref"] is None
    assert impatient_shop.payment(first["id"])["status"] == "completed"
    impatient_shop.server.restart_making_due()
    assert wait_for_status(impatient_shop, second, "completed")["provider_ref"] != first["provider_ref"]
    assert [stub_stripe.charged_minor(payment["id"]) for payment in (first, second)] == [1000, 1000]


# Outcomes that are known

@by_name(DEFINITE)
def test_a_definite_refusal_is_a_failed_payment(impatient_shop, stub_stripe, receiver, answer):
    refusal, code = answer
    impatient_shop.use_webhook(receiver.url)
    stub_stripe.answer_next(*CHARGE, refusal)
    first = pay(impatient_shop)
    assert (first.status, first.data["status"], first.data["failure"]["code"]) == (201, "failed", code)
    assert receiver.wait_for("payment.failed").json["data"]["failure"] == first.data["failure"]
    assert pay(impatient_shop).body == first.body
    assert impatient_shop.payment(first.data["id"]) == first.data
    assert len(stub_stripe.requests) == 1


def test_an_answer_never_shows_a_refused_key(impatient_shop, stub_stripe):
    stub_stripe.answer_next(*CHARGE, Answer(400, stripe_error(message=f"Bad key {impatient_shop.stripe_key}.")))
    assert impatient_shop.stripe_key not in pay(impatient_shop).body.decode()
