"""Customers and accounts at Stripe that are gone without an event: the service finds out when a card is saved or
charged."""
import concurrent.futures

import pytest

from cards_fixture import ATTACH, CUSTOMER, EMAIL, cards_of, charge, deleted, save, saved
from stub_fixture import CHARGE
from support.events import stripe_id
from support.http_listener import Answer
from support.background import InBackground
from support.merchant import random_secret
from support.shape import refused
from support.stub import executed, lying


# A deleted customer

def lose_customer(stub):
    customer, = stub.objects("customer")
    deleted(stub, customer)
    return customer


def test_a_card_is_saved_for_a_new_customer_if_the_known_one_is_gone_at_stripe(shop, stub_stripe):
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


def test_cards_that_find_out_at_once_make_one_new_customer(shop, stub_stripe):
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


def test_a_customer_that_is_missing_as_soon_as_it_is_made_is_not_made_again_and_again(shop, stub_stripe):
    stub_stripe.answer_always(*CUSTOMER, lying(id=lambda _: stripe_id("cus_")))
    refused(save(shop, "pm_one"), 422, "PROVIDER_REJECTED")
    assert len(stub_stripe.calls(*CUSTOMER)) == 1
    stub_stripe.behave()
    assert saved(shop, "pm_one")["is_default"]


# A move to another account

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


def test_a_charge_finds_out_that_a_card_is_of_the_merchants_former_account(merchant):
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


def test_a_refusal_under_the_former_accounts_key_costs_no_card_of_the_present_account(shop, stub_stripe):
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
