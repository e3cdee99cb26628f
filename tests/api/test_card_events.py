"""Stripe's events about saved cards and their customers: a method is detached, a customer is deleted, a bank replaces a
card. Stripe is asked for a replaced card as it is now."""
import datetime

import pytest

from cards_fixture import (EMAIL, cards_of, charge, deleted, detached, methods, new_method, replaced, saved, tell,
                           wait_for_cards)
from support.database import stored_events
from support.events import event, stripe_id
from support.http_listener import Answer
from support.merchant import Merchant, random_secret
from support.shape import refused
from support.stripe_model import stripe_error
from support.stub import executed, lying
from support.waiting import wait_until

READ = ("GET", "/v1/payment_methods/*")
OTHER_SECRET = "whsec_of_somebody_else"


# At the sandbox, which sends its events by itself

def test_a_method_that_is_detached_at_stripe_is_no_longer_a_card(listening, at_stripe):
    first, second, third = (saved(listening) for _ in range(3))
    third_method = at_stripe.methods()[0]
    listening.api.post(f"/v1/payments/cards/{third['id']}/default", expect=200)
    at_stripe.call("POST", f"/v1/payment_methods/{third_method}/detach")
    wait_for_cards(listening, second | {"is_default": True}, first | {"is_default": False})
    refused(charge(listening, third), 404, "NOT_FOUND")
    refused(listening.api.delete(f"/v1/payments/cards/{third['id']}"), 404, "NOT_FOUND")
    assert charge(listening, second).data["status"] == "completed"


def test_deleting_a_customer_at_stripe_removes_its_cards_and_frees_its_e_mail(listening, at_stripe):
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
    at_stripe.call("POST", f"/_sandbox/payment_methods/{at_stripe.methods()[0]}/update", json=new)
    wait_for_cards(listening, card | new, other)
    assert charge(listening, card).data["status"] == "completed"


def test_a_card_that_expires_has_its_event_and_is_listed(listening, at_stripe, receiver):
    def expiring():
        return cards_of(listening, "?expires_soon=true")
    listening.use_webhook(receiver.url)
    other, card = saved(listening), saved(listening)
    assert expiring() == [] and cards_of(listening, "?expires_soon=false") == [card, other]
    month = datetime.datetime.now(datetime.timezone.utc)
    expiry = {"exp_month": month.month, "exp_year": month.year}
    method = at_stripe.methods()[0]
    at_stripe.call("POST", f"/_sandbox/payment_methods/{method}/update", json=expiry)
    told = receiver.wait_for("card.expiring").json["data"]
    assert {"id": told["id"], "exp_month": told["exp_month"], "exp_year": told["exp_year"]} == {"id": card["id"]} | expiry
    assert expiring() == [card | expiry] and cards_of(listening, "?expires_soon=false") == [other]
    at_stripe.call("POST", f"/_sandbox/payment_methods/{method}/update", json={"exp_year": 2041})
    wait_until(lambda: expiring() == [], what="the card to be the one that its bank put in its place")
    assert [event["type"] for event in receiver.events()] == ["card.expiring"]


def test_stripes_event_about_our_own_deletion_changes_nothing(listening, at_stripe):
    first, second, third = (saved(listening) for _ in range(3))
    listening.api.delete(f"/v1/payments/cards/{third['id']}", expect=200)
    wait_until(lambda: stored_events(listening.server, listening), what="the event of the detachment")
    assert cards_of(listening) == [second, first]


# Events sent by hand

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
def test_an_event_changes_only_the_signers_card_if_two_merchants_hold_the_same_stripe_id(shop, stub_stripe, named):
    other = Merchant.with_stripe(shop.server)
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


def test_another_merchants_event_changes_no_card_that_it_does_not_have(shop, stub_stripe):
    card = saved(shop)
    other = Merchant.with_stripe(shop.server)
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


# A replaced card is read from Stripe

def test_the_card_becomes_what_it_is_at_stripe_in_whatever_order_updates_come(shop, stub_stripe):
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
