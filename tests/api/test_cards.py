"""Saved cards: what is answered, what is refused, and that a customer is one customer at Stripe however many cards are
saved at once and whatever is lost on the way."""
import concurrent.futures
import json
import uuid

import pytest

from support.http_listener import Answer
from support.meanwhile import InBackground
from support.merchant import Merchant
from support.shape import TIME, UUID7, assert_shape, refused
from support.stripe_model import Account, stripe_error
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import HTML

CUSTOMER = ("POST", "/v1/customers")
ATTACH = ("POST", "/v1/payment_methods/*/attach")
CARD_SHAPE = {
    "id": UUID7, "provider": "stripe", "brand": "visa", "last4": "4242", "exp_month": int, "exp_year": int,
    "is_default": True, "created_at": TIME,
    # What the walk-through's answer does not show, and the API's description does.
    "customer_email": "user@example.com", "customer_name": "Jane Doe", "livemode": False,
    "status": "active", "next_action": None, "failure": None,
}


def save(merchant, method="pm_card_visa", email="user@example.com", api=None, key=None, **fields):
    """The Answer to POST /v1/payments/cards."""
    body = {"payment_method_id": method} | ({} if email is None else {"customer_email": email}) | fields
    return (api or merchant.api).post("/v1/payments/cards", body, idempotency_key=key)


def saved(merchant, *args, **fields):
    """A card that was saved."""
    answer = save(merchant, *args, **fields)
    assert answer.status == 201, repr(answer)
    return answer.data


def test_the_longest_name_and_address_reach_stripe_whole(shop, stub_stripe):
    name, address = "\N{GRINNING FACE}" * 255, "\N{GRINNING FACE}" * 499 + "@shop.example"
    saved(shop, "pm_card_visa", address, customer_name=name)
    customer, = stub_stripe.objects("customer")
    assert (customer["email"], customer["name"]) == (address, name) and len(customer["metadata"]) == 2


def new_method(shop, stub_stripe):
    """A method that is at Stripe already, so that attaching it does not make another."""
    account = stub_stripe.model.accounts.setdefault(shop.stripe_key, Account(False))
    card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}
    return account.add("pm_", "payment_method", type="card", card=card, source="pm_card_visa", metadata={},
                       customer=None)["id"]


# Saving

@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "application/json"])
def test_the_request_of_the_walk_through_is_answered_with_every_field(merchant, content_type):
    text = '{"payment_method_id": "pm_card_visa", "customer_email": "user@example.com", "customer_name": "Jane Doe"}'
    answer = merchant.api.post("/v1/payments/cards", text, headers={"Content-Type": content_type}, expect=201)
    assert_shape(answer.json, {"success": True, "data": CARD_SHAPE})


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
def test_what_stripe_refuses_is_refused_again_for_the_same_key_and_can_be_saved_under_another(shop, stub_stripe, step, answer,
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


def test_keys_are_of_a_merchant_and_apart_from_those_of_payments(server, merchant):
    other = Merchant(server)
    other.use_stripe()
    merchant.pay(idempotency_key="key-1")
    assert saved(merchant, key="key-1")["id"] != saved(other, key="key-1")["id"]


# Unknown outcomes

@pytest.mark.parametrize("step", [CUSTOMER, ATTACH], ids=["customer", "attach"])
@pytest.mark.parametrize("answer", [Answer(200, cut_after=0), executed(cut_after=0), executed(hang=True),
                                    Answer(500, stripe_error("api_error")), Answer(502, "<html>", HTML)],
                         ids=["closed", "done, closed", "done, no answer", "500", "502"])
def test_a_step_of_unknown_outcome_is_sent_again_unchanged_until_it_is_known(impatient_shop, stub_stripe, step, answer):
    stub_stripe.answer_always(*step, answer)
    first = refused(save(impatient_shop, "pm_lost", key="save-1"), 503, "PROVIDER_UNAVAILABLE")
    assert int(first.headers["Retry-After"]) > 0
    stub_stripe.wait_for(*step, count=2)
    refused(save(impatient_shop, "pm_lost", key="save-1"), 503, "PROVIDER_UNAVAILABLE")
    stub_stripe.behave()
    card = finally_saved(impatient_shop, "pm_lost", key="save-1")
    calls = stub_stripe.calls(*step)
    assert len({(call.body, call.header("Idempotency-Key")) for call in calls}) == 1
    assert len(stub_stripe.objects("customer")) == 1 and card["is_default"]


def stored_fault(shop, stub_stripe, done):
    """A 500 that Stripe keeps under the request's key, whether what was asked for was done or not."""
    def answer(executed_answer):
        account = stub_stripe.model.accounts[shop.stripe_key]
        key, (asked, _, _) = list(account.replies.items())[-1]
        account.replies[key] = asked, 500, json.dumps(stripe_error("api_error"))
        made = account.objects[json.loads(executed_answer.body)["id"]]
        if not done and made["object"] == "customer":
            del account.objects[made["id"]]
        elif not done:
            made["customer"] = None
        return Answer(500, stripe_error("api_error"))
    return answer


@pytest.mark.parametrize("email", ["user@example.com", None], ids=["with an e-mail", "without one"])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_fault_that_stripe_stored_for_a_customer_does_not_keep_cards_from_being_saved(shop, stub_stripe, done, email):
    stub_stripe.answer_next(*CUSTOMER, stored_fault(shop, stub_stripe, done))
    card = saved(shop, new_method(shop, stub_stripe), email, key="save-1")
    customer, = stub_stripe.objects("customer")
    method, = stub_stripe.objects("payment_method")
    assert (card["is_default"], method["customer"]) == (True, customer["id"])
    assert len({call.header("Idempotency-Key") for call in stub_stripe.calls(*CUSTOMER)}) == (1 if done else 2)
    assert saved(shop, new_method(shop, stub_stripe), "user@example.com") and shop.pay(saved_card_id=card["id"])
    assert len(stub_stripe.objects("customer")) == (1 if email else 2)


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_fault_that_stripe_stored_for_an_attach_does_not_keep_the_card_from_being_saved(shop, stub_stripe, done):
    stub_stripe.answer_next(*ATTACH, stored_fault(shop, stub_stripe, done))
    card = saved(shop, new_method(shop, stub_stripe), key="save-1")
    assert card["brand"] == "visa" and shop.pay(saved_card_id=card["id"])["status"] == "completed"
    assert len({call.header("Idempotency-Key") for call in stub_stripe.calls(*ATTACH)}) == (1 if done else 2)
    customer, = stub_stripe.objects("customer")
    method, = stub_stripe.objects("payment_method")
    assert method["customer"] == customer["id"]


def test_where_every_customer_meets_a_stored_fault_few_are_made(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CUSTOMER, Answer(500, stripe_error("api_error"), {"Idempotent-Replayed": "true"}))
    refused(save(impatient_shop, "pm_lost", key="save-1"), 503, "PROVIDER_UNAVAILABLE")
    stub_stripe.wait_for(*CUSTOMER, 2)
    wait_until(lambda: b"\npayments_operations_in_flight 0\n" in impatient_shop.server.api().get("/metrics").body)
    assert len(stub_stripe.calls(*CUSTOMER)) == 2
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    assert finally_saved(impatient_shop, "pm_lost", key="save-1")["is_default"]


def finally_saved(shop, *args, **fields):
    """The card, however often the patience of asking for it ends."""
    while (answer := save(shop, *args, **fields)).status == 503:
        pass
    assert answer.status == 201, repr(answer)
    return answer.data


def test_the_same_key_waits_for_a_save_that_is_under_way(shop, stub_stripe):
    stub_stripe.answer_always(*ATTACH, executed(delay_s=0.3))
    first = InBackground(save, shop, "pm_slow", key="save-1")
    stub_stripe.wait_for(*ATTACH)
    again = save(shop, "pm_slow", key="save-1")
    assert (again.status, again.body) == (201, first.result().body)
    assert len(stub_stripe.calls(*ATTACH)) == 1


@pytest.mark.parametrize("step", [CUSTOMER, ATTACH], ids=["customer", "attach"])
@pytest.mark.parametrize("answer", [Answer(hang=True), executed(hang=True)], ids=["not done", "done"])
def test_a_save_under_way_is_ended_by_the_next_process(start_shop, stub_stripe, step, answer):
    shop = start_shop(stripe_timeout="30s")
    stub_stripe.answer_next(*step, answer)
    method = new_method(shop, stub_stripe)
    saving = InBackground(save, shop, method, key="save-1")
    stub_stripe.wait_for(*step)
    shop.server.kill()
    with pytest.raises(OSError):
        saving.result()
    shop.server.start()
    card = finally_saved(shop, method, key="save-1")
    assert card["is_default"] and len(stub_stripe.objects("customer")) == 1
    assert len({request.header("Idempotency-Key") for request in stub_stripe.wait_for(*step, count=2)}) == 1
    assert saved(shop, method) == card


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


def charge(merchant, card, api=None):
    """The Answer to a charge of the card."""
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "saved_card_id": card["id"]}
    return (api or merchant.api).post("/v1/payments", body, idempotency_key=f"order-{uuid.uuid4()}")


def test_only_active_cards_of_this_merchant_and_mode_are_charged(server, merchant):
    card = saved(merchant)
    other = Merchant(server)
    other.use_stripe()
    refused(charge(other, card), 404, "NOT_FOUND")
    refused(charge(merchant, {"id": str(uuid.uuid4())}), 404, "NOT_FOUND")
    merchant.use_stripe("live")
    refused(charge(merchant, card), 404, "NOT_FOUND")
    assert charge(merchant, card, merchant.client(mode="test")).status == 201
    live = saved(merchant)
    refused(charge(merchant, live, merchant.client(mode="test")), 404, "NOT_FOUND")
    assert charge(merchant, live).data["livemode"] is True


# Deleting, and the default

DETACH = ("POST", "/v1/payment_methods/*/detach")


def delete(merchant, card, api=None):
    """The Answer to DELETE /v1/payments/cards/{id}."""
    return (api or merchant.api).delete(f"/v1/payments/cards/{card['id']}")


def make_default(merchant, card, api=None):
    return (api or merchant.api).post(f"/v1/payments/cards/{card['id']}/default")


def test_a_deleted_card_is_inactive_at_once_and_detached_at_stripe(shop, stub_stripe):
    card = saved(shop)
    assert delete(shop, card).json == {"success": True}
    refused(delete(shop, card), 404, "NOT_FOUND")
    refused(charge(shop, card), 404, "NOT_FOUND")
    refused(make_default(shop, card), 404, "NOT_FOUND")
    call = stub_stripe.wait_for(*DETACH)[0]
    assert call.header("Idempotency-Key") == f"det_{card['id']}"
    wait_until(lambda: [method["customer"] for method in stub_stripe.objects("payment_method")] == [None])


@pytest.mark.parametrize("answer", [executed(cut_after=0), Answer(503, stripe_error("api_error"))],
                         ids=["done, closed", "503"])
def test_detaching_goes_on_over_a_restart_until_it_is_done(start_shop, stub_stripe, answer):
    shop = start_shop()
    card = saved(shop)
    stub_stripe.answer_always(*DETACH, answer)
    assert delete(shop, card).status == 200
    stub_stripe.wait_for(*DETACH)
    shop.server.kill()
    stub_stripe.behave()
    shop.server.start()
    wait_until(lambda: [method["customer"] for method in stub_stripe.objects("payment_method")] == [None])
    refused(delete(shop, card), 404, "NOT_FOUND")


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_fault_that_stripe_stored_for_a_detach_does_not_leave_the_card_attached(shop, stub_stripe, done):
    card = saved(shop)
    method, = stub_stripe.objects("payment_method")
    customer = method["customer"]

    def stored(_):
        account = stub_stripe.model.accounts[shop.stripe_key]
        key, (asked, _, _) = list(account.replies.items())[-1]
        account.replies[key] = asked, 500, json.dumps(stripe_error("api_error"))
        method["customer"] = None if done else customer
        return Answer(500, stripe_error("api_error"))
    stub_stripe.answer_next(*DETACH, stored)
    assert delete(shop, card).status == 200
    stub_stripe.wait_for("GET", f"/v1/payment_methods/{method['id']}")
    wait_until(lambda: method["customer"] is None)
    wait_until(lambda: b"\npayments_operations_in_flight 0\n" in shop.server.api().get("/metrics").body)
    assert len({call.header("Idempotency-Key") for call in stub_stripe.calls(*DETACH)}) == (1 if done else 2)


def test_a_method_that_is_detached_already_is_not_asked_for_again(shop, stub_stripe):
    card = saved(shop)
    stub_stripe.answer_next(*DETACH, Answer(400, stripe_error(message="It is not attached.")))
    assert delete(shop, card).status == 200
    stub_stripe.wait_for(*DETACH)
    shop.server.restart()
    saved(shop)
    assert len(stub_stripe.calls(*DETACH)) == 1


def test_a_deleted_method_can_be_saved_again(shop, stub_stripe):
    method = new_method(shop, stub_stripe)
    card = saved(shop, method)
    delete(shop, card)
    stub_stripe.wait_for(*DETACH)
    again = saved(shop, method)
    assert again["id"] != card["id"] and again["is_default"]


def test_the_newest_of_the_rest_becomes_the_default(shop):
    first, second, third = (saved(shop) for _ in range(3))
    assert delete(shop, second).status == 200
    assert make_default(shop, first).data["is_default"]
    assert delete(shop, first).status == 200
    assert make_default(shop, third).data == third | {"is_default": True}
    assert not saved(shop)["is_default"]


def test_making_a_card_the_default_makes_no_other_the_default(shop, stub_stripe):
    first, second = saved(shop, method := new_method(shop, stub_stripe)), saved(shop)
    assert make_default(shop, second).data == second | {"is_default": True}
    assert saved(shop, method) == first | {"is_default": False}
    elsewhere = saved(shop, email="other@example.com")
    assert elsewhere["is_default"]


def test_cards_of_others_and_of_a_mode_that_the_key_may_not_see_are_not_there(server, merchant):
    card = saved(merchant)
    other = Merchant(server)
    merchant.use_stripe("live")
    live = saved(merchant)
    test_api = merchant.client(mode="test")
    for call in (delete, make_default):
        refused(call(other, card), 404, "NOT_FOUND")
        refused(call(merchant, live, test_api), 404, "NOT_FOUND")
        refused(call(merchant, {"id": "x"}), 404, "NOT_FOUND")
    assert delete(merchant, card, test_api).status == 200 and delete(merchant, live).status == 200


# The list

def listed(merchant, query="", api=None):
    return (api or merchant.api).get(f"/v1/payments/cards{query}", expect=200).data


def test_active_cards_are_listed_newest_first(server, merchant):
    assert listed(merchant) == []
    mine = [saved(merchant, email=email) for email in ("a@example.com", "A@example.com", "b@example.com", None)]
    assert listed(merchant) == mine[::-1] and listed(Merchant(server)) == []
    assert listed(merchant, "?customer_email=a@EXAMPLE.com") == [mine[1], mine[0]]
    assert listed(merchant, "?page=2&page_size=3") == [mine[0]]
    delete(merchant, mine[0])
    assert listed(merchant)[-1] == mine[1] | {"is_default": True}
    merchant.use_stripe("live")
    live = saved(merchant)
    assert listed(merchant, "?livemode=true") == [live] and live not in listed(merchant, api=merchant.client(mode="test"))
    refused(merchant.api.get("/v1/payments/cards?brand=visa"), 422, "VALIDATION_ERROR", "brand")
