"""Cards that are saved by the payment that first charges them: when they appear, that one e-mail is one customer and one
number is one card, and that making the customer charges nobody."""
import concurrent.futures
import threading
import uuid

import pytest

from cards_fixture import CUSTOMER, EMAIL, cards_of
from stub_fixture import CHARGE, READ, wait_for_status
from support.at_stripe import press
from support.http_listener import Answer
from support.shape import refused
from support.stripe_model import DECLINE, stripe_error
from support.stub import executed, lying
from support.waiting import wait_until

RETURN_URL = "https://shop.example/return"
ON_SETUP = "pm_card_authenticationRequiredOnSetup"


def pay(merchant, method="pm_card_visa", **fields):
    return merchant.pay(payment_method=method, **{"save_card": True, "customer_email": EMAIL} | fields)


def wait_for_cards(merchant, count):
    return wait_until(lambda: len(found := cards_of(merchant)) == count and found, what=f"{count} cards")


def history_of(merchant, payment):
    return [entry["what"] for entry in merchant.api.get(f"/v1/payments/{payment['id']}/events", expect=200).data]


def wait_for_history(merchant, payment, what):
    wait_until(lambda: what in history_of(merchant, payment), what=f"the history to tell {what}")


# At the sandbox, which sends its events by itself

def test_a_card_is_saved_by_the_payment_that_it_is_charged_with(listening, at_stripe, receiver):
    listening.use_webhook(receiver.url)
    payment = pay(listening)
    assert (payment["status"], payment["save_card"], payment["saved_card_id"]) == ("completed", True, None)
    card, = wait_for_cards(listening, 1)
    assert (card["brand"], card["last4"], card["customer_email"], card["is_default"]) == ("visa", "4242", EMAIL, True)
    assert receiver.wait_for("card.saved").json["data"]["id"] == card["id"]
    intent = at_stripe.intent(payment)
    assert (intent["setup_future_usage"], [intent["customer"]]) == ("off_session", at_stripe.customers())
    assert at_stripe.methods() == [intent["payment_method"]]
    assert listening.pay(saved_card_id=card["id"])["status"] == "completed"
    assert history_of(listening, payment).count("card saved") == 1


def test_without_save_card_nobody_is_made_and_nothing_is_saved(listening, at_stripe):
    payment = pay(listening, save_card=False)
    assert (payment["status"], payment["save_card"]) == ("completed", False)
    assert at_stripe.intent(payment)["setup_future_usage"] is None
    assert (at_stripe.customers(), cards_of(listening)) == ([], [])


def test_a_payer_who_authenticates_saves_a_card_that_is_charged_without_him(listening, at_stripe):
    payment = pay(listening, ON_SETUP, return_url=RETURN_URL)
    assert payment["status"] == "pending" and at_stripe.methods() == [] and cards_of(listening) == []
    press(payment)
    card, = wait_for_cards(listening, 1)
    assert wait_for_status(listening, payment, "completed")["save_card"]
    assert listening.pay(saved_card_id=card["id"])["status"] == "completed"


@pytest.mark.parametrize("method, action", [(DECLINE, None), (ON_SETUP, "fail")])
def test_a_payment_that_fails_saves_nothing(listening, at_stripe, method, action):
    payment = pay(listening, method, return_url=RETURN_URL)
    if action:
        press(payment, action)
    wait_for_status(listening, payment, "failed")
    assert (at_stripe.methods(), cards_of(listening)) == ([], [])
    assert not [what for what in history_of(listening, payment) if "card" in what]


def test_an_authorised_payment_saves_its_card_when_it_is_captured(listening):
    payment = pay(listening, capture_method="manual")
    assert payment["capturable"] and cards_of(listening) == []
    listening.end(payment, "capture")
    wait_for_cards(listening, 1)


def test_concurrent_payments_of_one_e_mail_make_one_customer_and_one_card(listening, at_stripe):
    emails = [EMAIL, EMAIL.upper().replace("EXAMPLE", "example")] * 4
    with concurrent.futures.ThreadPoolExecutor(len(emails)) as pool:
        payments = list(pool.map(lambda email: pay(listening, customer_email=email), emails))
    for payment in payments:
        wait_for_status(listening, payment, "completed")
        wait_for_history(listening, payment, "card saved")
    assert len(at_stripe.customers()) == 1
    wait_until(lambda: len(at_stripe.methods()) == 1, what="the older methods to be detached")
    card, = cards_of(listening)
    assert listening.pay(saved_card_id=card["id"])["status"] == "completed"


def test_the_same_card_again_stays_the_same_card_with_its_newest_method(listening, at_stripe):
    pay(listening)
    card, = wait_for_cards(listening, 1)
    payment = pay(listening)
    wait_for_history(listening, payment, "card saved")
    assert cards_of(listening) == [card]
    newest = at_stripe.intent(payment)["payment_method"]
    wait_until(lambda: at_stripe.methods() == [newest], what="the older method to be detached")
    again = listening.pay(saved_card_id=card["id"])
    assert again["status"] == "completed" and at_stripe.intent(again)["payment_method"] == newest


def test_another_card_of_the_customer_is_another_card(listening, at_stripe):
    pay(listening)
    first, = wait_for_cards(listening, 1)
    pay(listening, "pm_card_mastercard")
    second, unchanged = wait_for_cards(listening, 2)
    assert unchanged == first and (second["brand"], second["is_default"]) == ("mastercard", False)
    assert len(at_stripe.customers()) == 1 and len(at_stripe.methods()) == 2


def test_a_card_that_was_saved_before_serves_its_own_method_again(listening, at_stripe):
    card = listening.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa", "customer_email": EMAIL},
                              expect=201).data
    method, = at_stripe.methods()
    payment = pay(listening, method)
    wait_for_history(listening, payment, "card saved")
    assert (cards_of(listening), at_stripe.methods()) == ([card], [method])


def test_after_its_customer_was_deleted_at_stripe_another_is_made(listening, at_stripe):
    pay(listening)
    wait_for_cards(listening, 1)
    gone, = at_stripe.customers()
    at_stripe.call("DELETE", f"/v1/customers/{gone}")
    wait_until(lambda: cards_of(listening) == [], what="the cards to be gone")
    assert pay(listening)["status"] == "completed"
    wait_for_cards(listening, 1)
    assert at_stripe.customers() != [gone]


# The requests to Stripe

@pytest.mark.parametrize("fields, field", [
    ({"save_card": True, "customer_email": None}, "customer_email"),
    ({"save_card": True, "payment_method": None, "saved_card_id": str(uuid.uuid4())}, "save_card"),
    ({"save_card": "yes"}, "save_card"),
])
def test_saving_needs_an_e_mail_and_a_new_method(merchant, fields, field):
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa",
            "customer_email": EMAIL} | fields
    answer = merchant.api.post("/v1/payments", {name: value for name, value in body.items() if value is not None},
                               idempotency_key="order-1")
    refused(answer, 422, "VALIDATION_ERROR", field)


def test_a_repeat_must_ask_for_the_same(merchant):
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa",
            "customer_email": EMAIL}
    first = merchant.api.post("/v1/payments", body, idempotency_key="order-1", expect=201)
    same = merchant.api.post("/v1/payments", body | {"save_card": False}, idempotency_key="order-1", expect=201)
    assert same.data == first.data
    refused(merchant.api.post("/v1/payments", body | {"save_card": True}, idempotency_key="order-1"), 422,
            "IDEMPOTENCY_KEY_REUSED")


# At the stub, which answers wrongly, or not at all

@pytest.mark.parametrize("answer", [
    pytest.param(Answer(500, stripe_error("api_error")), id="a fault"),
    pytest.param(executed(cut_after=0), id="made, and no answer"),
    pytest.param(Answer(500, stripe_error("api_error"), {"Idempotent-Replayed": "true"}), id="a stored fault"),
    pytest.param(Answer(409, stripe_error(code="idempotency_key_in_use")), id="made by another"),
])
def test_a_customer_who_is_not_made_at_once_only_delays_the_charge(shop, stub_stripe, answer):
    stub_stripe.answer_next(*CUSTOMER, answer)
    payment = wait_for_status(shop, pay(shop), "completed")
    wait_for_cards(shop, 1)
    charge, = stub_stripe.calls(*CHARGE)
    customer = stub_stripe.objects("customer")[-1]
    assert (charge.form["customer"], charge.form["setup_future_usage"]) == (customer["id"], "off_session")
    assert len(stub_stripe.objects("customer")) == 1 and stub_stripe.charged_minor(payment["id"]) == 1000


@pytest.mark.parametrize("answer, code", [
    (Answer(400, stripe_error(code="email_invalid")), "email_invalid"),
    (Answer(403, stripe_error()), "provider_auth_failed"),
])
def test_a_customer_who_is_refused_fails_the_payment_and_nobody_is_charged(shop, stub_stripe, answer, code):
    stub_stripe.answer_next(*CUSTOMER, answer)
    payment = pay(shop)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", code)
    assert stub_stripe.calls(*CHARGE) == [] and pay(shop)["status"] == "completed"


def test_nobody_is_charged_after_the_window_in_which_the_customer_was_not_made(start_shop, stub_stripe):
    shop = start_shop(patience="300ms", charge_window="1s")
    stub_stripe.answer_always(*CUSTOMER, Answer(500, stripe_error("api_error")))
    payment = pay(shop)
    assert (payment["status"], payment["failure"]) == ("pending", None)
    failed = wait_for_status(shop, payment, "failed")
    assert failed["failure"]["code"] == "provider_unavailable" and stub_stripe.calls(*CHARGE) == []


def test_a_customer_whose_deletion_had_no_event_is_replaced_for_the_next_payment(shop, stub_stripe):
    pay(shop)
    wait_for_cards(shop, 1)
    account = stub_stripe.model.accounts[shop.stripe_key]
    del account.objects[stub_stripe.objects("customer")[0]["id"]]
    failed = pay(shop)
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "resource_missing")
    assert cards_of(shop) == []
    assert pay(shop)["status"] == "completed" and len(stub_stripe.objects("customer")) == 1
    wait_for_cards(shop, 1)


def test_a_method_that_stripe_did_not_attach_is_no_card(shop, stub_stripe):
    stub_stripe.answer_next(*READ, lying(payment_method=lambda intent: intent["payment_method"] | {"customer": None}))
    payment = pay(shop)
    wait_for_history(shop, payment, "card not saved")
    assert payment["status"] == "completed" and cards_of(shop) == []


def test_a_request_that_saves_the_same_method_meanwhile_does_not_wait_for_the_payments(start_shop, stub_stripe):
    shop, gate = start_shop(stripe_timeout="10s"), threading.Event()
    stub_stripe.answer_next(*READ, executed(gate=gate))
    payment = pay(shop)
    method = stub_stripe.wait_for(*READ) and stub_stripe.objects("payment_method")[0]["id"]
    card = shop.api.post("/v1/payments/cards", {"payment_method_id": method, "customer_email": EMAIL}, expect=201).data
    gate.set()
    wait_for_history(shop, payment, "card saved")
    assert cards_of(shop) == [card]


def test_a_method_that_cannot_be_read_at_once_is_read_again(shop, stub_stripe):
    stub_stripe.answer_next(*READ, Answer(500, stripe_error("api_error")))
    payment = pay(shop)
    wait_for_cards(shop, 1)
    assert history_of(shop, payment).count("card saved") == 1
