"""Saved cards: saving, refusals, repeats, charging and the list. A customer is one customer at Stripe however many cards
are saved at once."""
import concurrent.futures
import uuid

import pytest

from cards_fixture import ATTACH, CUSTOMER, cards_of, charge, delete, make_default, new_method, save, saved
from support.http_listener import Answer
from support.merchant import Merchant
from support.shape import TIME, UUID7, assert_shape, refused
from support.stripe_model import stripe_error
from support.stub import executed

CARD_SHAPE = {
    "id": UUID7, "provider": "stripe", "brand": "visa", "last4": "4242", "exp_month": int, "exp_year": int,
    "is_default": True, "created_at": TIME,
    # The walk-through's answer does not show these; the API's description does.
    "customer_email": "user@example.com", "customer_name": "Jane Doe", "livemode": False,
    "status": "active", "next_action": None, "failure": None,
}


# Saving

@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "application/json"])
def test_the_request_of_the_walk_through_is_answered_with_every_field(merchant, content_type):
    text = '{"payment_method_id": "pm_card_visa", "customer_email": "user@example.com", "customer_name": "Jane Doe"}'
    answer = merchant.api.post("/v1/payments/cards", text, headers={"Content-Type": content_type}, expect=201)
    assert_shape(answer.json, {"success": True, "data": CARD_SHAPE})


def test_the_longest_name_and_address_reach_stripe_whole(shop, stub_stripe):
    name, address = "\N{GRINNING FACE}" * 255, "\N{GRINNING FACE}" * 499 + "@shop.example"
    saved(shop, "pm_card_visa", address, customer_name=name)
    customer, = stub_stripe.objects("customer")
    assert (customer["email"], customer["name"]) == (address, name) and len(customer["metadata"]) == 2


def test_a_card_without_an_e_mail_has_a_customer_of_its_own(shop, stub_stripe):
    first, second = (saved(shop, f"pm_own{number}", email=None) for number in range(2))
    assert first["is_default"] and second["is_default"]
    assert (first["customer_email"], first["customer_name"]) == (None, None)
    assert len(stub_stripe.objects("customer")) == 2


def test_an_e_mail_is_one_customer_whatever_its_case_and_its_first_card_is_the_default(shop, stub_stripe):
    first = saved(shop, "pm_one", "User@Example.com", customer_name="Jane Doe")
    second = saved(shop, "pm_two", "user@example.COM")
    assert (first["is_default"], second["is_default"]) == (True, False)
    assert (first["customer_email"], second["customer_email"]) == ("User@Example.com", "user@example.COM")
    customer, = stub_stripe.objects("customer")
    assert (customer["email"], customer["name"]) == ("User@Example.com", "Jane Doe")
    assert {request.form["customer"] for request in stub_stripe.calls(*ATTACH)} == {customer["id"]}


@pytest.mark.parametrize("one, other", [("J\u00d6RG@shop.example", "jo\u0308rg@Shop.example"),
                                        ("jo@M\u00fcller.example", "jo@xn--mller-kva.example")])
def test_spellings_of_one_international_address_are_one_customer(shop, stub_stripe, one, other):
    cards = [saved(shop, "pm_one", email=one), saved(shop, "pm_two", email=other)]
    assert [card["is_default"] for card in cards] == [True, False] and len(stub_stripe.objects("customer")) == 1
    assert [card["customer_email"] for card in cards] == [one, other]
    for email in (one, other):
        found = shop.api.get("/v1/payments/cards", query={"customer_email": email}, expect=200).data
        assert [card["id"] for card in found] == [cards[1]["id"], cards[0]["id"]]


def test_saving_an_active_method_again_answers_the_card_there_is(shop, stub_stripe):
    method = new_method(shop, stub_stripe)
    first = saved(shop, method)
    assert saved(shop, method) == first and saved(shop, method, key="again") == first
    assert saved(shop, method, "other@example.com") == first
    assert len(stub_stripe.calls(*ATTACH)) == 1


def test_the_same_method_under_another_spelling_of_its_e_mail_is_one_card(shop, stub_stripe):
    method = new_method(shop, stub_stripe)
    stub_stripe.answer_always(*ATTACH, executed(delay_s=0.3))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        cards = list(pool.map(lambda email: saved(shop, method, email), ("a@example.com", "A@example.com")))
    assert cards[0]["id"] == cards[1]["id"]


def test_cards_that_are_saved_at_once_for_one_e_mail_make_one_customer(shop, stub_stripe):
    stub_stripe.answer_always(*CUSTOMER, executed(delay_s=0.1))
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        cards = list(pool.map(lambda number: saved(shop, f"pm_race{number}", f"{'aA'[number % 2]}@example.com"), range(12)))
    assert len({card["id"] for card in cards}) == 12
    assert [card["is_default"] for card in cards].count(True) == 1
    assert len(stub_stripe.objects("customer")) == 1
    assert len({request.body for request in stub_stripe.calls(*CUSTOMER)}) == 1


def test_the_same_save_at_once_is_one_card(shop, stub_stripe):
    stub_stripe.answer_always(*ATTACH, executed(delay_s=0.2))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        cards = list(pool.map(lambda number: saved(shop, "pm_same", key=f"save-{number % 2}"), range(8)))
    assert {card["id"] for card in cards} == {cards[0]["id"]} and len(stub_stripe.calls(*ATTACH)) == 1


def test_a_card_is_saved_in_the_mode_that_payments_are_made_in(merchant):
    assert saved(merchant)["livemode"] is False
    merchant.use_stripe("live")
    assert saved(merchant)["livemode"] is True
    assert saved(merchant, api=merchant.client(mode="test"))["livemode"] is False


# Refusals

@pytest.mark.parametrize("body, fields", [
    ({}, ["payment_method_id"]),
    ({"payment_method_id": 4}, ["payment_method_id"]),
    ({"payment_method_id": "tok_visa"}, ["payment_method_id"]),
    ({"payment_method_id": "pm_a/../b"}, ["payment_method_id"]),
    ({"payment_method_id": "pm_", "customer_email": "nobody", "customer_name": "", "brand": "visa"},
     ["payment_method_id", "customer_email", "customer_name", "brand"]),
])
def test_every_wrong_field_is_named(merchant, body, fields):
    refused(merchant.api.post("/v1/payments/cards", body), 422, "VALIDATION_ERROR", *fields)


@pytest.mark.parametrize("body, field", [
    ({"payment_method_id": "4242 4242 4242 4242"}, "payment_method_id"),
    ({"payment_method_id": "pm_card_visa", "cvc": "123"}, "cvc"),
    ({"payment_method_id": "pm_card_visa", "customer_name": "4242-4242-4242-4242"}, "customer_name"),
])
def test_card_data_is_refused(merchant, body, field):
    refused(merchant.api.post("/v1/payments/cards", body), 422, "CARD_DATA_REFUSED", field)


def test_a_key_needs_the_scope_and_the_merchant_credentials(server, merchant):
    refused(save(merchant, api=merchant.client("payments:read")), 403, "AUTH_INSUFFICIENT_SCOPE")
    refused(save(Merchant(server)), 422, "PROVIDER_NOT_CONFIGURED")


@pytest.mark.parametrize("step", [CUSTOMER, ATTACH], ids=["customer", "attach"])
@pytest.mark.parametrize("answer, code, message", [
    (Answer(402, stripe_error("card_error", code="card_declined")), "PROVIDER_REJECTED", "card_declined: "),
    (Answer(404, stripe_error(code="resource_missing")), "PROVIDER_REJECTED", "resource_missing: "),
    (Answer(401, stripe_error()), "PROVIDER_AUTH_FAILED", "provider_auth_failed: "),
])
def test_a_refusal_by_stripe_is_repeated_for_the_same_key_and_another_key_may_save_the_card(shop, stub_stripe, step, answer,
                                                                                            code, message):
    stub_stripe.answer_next(*step, answer)
    first = refused(save(shop, "pm_bad", key="save-1"), 422, code)
    assert first.json["errors"][0]["message"].startswith(message)
    asked = len(stub_stripe.requests)
    again = refused(save(shop, "pm_bad", key="save-1"), 422, code)
    assert again.json["errors"] == first.json["errors"] and len(stub_stripe.requests) == asked
    assert saved(shop, "pm_bad", key="save-2")["is_default"]


# Repeats

def test_the_same_key_gets_the_first_answer_and_saves_nothing_more(merchant):
    first = save(merchant, key="save-1")
    again = save(merchant, key="save-1")
    assert (again.status, again.body, again.replayed) == (201, first.body, True)
    refused(save(merchant, "pm_card_mastercard", key="save-1"), 422, "IDEMPOTENCY_KEY_REUSED")
    assert save(merchant, key="save-2").data["id"] != first.data["id"]


def test_each_key_of_one_card_gets_its_own_first_answer_again(shop, stub_stripe):
    method = new_method(shop, stub_stripe)
    first = save(shop, method, key="save-1")
    other = saved(shop, new_method(shop, stub_stripe))
    make_default(shop, other)
    second = save(shop, method, key="save-2", customer_name="J. Doe")
    assert (first.data["id"], first.data["is_default"]) == (second.data["id"], True)
    assert (second.status, second.data["is_default"], second.replayed) == (201, False, False)
    make_default(shop, first.data)
    shop.server.restart()
    for key, answer, fields in (("save-1", first, {}), ("save-2", second, {"customer_name": "J. Doe"})):
        again = save(shop, method, key=key, **fields)
        assert (again.status, again.body, again.replayed) == (201, answer.body, True)


def test_idempotency_keys_belong_to_a_merchant_and_differ_from_those_of_payments(server, merchant):
    other = Merchant.with_stripe(server)
    merchant.pay(idempotency_key="key-1")
    assert saved(merchant, key="key-1")["id"] != saved(other, key="key-1")["id"]


# Charging

@pytest.mark.parametrize("fields, off_session", [({}, "true"), ({"off_session": True}, "true"), ({"off_session": False}, None)],
                         ids=["not said", "off session", "on session"])
def test_a_saved_card_is_charged_with_its_customer(shop, stub_stripe, fields, off_session):
    card = saved(shop, customer_name="Jane Doe")
    payment = shop.pay("29.99", saved_card_id=card["id"], **fields)
    assert (payment["status"], payment["saved_card_id"], payment["payment_method"]) == ("completed", card["id"], None)
    customer, = stub_stripe.objects("customer")
    method, = stub_stripe.objects("payment_method")
    sent = stub_stripe.calls("POST", "/v1/payment_intents")[-1].form
    assert (sent["customer"], sent["payment_method"], sent.get("off_session")) == (customer["id"], method["id"], off_session)
    assert shop.payment(payment["id"]) == payment


def test_a_saved_card_is_charged_again_and_again(merchant):
    card = saved(merchant)
    payments = [merchant.pay("29.99", saved_card_id=card["id"]) for _ in range(3)]
    assert [payment["status"] for payment in payments] == ["completed"] * 3
    listed = merchant.api.get(f"/v1/payments?saved_card_id={card['id']}", expect=200).data
    assert {payment["id"] for payment in listed} == {payment["id"] for payment in payments}


def test_a_charge_off_session_that_needs_authentication_fails(merchant):
    card = saved(merchant, "pm_card_authenticationRequired")
    payment = merchant.pay(saved_card_id=card["id"])
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "authentication_required")
    payment = merchant.pay(saved_card_id=card["id"], off_session=False)
    assert (payment["status"], payment["next_action"]["type"]) == ("pending", "use_stripe_sdk")


def test_the_same_key_with_another_card_or_presence_is_another_request(merchant):
    card, other = saved(merchant), saved(merchant)
    first = merchant.pay(saved_card_id=card["id"], idempotency_key="order-1")
    assert merchant.pay(saved_card_id=card["id"], idempotency_key="order-1") == first
    for fields in ({"saved_card_id": other["id"]}, {"saved_card_id": card["id"], "off_session": False}, {}):
        body = {"amount": "10.00", "currency": "USD", "provider": "stripe"} | (fields or {"payment_method": "pm_card_visa"})
        refused(merchant.api.post("/v1/payments", body, idempotency_key="order-1"), 422, "IDEMPOTENCY_KEY_REUSED")


def test_only_active_cards_of_this_merchant_and_mode_are_charged(server, merchant):
    card = saved(merchant)
    other = Merchant.with_stripe(server)
    refused(charge(other, card), 404, "NOT_FOUND")
    refused(charge(merchant, {"id": str(uuid.uuid4())}), 404, "NOT_FOUND")
    merchant.use_stripe("live")
    refused(charge(merchant, card), 404, "NOT_FOUND")
    assert charge(merchant, card, merchant.client(mode="test")).status == 201
    live = saved(merchant)
    refused(charge(merchant, live, merchant.client(mode="test")), 404, "NOT_FOUND")
    assert charge(merchant, live).data["livemode"] is True


# The list

def test_active_cards_are_listed_newest_first(server, merchant):
    assert cards_of(merchant) == []
    mine = [saved(merchant, email=email) for email in ("a@example.com", "A@example.com", "b@example.com", None)]
    assert cards_of(merchant) == mine[::-1] and cards_of(Merchant(server)) == []
    assert cards_of(merchant, "?customer_email=a@EXAMPLE.com") == [mine[1], mine[0]]
    assert cards_of(merchant, "?page=2&page_size=3") == [mine[0]]
    delete(merchant, mine[0])
    assert cards_of(merchant)[-1] == mine[1] | {"is_default": True}
    merchant.use_stripe("live")
    live = saved(merchant)
    assert cards_of(merchant, "?livemode=true") == [live] and live not in cards_of(merchant, api=merchant.client(mode="test"))
    refused(merchant.api.get("/v1/payments/cards?brand=visa"), 422, "VALIDATION_ERROR", "brand")
