"""Stripe's events that leave something out or do not fit. The service reads missing fields from Stripe; it notes an event
that does not fit its payment, and does not believe it."""
import threading

import pytest

from stub_fixture import CHARGE, LIST, READ, pay, pay_in_vain, pay_later, wait_for_status
from support.database import history
from support.events import event, intent_of, send_event, stripe_id, thin_event
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import LOOKED_UP
from webhooks_in_fixture import DECLINED, change_intent, refund_at_stripe, tell


# Events that only name their object

def tell_thin(shop, *thin):
    return send_event(shop.server, thin_event(*thin), shop.stripe_webhook_secret)


@pytest.mark.parametrize("thin", [("v2.core.event_destination.ping", "ed_test_1", "v2.core.event_destination"),
                                  ("v1.invoice.paid", "in_1", "invoice"), ("v1.payment_intent.succeeded",),
                                  ("v1.payment_intent.succeeded", "pi_of_nobody", "payment_intent")])
def test_a_thin_event_about_nothing_of_ours_is_accepted(shop, thin):
    tell_thin(shop, *thin)


def test_a_thin_event_has_its_intent_read(shop, stub_stripe, pending):
    change_intent(stub_stripe, pending, status="succeeded", amount_received=1000)
    tell_thin(shop, "v1.payment_intent.succeeded", pending["provider_ref"], "payment_intent")
    assert wait_for_status(shop, pending, "completed")["amount_captured"] == "10.00"


def test_a_thin_event_about_a_refund_of_ours_has_the_refunds_read(shop, stub_stripe):
    payment = shop.pay()
    refund = shop.refund(payment, "4.00")
    at_stripe_refund, = (found for found in stub_stripe.objects("refund") if found["id"] == refund["provider_ref"])
    at_stripe_refund |= {"status": "failed", "failure_reason": "declined"}
    tell_thin(shop, "v1.refund.failed", refund["provider_ref"], "refund")
    wait_until(lambda: shop.payment(payment["id"])["amount_refunded"] == "0.00", what="the refund to fail")


@pytest.mark.parametrize("related", ["charge", "refund"])
def test_a_thin_event_about_a_refund_made_at_stripe_has_the_events_fetched(shop, stub_stripe, related):
    payment = shop.pay()
    charge = refund_at_stripe(stub_stripe, shop, payment, 400)
    told = event("charge.refunded", charge)
    stub_stripe.model.accounts[shop.stripe_key].objects[told["id"]] = told
    event_type = "v1.charge.refunded" if related == "charge" else "v1.refund.created"
    tell_thin(shop, event_type, charge["id"] if related == "charge" else stripe_id("re_"), related)
    wait_until(lambda: shop.payment(payment["id"])["amount_refunded"] == "4.00", what="the refund to be taken over")


# Events that do not fit

MISFITS = {
    "amount": {"amount": 999, "amount_received": 999},
    "received amount": {"amount_received": 1001},
    "nothing received": {"amount_received": 0},
    "currency": {"currency": "eur"},
}


@pytest.fixture
def unknown(impatient_shop, stub_stripe):
    """A payment of the impatient shop. It is not known whether Stripe has it, nor its id there."""
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["a stored 500"])
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.wait_for(*LIST)
    return payment


def test_an_unknown_payment_is_found_by_what_the_intent_carries(impatient_shop, unknown):
    intent = intent_of(unknown)
    tell(impatient_shop, "payment_intent.succeeded", intent)
    completed = impatient_shop.payment(unknown["id"])
    assert (completed["status"], completed["provider_ref"]) == ("completed", intent["id"])


@pytest.mark.parametrize("misfit", MISFITS)
def test_an_event_that_does_not_fit_an_unknown_payment_is_noted_and_not_believed(impatient_shop, unknown, misfit):
    tell(impatient_shop, "payment_intent.succeeded", intent_of(unknown, **MISFITS[misfit]), event_id="evt_1")
    assert impatient_shop.payment(unknown["id"]) == unknown
    what, cause, reference = history(impatient_shop.server, unknown)[-1]
    assert (cause, reference) == ("event", "evt_1") and "does not fit" in what
    tell(impatient_shop, "payment_intent.succeeded", intent_of(unknown))
    assert impatient_shop.payment(unknown["id"])["status"] == "completed"


@pytest.mark.parametrize("misfit", [*MISFITS, "intent"])
def test_an_event_that_does_not_fit_a_known_payment_is_noted_and_not_believed(shop, pending, misfit):
    wrong = MISFITS.get(misfit, {"id": stripe_id("pi_")})
    tell(shop, "payment_intent.succeeded", intent_of(pending, **wrong), event_id="evt_1")
    assert shop.payment(pending["id"]) == pending
    what, cause, reference = history(shop.server, pending)[-1]
    assert (cause, reference) == ("event", "evt_1") and "does not fit" in what


def test_an_intent_of_another_payment_does_not_become_this_ones(impatient_shop, unknown, stub_stripe):
    stub_stripe.behave()
    other = pay(impatient_shop, key="order-2").data
    claim = intent_of(unknown, id=other["provider_ref"])
    tell(impatient_shop, "payment_intent.canceled", claim | {"status": "canceled", "amount_received": 0})
    assert impatient_shop.payment(unknown["id"]) == unknown
    assert impatient_shop.payment(other["id"])["status"] == "completed"


# Events that leave something out

@pytest.mark.parametrize("missing", ["status", "amount", "amount_received", "currency"])
def test_a_field_that_an_event_leaves_out_is_read_from_stripe(shop, stub_stripe, pending, missing):
    intent = change_intent(stub_stripe, pending, status="succeeded", amount_received=1000)
    said = intent_of(pending)
    del said[missing]
    tell(shop, "payment_intent.succeeded", said)
    wait_for_status(shop, pending, "completed")
    read, = stub_stripe.calls(*READ)
    assert read.path.endswith(intent["id"]) and read.header("Authorization") == f"Bearer {shop.stripe_key}"


def test_an_event_that_comes_while_the_intent_is_read_has_it_read_again(start_shop, stub_stripe):
    shop = start_shop(stripe_timeout="10s")
    pending = pay_later(shop)
    gate = threading.Event()
    stub_stripe.answer_next(*READ, executed(gate=gate))  # which tells of now
    said = intent_of(pending)
    del said["amount_received"]
    tell(shop, "payment_intent.processing", said)
    stub_stripe.wait_for(*READ)
    change_intent(stub_stripe, pending, status="succeeded", amount_received=1000)
    tell(shop, "payment_intent.succeeded", said)
    gate.set()
    wait_for_status(shop, pending, "completed")


def test_an_event_that_contradicts_itself_is_read_from_stripe(shop, stub_stripe, pending):
    tell(shop, "payment_intent.succeeded", intent_of(pending, "processing"))
    stub_stripe.wait_for(*READ)
    assert shop.payment(pending["id"])["status"] == "pending"
    change_intent(stub_stripe, pending, status="requires_payment_method", last_payment_error=DECLINED)
    tell(shop, "payment_intent.succeeded", intent_of(pending, "canceled"))
    failed = wait_for_status(shop, pending, "failed")
    assert failed["failure"]["decline_code"] == "insufficient_funds"
