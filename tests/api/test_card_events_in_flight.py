"""Stripe's events about a card that is being saved or charged: the event of its end may come before our answer of its
beginning."""
import threading

import pytest

from cards_fixture import (ATTACH, CUSTOMER, cards_of, charge, deleted, detached, methods, new_method, replaced, save,
                           saved, tell, wait_for_cards)
from stub_fixture import CHARGE, wait_for_status
from support.database import stored_events
from support.background import InBackground
from support.shape import refused
from support.stub import executed


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


def test_a_customer_that_is_deleted_before_we_know_its_id_is_made_again(shop, stub_stripe):
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
