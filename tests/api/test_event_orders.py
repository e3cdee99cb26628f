"""Stripe's events about one payment, shuffled, some of them twice and at once, on either path, signed with a secret that
replaced another, before and after our own answer. The end is always Stripe's state, and each change is sent to the merchant
once."""
import collections
import random
import threading

import pytest

from stub_fixture import CHARGE, pay
from support.database import history, stored_events
from support.events import charge_of, dispute_of, event, intent_of, send_event, stripe_id
from support.background import InBackground
from support.merchant import random_secret
from support.stripe_model import AUTHENTICATE
from support.stub import executed
from support.waiting import wait_until

DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": "Declined."}
ORDERS = range(8)


@pytest.fixture
def shop(start_shop, receiver):
    """Its signing secret was replaced, and Stripe keys are the first ones still."""
    shop = start_shop()
    shop.use_webhook(receiver.url)
    shop.stripe_webhook_secret = random_secret("whsec_")
    shop.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {
        "secret_key": shop.stripe_key, "webhook_secret": shop.stripe_webhook_secret}}, expect=200)
    return shop


def tell(shop, rng, told):
    """Sends events one after the other, each up to three times, at once and on either path."""
    for event_type, obj in told:
        sent = event(event_type, obj)
        paths = rng.choices(["/v1/webhooks/stripe", f"/v1/webhooks/stripe/{shop.id}"], k=rng.randint(1, 3))
        for sending in [InBackground(send_event, shop.server, sent, shop.stripe_webhook_secret, path=path) for path in paths]:
            assert sending.result().status == 200


def change_intent(shop, stub, payment, **fields):
    """The payment's intent as Stripe holds it, changed."""
    intent = stub.model.accounts[shop.stripe_key].objects[payment["provider_ref"]]
    intent |= fields
    return intent


def told_of(shop, receiver, payment):
    """How often each event about the payment was sent to the merchant, once all of them were."""
    def all_delivered():
        logs = shop.api.get("/v1/webhooks/logs", query={"transaction_id": payment["id"]}, expect=200).data
        return all(item["status"] == "delivered" for item in logs)
    wait_until(all_delivered, what="the webhooks to be delivered")
    return collections.Counter(sent["type"] for sent in receiver.events() if sent["data"]["payment_id"] == payment["id"])


def wait_for(shop, payment, **fields):
    return wait_until(lambda: (now := shop.payment(payment["id"])).items() >= fields.items() and now,
                      what=f"{shop.payment(payment['id'])} to have {fields}")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("before_our_answer", [False, True], ids=["after our answer", "before and after our answer"])
def test_a_payment_that_is_paid_refunded_in_part_and_disputed(shop, stub_stripe, receiver, order, before_our_answer):
    rng, gate = random.Random(order), threading.Event()
    if before_our_answer:
        stub_stripe.answer_next(*CHARGE, executed(gate=gate))
    paying = InBackground(pay, shop, payment_method=AUTHENTICATE, return_url="https://shop.example/return")
    stub_stripe.wait_for(*CHARGE)
    found, = wait_until(lambda: stub_stripe.objects("payment_intent"))
    payment = {"id": found["metadata"]["payment_id"], "merchant_id": shop.id, "amount": "10.00", "currency": "USD",
               "provider_ref": found["id"], "livemode": False}
    if not before_our_answer:
        paying.result()
    change_intent(shop, stub_stripe, payment, status="succeeded", amount_received=1000, next_action=None)
    refund = stub_stripe.model.accounts[shop.stripe_key].add(
        "re_", "refund", amount=400, currency="usd", status="succeeded", payment_intent=found["id"],
        charge=found["latest_charge"], reason=None, metadata={}, failure_reason=None)
    dispute_id = stripe_id("dp_")
    told = [
        ("payment_intent.requires_action", intent_of(payment, "requires_action")),
        ("payment_intent.processing", intent_of(payment, "processing")),
        ("payment_intent.payment_failed", intent_of(payment, "requires_payment_method", last_payment_error=DECLINED)),
        ("payment_intent.succeeded", intent_of(payment)),
        ("charge.refunded", charge_of(payment, 400, id=found["latest_charge"])),
        ("refund.created", dict(refund)), ("refund.updated", dict(refund)), ("charge.refund.updated", dict(refund)),
        ("charge.dispute.created", dispute_of(payment, "needs_response", id=dispute_id)),
        ("charge.dispute.updated", dispute_of(payment, "under_review", id=dispute_id)),
        ("charge.dispute.closed", dispute_of(payment, "lost", id=dispute_id)),
    ]
    rng.shuffle(told)
    # A dispute names nothing of ours: it is known by the intent alone, once that is. So is a refund made at Stripe's
    # dashboard, but its charge tells of it too.
    early = [one for one in told[:rng.randrange(len(told))] if "dispute" not in one[0]] if before_our_answer else []
    tell(shop, rng, early)
    gate.set()
    assert paying.result().status == 201
    tell(shop, rng, [one for one in told if one not in early])
    wait_for(shop, payment, status="completed", amount_captured="10.00", amount_refunded="4.00", next_action=None, failure=None)
    listed, = shop.api.get("/v1/refunds", query={"payment_id": payment["id"]}, expect=200).data
    assert (listed["status"], listed["amount"], listed["provider_ref"]) == ("completed", "4.00", refund["id"])
    disputed, = shop.api.get("/v1/disputes", query={"payment_id": payment["id"]}, expect=200).data
    assert (disputed["provider_ref"], disputed["amount"]) == (dispute_id, "10.00")
    counts = told_of(shop, receiver, payment)
    assert counts.pop("payment.failed", 0) <= 1
    assert counts == {"payment.completed": 1, "payment.refunded": 1, "payment.disputed": 1, "payment.dispute_closed": 1}
    assert before_our_answer or len(stored_events(shop.server, shop)) == len(told)
    causes = collections.Counter((what, ref) for what, cause, ref in history(shop.server, payment) if cause == "event")
    assert max(causes.values()) == 1, "an event is applied once"


@pytest.mark.parametrize("order", ORDERS)
def test_an_authorisation_that_is_canceled_stays_canceled(shop, stub_stripe, receiver, order):
    rng = random.Random(order)
    payment = shop.pay(payment_method=AUTHENTICATE, capture_method="manual")
    change_intent(shop, stub_stripe, payment, status="canceled", amount_capturable=0, next_action=None)
    told = [
        ("payment_intent.requires_action", intent_of(payment, "requires_action")),
        ("payment_intent.amount_capturable_updated", intent_of(payment, "requires_capture")),
        ("payment_intent.canceled", intent_of(payment, "canceled")),
    ]
    rng.shuffle(told)
    tell(shop, rng, told)
    ended = wait_for(shop, payment, status="failed", capturable=False, amount_captured="0.00", next_action=None)
    assert ended["failure"]["code"] == "canceled"
    counts = told_of(shop, receiver, payment)
    assert counts.pop("payment.capturable", 0) <= 1 and counts == {"payment.failed": 1}


@pytest.mark.parametrize("order", ORDERS)
def test_a_refund_that_failed_late_stays_failed(shop, stub_stripe, receiver, order):
    rng = random.Random(order)
    payment = shop.pay()
    refund = shop.refund(payment, "4.00")
    assert refund["status"] == "completed"
    held = stub_stripe.model.accounts[shop.stripe_key].objects[refund["provider_ref"]]
    before = dict(held)
    held |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    told = [
        ("refund.created", before), ("refund.updated", before), ("refund.updated", dict(held)),
        ("charge.refund.updated", dict(held)), ("refund.failed", dict(held)),
        ("charge.refunded", charge_of(payment, 400)),
    ]
    rng.shuffle(told)
    tell(shop, rng, told)
    wait_for(shop, payment, status="completed", amount_refunded="0.00")
    ended = shop.api.get(f"/v1/refunds/{refund['id']}", expect=200).data
    assert (ended["status"], ended["failure"]["code"]) == ("failed", "lost_or_stolen_card")
    assert told_of(shop, receiver, payment) == {"payment.completed": 1, "payment.refunded": 1, "refund.failed": 1}


@pytest.mark.parametrize("told_last", ["created", "failed"])
def test_a_refund_at_the_dashboard_in_place_of_one_that_failed_is_taken_over_in_either_order(
        shop, stub_stripe, receiver, told_last):
    payment = shop.pay()
    failed = shop.refund(payment)
    account = stub_stripe.model.accounts[shop.stripe_key]
    held = account.objects[failed["provider_ref"]]
    held |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    made = account.add("re_", "refund", amount=1000, currency="usd", status="succeeded", failure_reason=None, reason=None,
                       payment_intent=payment["provider_ref"], charge=held["charge"], metadata={})
    told = [("refund.created", dict(made)), ("refund.failed", dict(held))]
    tell(shop, random.Random(0), told if told_last == "failed" else told[::-1])
    wait_for(shop, payment, status="refunded", amount_refunded="10.00")
    listed = shop.api.get("/v1/refunds", query={"payment_id": payment["id"]}, expect=200).data
    assert {(one["provider_ref"], one["status"]) for one in listed} == {(made["id"], "completed"), (held["id"], "failed")}
    assert told_of(shop, receiver, payment) == {"payment.completed": 1, "payment.refunded": 2, "refund.failed": 1}


def test_a_failed_refund_leaves_its_amount_to_an_older_one_in_the_list(shop, stub_stripe):
    payment = shop.pay()
    account = stub_stripe.model.accounts[shop.stripe_key]
    made = account.add("re_", "refund", amount=0, currency="usd", status="pending", failure_reason=None, reason=None,
                       payment_intent=payment["provider_ref"], charge=stripe_id("ch_"), metadata={})
    failed = shop.refund(payment)
    account.objects[failed["provider_ref"]] |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    made |= {"status": "succeeded", "amount": 1000}
    tell(shop, random.Random(0), [("charge.refunded", charge_of(payment, 1000))])
    wait_until(lambda: {(one["provider_ref"], one["status"]) for one in shop.api.get(
        "/v1/refunds", query={"payment_id": payment["id"]}, expect=200).data} ==
        {(made["id"], "completed"), (failed["provider_ref"], "failed")}, what="both refunds to be as they are at Stripe")
    assert shop.payment(payment["id"])["amount_refunded"] == "10.00"
