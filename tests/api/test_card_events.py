"""What Stripe tells of saved cards and their customers: a method that was detached, a customer that was deleted, a card
that its bank replaced; and a customer whose deletion is only found out when a card is to be attached to it."""
import concurrent.futures
import datetime
import threading
import uuid

import pytest
import requests

from stub_fixture import CHARGE, wait_for_status
from support.database import stored_events
from support.events import event, send_event, stripe_id
from support.http_listener import Answer
from support.meanwhile import InBackground
from support.merchant import Merchant, random_secret
from support.shape import refused
from support.stripe_model import Account, stripe_error
from support.stub import executed, lying
from support.waiting import wait_until

CUSTOMER = ("POST", "/v1/customers")
ATTACH = ("POST", "/v1/payment_methods/*/attach")
READ = ("GET", "/v1/payment_methods/*")
EMAIL = "user@example.com"
OTHER_SECRET = "whsec_of_somebody_else"


def save(merchant, method="pm_card_visa", email=EMAIL, key=None):
    """The Answer to POST /v1/payments/cards."""
    return merchant.api.post("/v1/payments/cards", {"payment_method_id": method, "customer_email": email}, idempotency_key=key)


def saved(merchant, *args, **fields):
    answer = save(merchant, *args, **fields)
    assert answer.status == 201, repr(answer)
    return answer.data


def cards_of(merchant):
    """Its active cards, newest first."""
    return merchant.api.get("/v1/payments/cards", expect=200).data


def wait_for_cards(merchant, *expected):
    wait_until(lambda: cards_of(merchant) == list(expected), what=f"the cards to be {expected}")


def charge(merchant, card):
    """The Answer to a charge of the card."""
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "saved_card_id": card["id"]}
    return merchant.api.post("/v1/payments", body, idempotency_key=f"order-{uuid.uuid4()}")


# At the sandbox, which sends its events itself

class AtStripe:
    """What the merchant itself does at Stripe, beside the service."""

    def __init__(self, sandbox, merchant):
        self.url = sandbox.url
        self.headers = {"Authorization": f"Bearer {merchant.stripe_key}"}

    def call(self, method, path, **more):
        answer = requests.request(method, self.url + path, headers=self.headers, timeout=10, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def customer(self):
        return self.call("GET", "/v1/customers?limit=1")["data"][0]["id"]

    def newest_method(self):
        return self.call("GET", f"/v1/payment_methods?customer={self.customer()}&limit=1")["data"][0]["id"]


@pytest.fixture
def at_stripe(sandbox, listening):
    return AtStripe(sandbox, listening)


def test_a_method_that_is_detached_at_stripe_is_a_card_no_more(listening, at_stripe):
    first, second, third = (saved(listening) for _ in range(3))
    third_method = at_stripe.newest_method()
    listening.api.post(f"/v1/payments/cards/{third['id']}/default", expect=200)
    at_stripe.call("POST", f"/v1/payment_methods/{third_method}/detach")
    wait_for_cards(listening, second | {"is_default": True}, first | {"is_default": False})
    refused(charge(listening, third), 404, "NOT_FOUND")
    refused(listening.api.delete(f"/v1/payments/cards/{third['id']}"), 404, "NOT_FOUND")
    assert charge(listening, second).data["status"] == "completed"


def test_the_cards_of_a_customer_that_is_deleted_at_stripe_are_no_more_and_its_e_mail_is_free(listening, at_stripe):
    cards = [saved(listening) for _ in range(2)]
    elsewhere = saved(listening, email="other@example.com")
    gone = at_stripe.call("GET", f"/v1/customers?email={EMAIL}")["data"][0]["id"]
    at_stripe.call("DELETE", f"/v1/customers/{gone}")
    wait_for_cards(listening, elsewhere)
    for card in cards:
        refused(charge(listening, card), 404, "NOT_FOUND")
    again = saved(listening)
    assert again["is_default"] and charge(listening, again).data["status"] == "completed"
    assert at_stripe.call("GET", f"/v1/customers?email={EMAIL}")["data"][0]["id"] != gone
    assert listening.api.get(f"/v1/payments/cards?customer_email={EMAIL}", expect=200).data == [again]


def test_a_card_that_its_bank_replaced_is_shown_as_it_is_now(listening, at_stripe):
    other, card = saved(listening), saved(listening)
    new = {"brand": "mastercard", "last4": "4444", "exp_month": 7, "exp_year": 2041}
    at_stripe.call("POST", f"/_sandbox/payment_methods/{at_stripe.newest_method()}/update", json=new)
    wait_for_cards(listening, card | new, other)
    assert charge(listening, card).data["status"] == "completed"


def listed(merchant, expires_soon):
    return merchant.api.get(f"/v1/payments/cards?expires_soon={expires_soon}", expect=200).data


def test_a_card_that_expires_is_told_of_and_listed(listening, at_stripe, receiver):
    listening.use_webhook(receiver.url)
    other, card = saved(listening), saved(listening)
    assert (listed(listening, "true"), listed(listening, "false")) == ([], [card, other])
    month = datetime.datetime.now(datetime.timezone.utc)
    expiry = {"exp_month": month.month, "exp_year": month.year}
    method = at_stripe.newest_method()
    at_stripe.call("POST", f"/_sandbox/payment_methods/{method}/update", json=expiry)
    told = receiver.wait_for("card.expiring").json["data"]
    assert {"id": told["id"], "exp_month": told["exp_month"], "exp_year": told["exp_year"]} == {"id": card["id"]} | expiry
    assert (listed(listening, "true"), listed(listening, "false")) == ([card | expiry], [other])
    at_stripe.call("POST", f"/_sandbox/payment_methods/{method}/update", json={"exp_year": 2041})
    wait_until(lambda: listed(listening, "true") == [], what="the card to be the one that its bank put in its place")
    assert [event["type"] for event in receiver.events()] == ["card.expiring"]


def test_what_stripe_tells_of_our_own_deletion_changes_nothing_more(listening, at_stripe):
    first, second, third = (saved(listening) for _ in range(3))
    listening.api.delete(f"/v1/payments/cards/{third['id']}", expect=200)
    wait_until(lambda: stored_events(listening.server, listening), what="the event of the detachment")
    assert cards_of(listening) == [second, first]


# Told by hand

def account_of(shop, stub):
    return stub.model.accounts.setdefault(shop.stripe_key, Account(False))


def new_method(shop, stub):
    """A method that is at Stripe already, so that attaching it does not make another."""
    card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}
    return account_of(shop, stub).add("pm_", "payment_method", type="card", card=card, metadata={}, customer=None)["id"]


def methods(stub):
    return stub.objects("payment_method")


def detached(method):
    """Detaches it; the event that tells so."""
    customer, method["customer"] = method["customer"], None
    told = event("payment_method.detached", dict(method))
    told["data"]["previous_attributes"] = {"customer": customer}
    return told


def deleted(stub, customer):
    """Deletes the customer; the event that tells so."""
    account, = (account for account in stub.model.accounts.values() if account.objects.get(customer["id"]) is customer)
    del account.objects[customer["id"]]
    for method in account.of_kind("payment_method"):
        if method["customer"] == customer["id"]:
            method["customer"] = None
    return event("customer.deleted", customer)


def replaced(method, **card):
    method["card"] = method["card"] | card
    return event("payment_method.automatically_updated", dict(method))


def tell(shop, told, secret=None, path="", expect=200):
    return send_event(shop.server, told, secret or shop.stripe_webhook_secret, path=f"/v1/webhooks/stripe{path}", expect=expect)


@pytest.mark.parametrize("path", ["", "/{id}"], ids=["for all merchants", "of the merchant"])
def test_each_event_is_found_by_stripes_id_alone_whether_the_path_names_the_merchant_or_not(shop, stub_stripe, path):
    path = path.format(id=shop.id)
    card, other = saved(shop, "pm_one"), saved(shop, "pm_two", "other@example.com")
    one, two = methods(stub_stripe)
    tell(shop, replaced(two, last4="1111"), path=path)
    wait_for_cards(shop, other := other | {"last4": "1111"}, card)
    tell(shop, detached(one), path=path)
    assert cards_of(shop) == [other]
    told = deleted(stub_stripe, stub_stripe.objects("customer")[1])
    told["data"]["object"] = told["data"]["object"] | {"metadata": {}}
    tell(shop, told, path=path)
    assert cards_of(shop) == []
    assert len(stored_events(shop.server, shop)) == 3


@pytest.mark.parametrize("path", ["", "/{id}"], ids=["for all merchants", "of the merchant"])
def test_only_the_present_signing_secret_is_believed(shop, stub_stripe, path):
    card = saved(shop)
    told = detached(methods(stub_stripe)[0])
    old, new = shop.stripe_webhook_secret, random_secret("whsec_")
    stripe_fields = {"secret_key": shop.stripe_key, "webhook_secret": new}
    shop.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": stripe_fields}, expect=200)
    tell(shop, told, old, path.format(id=shop.id), expect=400)
    assert cards_of(shop) == [card] and stored_events(shop.server, shop) == []
    tell(shop, told, new, path.format(id=shop.id))
    assert cards_of(shop) == []


def test_an_event_that_comes_again_is_recorded_and_applied_once(shop, stub_stripe):
    card, other = saved(shop, "pm_one"), saved(shop, "pm_two")
    one, two = methods(stub_stripe)
    told = replaced(one, last4="1111")
    tell(shop, told)
    wait_for_cards(shop, other, card := card | {"last4": "1111"})
    read = len(stub_stripe.calls(*READ))
    told["type"], told["data"]["object"] = "payment_method.detached", dict(two)  # under the same id, whatever it says
    for _ in range(3):
        tell(shop, told)
    assert cards_of(shop) == [other, card] and stored_events(shop.server, shop) == [told["id"]]
    assert len(stub_stripe.calls(*READ)) == read


def test_an_event_of_the_other_mode_touches_no_card(shop, stub_stripe):
    card = saved(shop)
    shop.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {
        "secret_key": random_secret("sk_live_"), "webhook_secret": shop.stripe_webhook_secret}}, expect=200)
    method, = methods(stub_stripe)
    customer, = stub_stripe.objects("customer")
    for kind, obj in (("payment_method.detached", method), ("customer.deleted", customer),
                      ("payment_method.automatically_updated", method)):
        tell(shop, event(kind, obj, livemode=True))
        tell(shop, event(kind, obj, livemode=True), path=f"/{shop.id}")
    assert cards_of(shop) == [card] and stored_events(shop.server, shop) == []


@pytest.mark.parametrize("named", [True, False], ids=["of the merchant", "for all merchants"])
def test_of_two_merchants_that_hold_the_same_stripe_id_only_the_signers_card_is_touched(shop, stub_stripe, named):
    other = Merchant(shop.server)
    other.use_stripe()
    other.stripe_key = shop.stripe_key  # one account at Stripe, and an endpoint for each
    other.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {"secret_key": shop.stripe_key}}, expect=200)
    method = new_method(shop, stub_stripe)
    mine, theirs = saved(shop, method), saved(other, method)
    told = detached(methods(stub_stripe)[0])
    for one, rest in ((other, [mine]), (shop, [])):
        tell(shop, told, one.stripe_webhook_secret, f"/{one.id}" if named else "")
        assert cards_of(one) == [] and cards_of(shop) == rest
    assert stored_events(shop.server, shop) == stored_events(shop.server, other) == [told["id"]]
    assert theirs["id"] != mine["id"]


def test_another_merchant_cannot_speak_of_a_card_that_it_does_not_hold(shop, stub_stripe):
    card = saved(shop)
    other = Merchant(shop.server)
    other.use_stripe()
    told = [event("payment_method.detached", methods(stub_stripe)[0]),
            event("customer.deleted", stub_stripe.objects("customer")[0])]
    for one in told:
        tell(shop, one, other.stripe_webhook_secret)
        tell(shop, one, other.stripe_webhook_secret, f"/{other.id}")
    assert cards_of(shop) == [card]
    assert stored_events(shop.server, other) == []


def test_events_about_no_card_of_ours_are_forgotten(shop, stub_stripe):
    card = saved(shop)
    customer, = stub_stripe.objects("customer")
    for obj in ({"id": stripe_id("pm_"), "customer": customer["id"]}, {"id": stripe_id("pm_"), "customer": None}, {"id": None}):
        for kind in ("payment_method.detached", "payment_method.automatically_updated"):
            tell(shop, event(kind, obj))
    tell(shop, event("customer.deleted", {"id": stripe_id("cus_"), "metadata": customer["metadata"]}))
    assert cards_of(shop) == [card] and stored_events(shop.server, shop) == []


@pytest.mark.parametrize("kind", ["refund.failed", "charge.dispute.created"])
def test_an_event_about_a_payment_is_found_by_its_intents_id_alone(shop, stub_stripe, kind):
    payment = shop.pay()
    tell(shop, event(kind, {"id": stripe_id("re_"), "payment_intent": payment["provider_ref"], "amount": 100, "currency": "usd",
                            "status": "failed", "metadata": {}}))
    assert len(stored_events(shop.server, shop)) == 1


def test_a_refund_is_found_by_its_own_id_alone(shop, stub_stripe):
    shop.refund(shop.pay(), "4.00")
    refund, = stub_stripe.objects("refund")
    for path in ("", f"/{shop.id}"):
        tell(shop, event("refund.updated", {"id": refund["id"], "status": "succeeded"}), OTHER_SECRET, path, expect=400)
        tell(shop, event("refund.updated", {"id": refund["id"], "status": "succeeded"}), path=path)


# What Stripe says of a replaced card is read

def test_of_several_updates_in_any_order_the_card_as_it_is_at_stripe_counts(shop, stub_stripe):
    card = saved(shop)
    method, = methods(stub_stripe)
    older, newer = replaced(method, last4="1111"), replaced(method, last4="2222", exp_year=2044)
    tell(shop, newer)
    wait_for_cards(shop, newest := card | {"last4": "2222", "exp_year": 2044})
    tell(shop, older)
    stub_stripe.wait_for(*READ, count=2)
    assert cards_of(shop) == [newest]


@pytest.mark.parametrize("answer", [lying(id="pm_another", customer=None, card={"last4": "6666"}),
                                    Answer(404, stripe_error(code="resource_missing"))], ids=["of another", "missing"])
def test_a_read_that_says_nothing_of_the_card_changes_nothing(shop, stub_stripe, answer):
    card = saved(shop)
    method, = methods(stub_stripe)
    stub_stripe.answer_next(*READ, answer)
    tell(shop, replaced(method, last4="1111"))
    stub_stripe.wait_for(*READ)
    assert cards_of(shop) == [card]
    tell(shop, replaced(method, exp_year=2044))
    wait_for_cards(shop, card | {"last4": "1111", "exp_year": 2044})


def test_reading_a_replaced_card_goes_on_over_a_restart(start_shop, stub_stripe):
    shop = start_shop(stripe_timeout="30s")
    card = saved(shop)
    stub_stripe.answer_next(*READ, executed(hang=True))
    tell(shop, replaced(methods(stub_stripe)[0], last4="1111"))
    stub_stripe.wait_for(*READ)
    shop.server.kill()
    shop.server.start()
    wait_for_cards(shop, card | {"last4": "1111"})


# While a card is being saved

@pytest.mark.parametrize("is_named", [True, False], ids=["by the id that was sent", "by another id"])
def test_a_method_that_is_detached_before_we_know_that_it_was_attached_is_no_card(shop, stub_stripe, is_named):
    method = new_method(shop, stub_stripe) if is_named else "pm_card_visa"
    gate = threading.Event()
    stub_stripe.answer_next(*ATTACH, executed(gate=gate))
    saving = InBackground(save, shop, method)
    stub_stripe.wait_for(*ATTACH)
    tell(shop, detached(methods(stub_stripe)[0]))
    gate.set()
    card = saving.result().data
    wait_for_cards(shop)
    refused(charge(shop, card), 404, "NOT_FOUND")


def test_a_card_that_is_replaced_before_we_know_that_it_was_attached_is_shown_as_it_is_now(shop, stub_stripe):
    gate = threading.Event()
    stub_stripe.answer_next(*ATTACH, executed(gate=gate))
    saving = InBackground(save, shop)
    stub_stripe.wait_for(*ATTACH)
    tell(shop, replaced(methods(stub_stripe)[0], last4="1111"))
    gate.set()
    wait_for_cards(shop, saving.result().data | {"last4": "1111"})


def test_a_customer_that_is_deleted_before_we_know_that_a_card_was_attached_has_no_card(shop, stub_stripe):
    gate = threading.Event()
    stub_stripe.answer_next(*ATTACH, executed(gate=gate))
    saving = InBackground(save, shop)
    stub_stripe.wait_for(*ATTACH)
    tell(shop, deleted(stub_stripe, stub_stripe.objects("customer")[0]))
    gate.set()
    answer = refused(saving.result(), 422, "PROVIDER_REJECTED")
    assert answer.errors[0]["message"].startswith("customer_deleted: ")
    assert cards_of(shop) == []
    assert saved(shop)["is_default"] and len(stub_stripe.objects("customer")) == 1


def test_a_customer_that_is_deleted_before_we_know_its_id_is_made_anew(shop, stub_stripe):
    gate = threading.Event()
    stub_stripe.answer_next(*CUSTOMER, executed(gate=gate))
    saving = InBackground(save, shop)
    stub_stripe.wait_for(*CUSTOMER)
    told = deleted(stub_stripe, stub_stripe.objects("customer")[0])
    tell(shop, told)
    assert stored_events(shop.server, shop) == [told["id"]]
    gate.set()
    assert saving.result().status == 201
    customer, = stub_stripe.objects("customer")
    assert customer["id"] != told["data"]["object"]["id"] and methods(stub_stripe)[0]["customer"] == customer["id"]


# A customer of whose deletion nothing told

def lose_customer(stub):
    customer, = stub.objects("customer")
    deleted(stub, customer)
    return customer


def test_a_card_is_saved_for_a_new_customer_where_stripe_has_the_one_we_know_no_more(shop, stub_stripe):
    card = saved(shop, "pm_one")
    lost = lose_customer(stub_stripe)
    again = saved(shop, "pm_two", key="save-1")
    assert again["is_default"] and cards_of(shop) == [again]
    refused(charge(shop, card), 404, "NOT_FOUND")
    customer, = stub_stripe.objects("customer")
    assert customer["id"] != lost["id"] and customer["metadata"]["customer_id"] != lost["metadata"]["customer_id"]
    assert charge(shop, again).data["status"] == "completed"
    assert stub_stripe.calls(*CHARGE)[-1].form["customer"] == customer["id"]
    assert not saved(shop, "pm_three")["is_default"] and len(stub_stripe.calls(*CUSTOMER)) == 2


def test_however_many_cards_find_out_at_once_there_is_one_new_customer(shop, stub_stripe):
    saved(shop, "pm_first")
    lose_customer(stub_stripe)
    stub_stripe.answer_always(*ATTACH, executed(delay_s=0.1))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        cards = list(pool.map(lambda number: saved(shop, f"pm_race{number}"), range(8)))
    assert len({card["id"] for card in cards}) == 8 and [card["is_default"] for card in cards].count(True) == 1
    assert len(stub_stripe.objects("customer")) == 1


@pytest.mark.parametrize("step", [ATTACH, CUSTOMER], ids=["the refusal", "the new customer"])
def test_a_crash_on_the_way_to_the_new_customer_makes_no_second_one(start_shop, stub_stripe, step):
    shop = start_shop(stripe_timeout="30s")
    saved(shop, "pm_one")
    lose_customer(stub_stripe)
    before = len(stub_stripe.calls(*step))
    stub_stripe.answer_next(*step, executed(hang=True))
    saving = InBackground(save, shop, "pm_two", key="save-1")
    stub_stripe.wait_for(*step, count=before + 1)
    shop.server.kill()
    with pytest.raises(OSError):
        saving.result()
    shop.server.start()
    assert save(shop, "pm_two", key="save-1").data["is_default"]
    assert len(stub_stripe.objects("customer")) == 1


def test_a_customer_that_is_missing_as_soon_as_it_is_made_is_not_made_for_ever(shop, stub_stripe):
    stub_stripe.answer_always(*CUSTOMER, lying(id=lambda _: stripe_id("cus_")))
    refused(save(shop, "pm_one"), 422, "PROVIDER_REJECTED")
    assert len(stub_stripe.calls(*CUSTOMER)) == 1
    stub_stripe.behave()
    assert saved(shop, "pm_one")["is_default"]


def move(merchant, secret_key=None):
    """To another account at Stripe, or to the one of this key."""
    merchant.stripe_key = secret_key or random_secret("sk_test_")
    stripe = {"secret_key": merchant.stripe_key}
    merchant.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": stripe}, expect=200)


def test_an_e_mail_has_one_default_card_after_a_move_to_another_account(shop, stub_stripe):
    old, key = [saved(shop, "pm_one"), saved(shop, "pm_two")], shop.stripe_key
    move(shop)
    there = saved(shop, "pm_three")
    assert there["is_default"] and cards_of(shop) == [there]
    assert shop.api.get(f"/v1/payments/cards?customer_email={EMAIL}", expect=200).data == [there]
    for card in old:
        refused(charge(shop, card), 404, "NOT_FOUND")
        refused(shop.api.post(f"/v1/payments/cards/{card['id']}/default"), 404, "NOT_FOUND")
    move(shop, key)
    back = saved(shop, "pm_four")
    assert back["is_default"] and cards_of(shop) == [back]


def test_a_charge_finds_out_that_a_card_is_of_an_account_that_is_the_merchants_no_more(merchant):
    cards, elsewhere = [saved(merchant), saved(merchant)], saved(merchant, email="other@example.com")
    move(merchant)
    failed = charge(merchant, cards[0]).data
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "resource_missing")
    assert cards_of(merchant) == [elsewhere]
    for card in cards:
        refused(charge(merchant, card), 404, "NOT_FOUND")
    there = saved(merchant)
    assert there["is_default"] and charge(merchant, there).data["status"] == "completed"


def test_a_new_key_of_the_same_account_costs_no_card(listening, at_stripe):
    card = saved(listening)
    move(listening, listening.stripe_key)
    again = saved(listening)
    assert cards_of(listening) == [again, card] and not again["is_default"]
    assert charge(listening, card).data["status"] == "completed"


def test_what_the_former_accounts_key_does_not_see_is_no_less_the_present_ones(shop, stub_stripe):
    """A save that was begun before the move is tried again with the key that it was begun with."""
    saved(shop, "pm_one")
    stub_stripe.answer_next(*ATTACH, Answer(hang=True))
    before = len(stub_stripe.calls(*ATTACH))
    late = InBackground(save, shop, "pm_late", key="late-1")
    stub_stripe.wait_for(*ATTACH, count=before + 1)
    move(shop)
    there = saved(shop, "pm_two")
    refused(late.result(), 422, "PROVIDER_REJECTED")
    assert cards_of(shop) == [there] and charge(shop, there).data["status"] == "completed"


# Charges under way

def test_a_charge_that_was_prepared_before_its_card_went_finishes(shop, stub_stripe):
    card = saved(shop)
    gate = threading.Event()
    stub_stripe.answer_next(*CHARGE, executed(gate=gate))
    paying = InBackground(charge, shop, card)
    stub_stripe.wait_for(*CHARGE)
    tell(shop, detached(methods(stub_stripe)[0]))
    refused(charge(shop, card), 404, "NOT_FOUND")
    gate.set()
    assert (paying.result().data["status"], paying.result().data["saved_card_id"]) == ("completed", card["id"])


def test_a_charge_of_unknown_outcome_is_sent_again_though_its_card_went(start_shop, stub_stripe):
    shop = start_shop(patience="300ms")
    card = saved(shop)
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    payment = charge(shop, card).data
    assert payment["status"] == "pending"
    shop.api.delete(f"/v1/payments/cards/{card['id']}", expect=200)
    stub_stripe.behave()
    wait_for_status(shop, payment, "completed")
    assert stub_stripe.charged_minor(payment["id"]) == 1000


def test_a_deleted_card_is_detached_when_its_open_charge_can_no_longer_be_sent(start_shop, stub_stripe):
    shop = start_shop(patience="300ms", charge_window="4s")
    card = saved(shop)
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    payment = charge(shop, card).data
    shop.api.delete(f"/v1/payments/cards/{card['id']}", expect=200)
    stub_stripe.behave()
    wait_for_status(shop, payment, "completed")
    stub_stripe.wait_for("POST", "/v1/payment_methods/*/detach")
    paths = [request.path for request in stub_stripe.requests]
    charges = [i for i, path in enumerate(paths) if path == CHARGE[1]]
    detachings = [i for i, path in enumerate(paths) if path.endswith("/detach")]
    assert len(charges) > 1 and charges[-1] < detachings[0]

