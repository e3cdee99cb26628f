"""Cards that their payer sets up, so that they can be charged without him: how each kind of card can be charged after each
kind of set-up, and that a set-up ends the same whatever is lost on the way."""
import pytest
import stripe

from stub_fixture import wait_for_status
from support.at_stripe import press
from support.events import event, send_event, thin_event
from support.http_listener import Answer
from support.merchant import Merchant
from support.shape import UUID7, refused
from support.stripe_model import AUTHENTICATE, DECLINE, stripe_error
from support.stub import executed
from support.waiting import wait_until

RETURN_URL = "https://shop.example/return"
NEVER, ON_SETUP, ALWAYS = "pm_card_visa", "pm_card_authenticationRequiredOnSetup", "pm_card_authenticationRequired"
SET_UP_ELSEWHERE = "pm_card_authenticationRequiredSetupForOffSession"
SETUP, SETUPS = ("POST", "/v1/setup_intents"), ("GET", "/v1/setup_intents")
READ, CANCEL = ("GET", "/v1/setup_intents/*"), ("POST", "/v1/setup_intents/*/cancel")
REPLAYED = {"Idempotent-Replayed": "true"}


def save(merchant, method, email="user@example.com", key=None, **fields):
    """The Answer to POST /v1/payments/cards."""
    body = {"payment_method_id": method, "customer_email": email} | fields
    return merchant.api.post("/v1/payments/cards", body, idempotency_key=key)


def set_up(merchant, method, **fields):
    """A card whose set-up has begun."""
    answer = save(merchant, method, **{"return_url": RETURN_URL} | fields)
    assert answer.status == 201, repr(answer)
    return answer.data


def card_of(merchant, card):
    return merchant.api.get(f"/v1/payments/cards/{card['id']}", expect=200).data


def wait_for_card(merchant, card, status):
    return wait_until(lambda: (found := card_of(merchant, card))["status"] == status and found,
                      what=f"the card to be {status}")


def authenticate(setup):
    """The payer of a set-up of the stub's has authenticated: Stripe attaches its method."""
    setup.update(status="succeeded", next_action=None)
    setup["payment_method"]["customer"] = setup["customer"]


def charge(merchant, card, **fields):
    payment = merchant.pay(saved_card_id=card["id"], **fields)
    return payment["status"], (payment["failure"] or {}).get("code"), (payment["next_action"] or {}).get("type")


COMPLETED = ("completed", None, None)
CHALLENGED = ("pending", None, "redirect_to_url")
REFUSED = ("failed", "authentication_required", None)


# Each kind of card, each way to save it

@pytest.mark.parametrize("method, off_session, on_session", [
    (NEVER, COMPLETED, COMPLETED),
    (ON_SETUP, REFUSED, CHALLENGED),
    (ALWAYS, REFUSED, CHALLENGED),
    (SET_UP_ELSEWHERE, COMPLETED, CHALLENGED),
])
def test_a_card_that_was_attached_can_be_charged_as_its_kind_allows(listening, method, off_session, on_session):
    card = save(listening, method).data
    assert card["status"] == "active" and card["next_action"] is None
    assert charge(listening, card) == off_session
    assert charge(listening, card, off_session=False, return_url=RETURN_URL) == on_session


@pytest.mark.parametrize("method, off_session, on_session", [
    (NEVER, COMPLETED, COMPLETED),
    (ON_SETUP, COMPLETED, CHALLENGED),
    (ALWAYS, REFUSED, CHALLENGED),
    (SET_UP_ELSEWHERE, COMPLETED, CHALLENGED),
])
def test_a_card_that_was_set_up_can_be_charged_as_its_kind_allows(listening, receiver, method, off_session, on_session):
    listening.use_webhook(receiver.url)
    card = set_up(listening, method)
    if card["status"] == "pending":
        assert press(card).startswith(RETURN_URL)
    card = wait_for_card(listening, card, "active")
    assert (card["next_action"], card["failure"], card["is_default"]) == (None, None, True)
    event = receiver.wait_for("card.saved").json
    assert event["data"]["card_id"] == card["id"] and event["data"]["status"] == "active"
    assert charge(listening, card) == off_session
    assert charge(listening, card, off_session=False, return_url=RETURN_URL) == on_session
    assert [one["id"] for one in listening.api.get("/v1/payments/cards", expect=200).data] == [card["id"]]


@pytest.mark.parametrize("method, off_session, on_session", [
    (NEVER, COMPLETED, COMPLETED),
    (ON_SETUP, COMPLETED, CHALLENGED),
    (ALWAYS, REFUSED, CHALLENGED),
    (SET_UP_ELSEWHERE, COMPLETED, CHALLENGED),
])
def test_a_card_that_was_saved_while_paying_can_be_charged_as_its_kind_allows(
        listening, receiver, method, off_session, on_session):
    listening.use_webhook(receiver.url)
    payment = listening.pay(payment_method=method, save_card=True, customer_email="user@example.com",
                            return_url=RETURN_URL)
    if payment["status"] == "pending":
        assert press(payment).startswith(RETURN_URL)
    card = receiver.wait_for("card.saved").json["data"]
    assert charge(listening, card) == off_session
    assert charge(listening, card, off_session=False, return_url=RETURN_URL) == on_session


def test_a_card_whose_payer_has_paid_once_is_charged_without_him_from_then_on(listening):
    card = save(listening, ON_SETUP).data
    first = listening.pay(saved_card_id=card["id"], off_session=False, return_url=RETURN_URL)
    assert press(first).startswith(RETURN_URL)
    wait_for_status(listening, first, "completed")
    assert charge(listening, card) == COMPLETED


@pytest.mark.parametrize("method", [ON_SETUP, ALWAYS])
def test_a_card_whose_payer_fails_to_authenticate_is_failed(listening, receiver, method):
    listening.use_webhook(receiver.url)
    card = set_up(listening, method)
    assert press(card, "fail").startswith(RETURN_URL)
    failed = wait_for_card(listening, card, "failed")
    assert failed["failure"]["code"] == "setup_intent_authentication_failure" and failed["next_action"] is None
    assert receiver.wait_for("card.failed").json["data"]["failure"] == failed["failure"]
    refused(listening.api.post("/v1/payments", {"amount": "10.00", "currency": "USD", "provider": "stripe",
                                                "saved_card_id": card["id"]}, idempotency_key="k"), 404, "NOT_FOUND")
    assert listening.api.get("/v1/payments/cards", expect=200).data == []
    assert press(again := set_up(listening, method)).startswith(RETURN_URL)
    assert again["id"] != card["id"]
    wait_for_card(listening, again, "active")


def test_a_card_whose_payer_has_not_come_back_yet_is_pending_and_cannot_be_charged(listening):
    card = set_up(listening, ON_SETUP)
    assert card["status"] == "pending" and UUID7.fullmatch(card["id"]) and card["last4"] == "3155"
    assert card["next_action"]["type"] == "redirect_to_url" and not card["is_default"]
    assert card_of(listening, card) == card == set_up(listening, ON_SETUP)
    assert listening.api.get("/v1/payments/cards", expect=200).data == []
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "saved_card_id": card["id"]}
    refused(listening.api.post("/v1/payments", body, idempotency_key="k"), 409, "CONFLICT")
    refused(listening.api.post(f"/v1/payments/cards/{card['id']}/default"), 409, "CONFLICT")


@pytest.mark.parametrize("method", ["pm_card_chargeDeclined", "pm_card_unknown"])
def test_a_card_that_is_refused_at_once_is_not_saved(listening, receiver, method):
    listening.use_webhook(receiver.url)
    for _ in range(2):
        refused(save(listening, method, key="once", return_url=RETURN_URL), 422, "PROVIDER_REJECTED")
    listening.pay()
    receiver.wait_for("payment.completed")
    assert [event["type"] for event in receiver.events()] == ["payment.completed"]


# The requests to Stripe

def test_the_request_sets_the_card_up_for_charges_without_the_payer(start_shop, stub_stripe):
    shop = start_shop()
    card = set_up(shop, NEVER)
    request, = stub_stripe.calls(*SETUP)
    customer, = stub_stripe.objects("customer")
    assert request.form == {
        "customer": customer["id"], "payment_method": NEVER, "confirm": "true", "usage": "off_session",
        "automatic_payment_methods[enabled]": "true", "return_url": RETURN_URL, "metadata[card_id]": card["id"],
        "metadata[merchant_id]": shop.id, "expand[]": "payment_method"}
    assert request.header("Idempotency-Key").startswith(f"set_{card['id']}_")
    assert card["status"] == "active" and not stub_stripe.calls("POST", "/v1/payment_methods/*/attach")


@pytest.mark.parametrize("fields, expected", [
    ({}, "true"), ({"off_session": False}, None),
])
def test_only_a_charge_with_the_payer_present_sets_the_card_up(start_shop, stub_stripe, fields, expected):
    shop = start_shop()
    card = save(shop, NEVER).data
    shop.pay(saved_card_id=card["id"], **fields)
    form = stub_stripe.calls("POST", "/v1/payment_intents")[-1].form
    assert form.get("off_session") == expected
    assert form.get("setup_future_usage") == (None if expected else "off_session")


# Answers and events that are lost

@pytest.mark.parametrize("answer", [executed(cut_after=0), executed(hang=True), Answer(503, stripe_error("api_error")),
                                    Answer(500, stripe_error("api_error"))])
@pytest.mark.parametrize("method, status", [(NEVER, "active"), (AUTHENTICATE, "pending")])
def test_a_set_up_whose_answer_is_lost_is_made_once(start_shop, stub_stripe, method, status, answer):
    shop = start_shop()
    stub_stripe.answer_next(*SETUP, answer)
    card = set_up(shop, method)
    assert card["status"] == status
    assert len(stub_stripe.objects("setup_intent")) == 1 and len(stub_stripe.objects("customer")) == 1
    assert len({(request.body, request.header("Idempotency-Key")) for request in stub_stripe.calls(*SETUP)}) == 1


@pytest.mark.parametrize("made", [True, False])
def test_a_fault_that_stripe_stored_for_a_set_up_does_not_keep_the_card_from_being_saved(start_shop, stub_stripe, made):
    shop = start_shop()
    fault = Answer(500, stripe_error("api_error"), REPLAYED)
    stub_stripe.answer_next(*SETUP, (lambda done: fault) if made else fault)
    card = set_up(shop, NEVER)
    assert card["status"] == "active" and stub_stripe.calls(*SETUPS)
    assert len(stub_stripe.objects("setup_intent")) == 1
    wait_until(lambda: card_of(shop, card)["last4"] == "4242", what="the card's details")


def test_a_set_up_whose_event_is_lost_is_looked_up(start_server, sandbox, nghttpx):
    merchant = Merchant.with_stripe(start_server(**nghttpx.settings))
    card = set_up(merchant, ON_SETUP)
    assert press(card).startswith(RETURN_URL)
    wait_until(lambda: card_of(merchant, card)["status"] == "active", timeout=30, what="the card to be active")


def test_a_set_up_that_is_under_way_over_a_kill_ends_as_it_would_have(start_shop, stub_stripe):
    shop = start_shop(patience="300ms")
    stub_stripe.answer_next(*SETUP, executed(hang=True))
    answer = save(shop, AUTHENTICATE, key="k", return_url=RETURN_URL)
    assert answer.status == 503, repr(answer)
    shop.server.kill()
    shop.server.start()
    card = wait_until(lambda: (found := save(shop, AUTHENTICATE, key="k", return_url=RETURN_URL)).status == 201 and found,
                      what="the card to be saved").data
    assert card["status"] == "pending" and len(stub_stripe.objects("setup_intent")) == 1
    setup, = stub_stripe.objects("setup_intent")
    authenticate(setup)
    send_event(shop.server, event("setup_intent.succeeded", setup), shop.stripe_webhook_secret)
    assert wait_for_card(shop, card, "active")["last4"] == "4242"


@pytest.mark.parametrize("told", [
    lambda setup: event("setup_intent.succeeded", setup | {"metadata": {}}),  # by Stripe's id alone
    lambda setup: event("setup_intent.canceled", setup | {"status": "canceled"}),  # whatever it says
    lambda setup: thin_event("v1.setup_intent.succeeded", setup["id"], "setup_intent"),
])
def test_an_event_is_a_reason_to_ask_and_nothing_more(start_shop, stub_stripe, told):
    shop = start_shop()
    card = set_up(shop, AUTHENTICATE)
    setup, = stub_stripe.objects("setup_intent")
    send_event(shop.server, event("setup_intent.succeeded", setup), shop.stripe_webhook_secret)
    stub_stripe.wait_for(*READ)
    assert card_of(shop, card)["status"] == "pending"
    authenticate(setup)
    send_event(shop.server, told(setup), shop.stripe_webhook_secret)
    wait_for_card(shop, card, "active")


@pytest.mark.parametrize("field, value", [("livemode", True), ("metadata", {"card_id": "01890000-0000-7000-8000-000000000000"})])
def test_an_event_about_another_card_asks_nothing(start_shop, stub_stripe, field, value):
    shop = start_shop()
    set_up(shop, AUTHENTICATE)
    setup, = stub_stripe.objects("setup_intent")
    send_event(shop.server, event("setup_intent.succeeded", setup | {field: value}), shop.stripe_webhook_secret)
    shop.pay()
    assert not stub_stripe.calls(*READ)


# Its end

def test_a_pending_card_that_is_deleted_can_no_longer_be_set_up(listening, sandbox):
    card = set_up(listening, ON_SETUP)
    listening.api.delete(f"/v1/payments/cards/{card['id']}", expect=200)
    refused(listening.api.get(f"/v1/payments/cards/{card['id']}"), 404, "NOT_FOUND")
    stripe.api_base = sandbox.url
    wait_until(lambda: [one.status for one in stripe.SetupIntent.list(api_key=listening.stripe_key)] == ["canceled"],
               what="the set-up to be canceled")


def test_a_deleted_card_whose_payer_was_faster_is_detached(start_shop, stub_stripe):
    shop = start_shop()
    card = set_up(shop, AUTHENTICATE)
    setup, = stub_stripe.objects("setup_intent")
    authenticate(setup)
    shop.api.delete(f"/v1/payments/cards/{card['id']}", expect=200)
    wait_until(lambda: stub_stripe.objects("payment_method")[0]["customer"] is None, what="the card to be detached")
    assert stub_stripe.calls(*CANCEL) and stub_stripe.calls(*READ)


def test_a_failed_card_can_be_deleted(listening):
    card = set_up(listening, ON_SETUP)
    assert press(card, "fail").startswith(RETURN_URL)
    wait_for_card(listening, card, "failed")
    listening.api.delete(f"/v1/payments/cards/{card['id']}", expect=200)
    refused(listening.api.get(f"/v1/payments/cards/{card['id']}"), 404, "NOT_FOUND")


def test_a_refused_set_up_with_a_declined_card_tells_stripes_code(start_shop, stub_stripe):
    shop = start_shop()
    answer = refused(save(shop, DECLINE, return_url=RETURN_URL), 422, "PROVIDER_REJECTED")
    assert "card_declined" in answer.errors[0]["message"]
