"""Stripe's events about payments: each is recorded once and applied once, in whatever order they come, and a status never
goes backwards. The service's Stripe is the stub, which sends no events by itself."""
import itertools
import threading
import uuid

import pytest

from stub_fixture import CHARGE, pay, pay_later, wait_for_status
from support.database import history, stored_events
from support.events import charge_of, intent_of
from support.http_listener import Answer
from support.background import InBackground
from support.stripe_model import AUTHENTICATE
from support.stub import executed
from support.waiting import wait_until
from webhooks_in_fixture import DECLINED, change_intent, refund_at_stripe, tell

LEGAL = {
    "pending": {"pending", "completed", "failed"},
    "failed": {"failed", "completed"},
    "completed": {"completed", "refunded"},
    "refunded": {"refunded"},
}


# The effect of each event

def test_a_succeeded_intent_completes_its_payment(shop, pending, receiver):
    shop.use_webhook(receiver.url)
    tell(shop, "payment_intent.succeeded", intent_of(pending))
    completed = shop.payment(pending["id"])
    assert (completed["status"], completed["amount_captured"], completed["next_action"]) == ("completed", "10.00", None)
    assert receiver.wait_for("payment.completed").json["data"]["id"] == pending["id"]


def test_a_failed_intent_fails_its_payment_and_says_why(shop, pending, receiver):
    shop.use_webhook(receiver.url)
    tell(shop, "payment_intent.payment_failed",
         intent_of(pending, "requires_payment_method", last_payment_error=DECLINED))
    failed = shop.payment(pending["id"])
    assert failed["status"] == "failed" and failed["next_action"] is None
    assert failed["failure"] == {"code": "card_declined", "decline_code": "insufficient_funds",
                                 "message": "Your card has insufficient funds."}
    assert receiver.wait_for("payment.failed").json["data"]["failure"] == failed["failure"]


def test_a_canceled_intent_fails_its_payment(shop, pending):
    tell(shop, "payment_intent.canceled", intent_of(pending, "canceled"))
    failed = shop.payment(pending["id"])
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "canceled")


def test_an_authorised_intent_makes_its_payment_capturable(shop, receiver):
    shop.use_webhook(receiver.url)
    payment = pay_later(shop, capture_method="manual")
    tell(shop, "payment_intent.amount_capturable_updated", intent_of(payment, "requires_capture"))
    authorised = shop.payment(payment["id"])
    assert (authorised["status"], authorised["capturable"], authorised["next_action"]) == ("pending", True, None)
    tell(shop, "payment_intent.succeeded", intent_of(payment, amount_received=600))
    captured = shop.payment(payment["id"])
    assert (captured["status"], captured["capturable"], captured["amount_captured"]) == ("completed", False, "6.00")
    receiver.wait_for("payment.completed")
    assert [told["type"] for told in receiver.events()] == ["payment.capturable", "payment.completed"]


@pytest.mark.parametrize("status", ["processing", "requires_action"])
def test_an_intent_that_is_not_finished_leaves_its_payment_pending(shop, pending, status):
    tell(shop, f"payment_intent.{status}", intent_of(pending, status))
    assert shop.payment(pending["id"])["status"] == "pending"


def test_a_wholly_refunded_charge_makes_its_payment_refunded(shop, stub_stripe, receiver):
    shop.use_webhook(receiver.url)
    payment = shop.pay()
    tell(shop, "charge.refunded", refund_at_stripe(stub_stripe, shop, payment, 1000))
    refunded = wait_for_status(shop, payment, "refunded")
    assert (refunded["amount_captured"], refunded["amount_refunded"]) == ("10.00", "10.00")
    assert receiver.wait_for("payment.refunded").json["data"]["status"] == "refunded"


def test_a_charge_refunded_in_part_leaves_its_payment_completed(shop, stub_stripe):
    payment = shop.pay()
    tell(shop, "charge.refunded", refund_at_stripe(stub_stripe, shop, payment, 400))
    wait_until(lambda: shop.payment(payment["id"])["amount_refunded"] == "4.00", what="the refund to be taken over")
    assert shop.payment(payment["id"])["status"] == "completed"
    tell(shop, "charge.refunded", refund_at_stripe(stub_stripe, shop, payment, 600))
    assert wait_for_status(shop, payment, "refunded")["amount_refunded"] == "10.00"


def test_a_whole_refund_that_the_list_shows_late_may_still_fail(shop, stub_stripe):
    payment = shop.pay()
    charge = refund_at_stripe(stub_stripe, shop, payment, 1000)
    stub_stripe.answer_next("GET", "/v1/refunds", Answer(200, {"object": "list", "data": [], "has_more": False}))
    tell(shop, "charge.refunded", charge)
    wait_for_status(shop, payment, "refunded")
    at_stripe_refund, = stub_stripe.objects("refund")
    tell(shop, "refund.created", at_stripe_refund)
    assert shop.payment(payment["id"])["amount_refunded"] == "10.00"
    at_stripe_refund |= {"status": "failed", "failure_reason": "declined"}
    tell(shop, "refund.failed", at_stripe_refund)
    wait_for_status(shop, payment, "completed")
    refund, = shop.api.get(f"/v1/refunds?payment_id={payment['id']}", expect=200).data
    assert (refund["status"], refund["provider_ref"]) == ("failed", at_stripe_refund["id"])


def test_a_refund_whose_event_comes_while_the_list_is_read_is_not_lost(start_shop, stub_stripe):
    shop = start_shop(stripe_timeout="10s")
    payment = shop.pay()
    gate = threading.Event()
    stub_stripe.answer_next("GET", "/v1/refunds", executed(gate=gate))  # what it lists is settled now
    tell(shop, "charge.refunded", refund_at_stripe(stub_stripe, shop, payment, 400))
    stub_stripe.wait_for("GET", "/v1/refunds")
    tell(shop, "charge.refunded", refund_at_stripe(stub_stripe, shop, payment, 300))
    gate.set()
    wait_until(lambda: shop.payment(payment["id"])["amount_refunded"] == "7.00", what="both refunds to be there")


def test_a_refund_completes_a_payment_that_was_not_known_to_be_made(shop, stub_stripe, pending, receiver):
    shop.use_webhook(receiver.url)
    tell(shop, "charge.refunded", refund_at_stripe(stub_stripe, shop, pending, 1000))
    wait_for_status(shop, pending, "refunded")
    receiver.wait_for("payment.refunded")
    assert [told["type"] for told in receiver.events()] == ["payment.completed", "payment.refunded"]


def test_an_intent_that_succeeds_after_it_failed_completes_its_payment(shop, pending, receiver):
    shop.use_webhook(receiver.url)
    tell(shop, "payment_intent.payment_failed",
         intent_of(pending, "requires_payment_method", last_payment_error=DECLINED))
    tell(shop, "payment_intent.succeeded", intent_of(pending))
    completed = shop.payment(pending["id"])
    assert (completed["status"], completed["failure"]) == ("completed", None)
    receiver.wait_for("payment.completed")
    assert [told["type"] for told in receiver.events()] == ["payment.failed", "payment.completed"]


@pytest.mark.parametrize("event_type", ["payment_intent.created", "charge.succeeded", "invoice.paid", "a.new.one"])
def test_an_event_of_another_type_changes_nothing(shop, pending, event_type):
    obj = intent_of(pending) if event_type != "charge.succeeded" else charge_of(pending, 0)
    tell(shop, event_type, obj)
    assert shop.payment(pending["id"]) == pending
    assert stored_events(shop.server, shop) == []


def test_events_about_nothing_of_ours_are_not_kept(shop):
    for number in range(5):
        tell(shop, "customer.created", {"id": f"cus_{number}", "object": "customer", "livemode": False})
        tell(shop, "payment_intent.succeeded", {"id": f"pi_{number}", "object": "payment_intent", "amount": 1,
                                                "amount_received": 1, "currency": "usd", "status": "succeeded"})
    assert stored_events(shop.server, shop) == []


def test_an_event_about_a_payment_that_is_not_there_yet_is_kept(shop, pending):
    to_come = pending | {"id": str(uuid.uuid4()), "provider_ref": None}
    tell(shop, "payment_intent.succeeded", intent_of(to_come), event_id="evt_early")
    assert stored_events(shop.server, shop) == ["evt_early"]


# Once

def test_an_event_that_comes_again_changes_nothing(shop, pending, receiver):
    shop.use_webhook(receiver.url)
    for _ in range(3):
        tell(shop, "payment_intent.succeeded", intent_of(pending), event_id="evt_1")
    # Not even where it says something else by then.
    tell(shop, "payment_intent.succeeded", intent_of(pay_later(shop)), event_id="evt_1")
    assert stored_events(shop.server, shop) == ["evt_1"]
    assert [line[0] for line in history(shop.server, pending)].count("completed") == 1
    shop.pay(idempotency_key="last")
    receiver.wait_for(lambda delivery: delivery.json["data"]["idempotency_key"] == "last")
    assert len(receiver.deliveries) == 2


def test_the_first_of_two_events_under_one_id_counts(shop, pending):
    tell(shop, "payment_intent.payment_failed",
         intent_of(pending, "requires_payment_method", last_payment_error=DECLINED), event_id="evt_1")
    tell(shop, "payment_intent.succeeded", intent_of(pending), event_id="evt_1")
    assert shop.payment(pending["id"])["status"] == "failed"


def test_an_event_that_comes_sixteen_times_at_once_is_applied_once(shop, pending, receiver):
    shop.use_webhook(receiver.url)
    said = intent_of(pending)
    start = threading.Barrier(16)

    def send():
        start.wait()
        return tell(shop, "payment_intent.succeeded", said, event_id="evt_1").status

    assert [sending.result() for sending in [InBackground(send) for _ in range(16)]] == [200] * 16
    assert [line[0] for line in history(shop.server, pending)].count("completed") == 1
    receiver.wait_for("payment.completed")
    tell(shop, "payment_intent.succeeded", said)  # and under another id it is no news
    shop.pay(idempotency_key="last")
    receiver.wait_for(lambda delivery: delivery.json["data"]["idempotency_key"] == "last")
    assert len(receiver.deliveries) == 2


# Any order

def story(shop, stub, names):
    """A payment with the objects that its events would show, by short names."""
    payment = pay_later(shop)
    said = {
        "requires_action": ("payment_intent.requires_action", intent_of(payment, "requires_action")),
        "processing": ("payment_intent.processing", intent_of(payment, "processing")),
        "failed": ("payment_intent.payment_failed",
                   intent_of(payment, "requires_payment_method", last_payment_error=DECLINED)),
        "succeeded": ("payment_intent.succeeded", intent_of(payment)),
        "refunded": ("charge.refunded", charge_of(payment, 1000)),
    }
    change_intent(stub, payment, status="succeeded", amount_received=1000)
    if "refunded" in names:
        refund_at_stripe(stub, shop, payment, 1000)
    return payment, said


@pytest.mark.parametrize("names, end", [
    (("requires_action", "processing", "succeeded", "refunded"), "refunded"),
    (("requires_action", "failed", "processing", "succeeded"), "completed"),
    (("failed", "succeeded", "refunded"), "refunded"),
], ids=["refunded", "completed", "failed on the way"])
def test_a_status_never_goes_backwards_in_any_order_of_events(shop, stub_stripe, names, end):
    for order in itertools.permutations(names):
        payment, said = story(shop, stub_stripe, names)
        status = "pending"
        for name in order:
            tell(shop, *said[name])
            now = shop.payment(payment["id"])["status"]
            made_known = name == "refunded" and now in ("completed", "refunded")  # a refund tells of the payment too
            assert now in LEGAL[status] or made_known, f"{status} became {now} at {name} of {order}"
            status = now
        assert wait_for_status(shop, payment, end)["amount_captured"] == "10.00", order


# At the same time as our own call

def test_an_event_that_comes_before_our_own_answer_is_applied_at_once(shop, stub_stripe, receiver):
    shop.use_webhook(receiver.url)
    gate = threading.Event()
    stub_stripe.answer_next(*CHARGE, executed(gate=gate))
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    intent, = stub_stripe.objects("payment_intent")
    tell(shop, "payment_intent.succeeded", intent)
    known = shop.payment(intent["metadata"]["payment_id"])
    assert (known["status"], known["provider_ref"], paying.over) == ("completed", intent["id"], False)
    gate.set()
    assert paying.result().data == known
    shop.pay(idempotency_key="last")
    receiver.wait_for(lambda delivery: delivery.json["data"]["idempotency_key"] == "last")
    assert [told["data"]["idempotency_key"] for told in receiver.events()] == ["order-1", "last"]


def test_our_own_answer_does_not_undo_what_a_later_event_said(shop, stub_stripe):
    gate = threading.Event()
    stub_stripe.answer_next(*CHARGE, executed(gate=gate))
    paying = InBackground(pay, shop, payment_method=AUTHENTICATE, return_url="https://shop.example/return")
    stub_stripe.wait_for(*CHARGE)
    intent, = stub_stripe.objects("payment_intent")  # the answer that is held back says requires_action
    tell(shop, "payment_intent.succeeded", intent | {"status": "succeeded", "amount_received": 1000})
    gate.set()
    answer = paying.result()
    assert (answer.data["status"], answer.data["next_action"]) == ("completed", None)


def test_a_caller_whose_patience_ends_gets_the_outcome_that_an_event_gave(start_shop, stub_stripe):
    shop = start_shop(patience="1s", stripe_timeout="1500ms")
    stub_stripe.answer_next(*CHARGE, executed(hang=True))
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    intent, = stub_stripe.objects("payment_intent")
    tell(shop, "payment_intent.succeeded", intent)
    assert paying.result().data["status"] == "completed"
