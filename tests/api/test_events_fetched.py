"""Stripe's events that were not delivered are fetched: those of a stop once the service is back, and all of them if there
is no webhook secret. Only events change a payment here: the service makes no other look-up."""
import uuid

import pytest
import stripe

from support.at_stripe import AtStripe, press
from support.database import history, is_asking_for_events, stored_events
from support.events import event
from support.http_listener import Answer
from support.merchant import Merchant
from support.stripe_model import AUTHENTICATE, Account, stripe_error
from support.waiting import wait_until

EVENTS = ("GET", "/v1/events")


def at_sandbox(sandbox, shop):
    stripe.api_base = sandbox.url
    return {"api_key": shop.stripe_key}


def refund_at_dashboard(sandbox, shop, payment, amount=None):
    return stripe.Refund.create(payment_intent=payment["provider_ref"], amount=amount, **at_sandbox(sandbox, shop))


def wait_for_refunded(shop, payment, amount):
    wait_until(lambda: shop.payment(payment["id"])["amount_refunded"] == amount, what=f"{amount} to be refunded")


def wait_until_caught_up(server):
    wait_until(lambda: not is_asking_for_events(server), what="the events to be fetched")


@pytest.fixture
def shop(start_server, sandbox, nghttpx, receiver):
    """Its account at the sandbox sends its events nowhere."""
    shop = Merchant.with_stripe(start_server(**nghttpx.settings, reconcile_interval="250ms", events_interval="250ms"))
    shop.use_webhook(receiver.url)
    wait_until_caught_up(shop.server)
    return shop


@pytest.fixture
def unlistening(start_server, nghttpx, receiver):
    shop = Merchant(start_server(**nghttpx.settings, reconcile_interval="250ms", events_interval="250ms"))
    shop.use_stripe(webhook=False)
    shop.use_webhook(receiver.url)
    return shop


# After a stop

@pytest.mark.parametrize("stop", ["terminate", "kill"])
def test_events_that_were_missed_while_the_service_was_down_are_applied_when_it_is_back(shop, sandbox, receiver, stop):
    payment = shop.pay()
    getattr(shop.server, stop)()
    refund_at_dashboard(sandbox, shop, payment, 400)
    shop.server.start()
    wait_for_refunded(shop, payment, "4.00")
    assert receiver.wait_for("payment.refunded").json["data"]["refund"]["amount"] == "4.00"
    wait_until_caught_up(shop.server)
    assert "event" in [cause for _, cause, _ in history(shop.server, payment)]


def test_an_event_that_came_and_is_also_fetched_is_applied_once(shop, sandbox, receiver):
    AtStripe(sandbox, shop).send_events_to(shop.server, shop.stripe_webhook_secret)
    payment = shop.pay(payment_method="pm_card_createDispute")
    receiver.wait_for("payment.disputed")
    came = stored_events(shop.server, shop)
    for _ in range(2):
        shop.server.restart()
        wait_until_caught_up(shop.server)
    assert set(came) <= set(stored_events(shop.server, shop))
    shop.pay(idempotency_key="last")
    receiver.wait_for(lambda delivery: delivery.json["data"].get("idempotency_key") == "last")
    assert len(receiver.events("payment.disputed")) == 1
    assert [what for what, _, _ in history(shop.server, payment)].count("disputed") == 1


@pytest.mark.parametrize("kills", [0, 3])
def test_more_than_a_page_is_fetched_although_the_process_dies_meanwhile(shop, sandbox, receiver, kills):
    payment = shop.pay("100.00")
    shop.server.terminate()
    refunds = [refund_at_dashboard(sandbox, shop, payment, 100).id for _ in range(60)]
    asked = stripe.Event.list(types=["charge.refunded", "refund.created", "refund.updated", "charge.refund.updated"],
                              limit=100, **at_sandbox(sandbox, shop))
    assert asked.has_more
    shop.server.start()
    for number in range(kills):
        wait_until(lambda: len(stored_events(shop.server, shop)) > number, what="events to be fetched")
        shop.server.kill()
        shop.server.start()
    wait_for_refunded(shop, payment, "60.00")
    wait_until_caught_up(shop.server)
    # A delivery may come again when the process died under it, but there is one event a refund.
    told = {(body["id"], body["data"]["refund"]["id"]) for body in receiver.events("payment.refunded")}
    found = shop.api.get(f"/v1/refunds?payment_id={payment['id']}&page_size=100", expect=200).json["data"]
    assert sorted(refund["provider_ref"] for refund in found) == sorted(refunds)
    assert len(told) == len({refund for _, refund in told})


# Without a webhook secret

def test_a_payer_who_authenticates_completes_the_payment(unlistening, receiver):
    payment = unlistening.pay(payment_method=AUTHENTICATE, return_url="https://shop.example/return")
    press(payment)
    wait_until(lambda: unlistening.payment(payment["id"])["status"] == "completed", what="the payment to be completed")
    assert [(what, cause) for what, cause, _ in history(unlistening.server, payment)][-1] == ("completed", "event")
    receiver.wait_for("payment.completed")


def test_refunds_and_disputes_of_the_dashboard_come_once(unlistening, sandbox, receiver):
    payment = unlistening.pay(payment_method="pm_card_createDispute")
    receiver.wait_for("payment.disputed")
    other = unlistening.pay()
    refund_at_dashboard(sandbox, unlistening, other)
    receiver.wait_for("payment.refunded")
    wait_until(lambda: unlistening.payment(other["id"])["status"] == "refunded", what="the payment to be refunded")
    assert [body["type"] for body in receiver.events()].count("payment.disputed") == 1
    assert unlistening.payment(payment["id"])["status"] == "completed"


def test_a_customer_deleted_at_the_dashboard_ends_its_cards(unlistening, sandbox):
    unlistening.pay()  # without payments events are fetched once an hour
    saved = unlistening.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa",
                                                    "customer_email": "payer@shop.example"}, expect=201).data
    customer, = stripe.Customer.list(**at_sandbox(sandbox, unlistening)).data
    stripe.Customer.delete(customer.id, **at_sandbox(sandbox, unlistening))
    wait_until(lambda: saved["id"] not in [card["id"] for card in
                                           unlistening.api.get("/v1/payments/cards", expect=200).json["data"]],
               what="the card to be inactive")


# Failures

@pytest.fixture
def stub_shop(start_server, stub_stripe):
    shop = Merchant(start_server(stub_stripe.url, reconcile_interval="250ms", events_interval="100ms"))
    shop.use_stripe(webhook=False)
    return shop


def dispute_at(stub, shop, payment):
    """An event of a dispute, which Stripe lists."""
    dispute = {"id": "dp_1", "object": "dispute", "payment_intent": payment["provider_ref"], "status": "needs_response",
               "reason": "fraudulent", "amount": 1000, "currency": "usd", "livemode": False}
    happened = event("charge.dispute.created", dispute, event_id=f"evt_{uuid.uuid4().hex}")
    stub.model.accounts.setdefault(shop.stripe_key, Account(False)).objects[happened["id"]] = happened


def is_disputed(shop, payment):
    return "disputed" in [what for what, _, _ in history(shop.server, payment)]


REFUSALS = {
    "a restricted key": Answer(403, stripe_error(message="The provided key does not have the required permissions.")),
    "no such path": Answer(404, stripe_error(message="Unrecognized request URL.")),
    "out of order": Answer(500, stripe_error("api_error")),
    "not a list": Answer(200, {"object": "list", "data": {}}),
    "of something else": Answer(200, {"object": "list", "data": ["evt_1"], "has_more": True}),
}


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in REFUSALS.items()])
def test_an_account_that_refuses_to_list_events_is_logged_once_and_asked_again(stub_shop, stub_stripe, answer):
    payment = stub_shop.pay()
    stub_stripe.answer_always(*EVENTS, answer)
    stub_stripe.wait_for(*EVENTS, count=len(stub_stripe.calls(*EVENTS)) + 4)
    dispute_at(stub_stripe, stub_shop, payment)
    stub_stripe.behave()
    wait_until(lambda: is_disputed(stub_shop, payment), what="the dispute to be told")
    complaints = [entry for entry in stub_shop.server.log()
                  if entry["level"] in ("warn", "error") and entry.get("operation") == "events"]
    assert len(complaints) == 1, complaints


def test_something_unreadable_among_the_events_hides_no_other(stub_shop, stub_stripe):
    payment = stub_shop.pay()
    dispute_at(stub_stripe, stub_shop, payment)
    odd = [None, 7, "evt_1", {}, {"id": "evt_2"}, {"id": "evt_3", "type": "charge.refunded", "data": []}]
    good, = stub_stripe.objects("event")
    stub_stripe.answer_always(*EVENTS, Answer(200, {"object": "list", "data": [*odd, good, *odd], "has_more": False}))
    wait_until(lambda: is_disputed(stub_shop, payment), what="the dispute to be told")


def test_a_page_that_is_too_large_to_be_taken_is_asked_for_in_smaller_ones(stub_shop, stub_stripe):
    payment = stub_shop.pay()
    stub_stripe.answer_always(*EVENTS, Answer(200, b" " * (9 << 20)))
    wait_until(lambda: any("created[lt]" in request.query for request in stub_stripe.calls(*EVENTS)),
               what="less to be asked for")
    stub_stripe.behave()
    dispute_at(stub_stripe, stub_shop, payment)
    wait_until(lambda: is_disputed(stub_shop, payment), what="the dispute to be told")


def test_only_events_that_can_change_something_are_asked_for(stub_shop, stub_stripe):
    request = stub_stripe.wait_for(*EVENTS)[0]
    names = [pair.split("=")[0] for pair in request.target.partition("?")[2].split("&")]
    assert set(names) == {"limit", "created[gte]", "types[]"} and names.count("types[]") <= 20
    assert "payment_intent.succeeded" in request.target and "charge.dispute.created" in request.target
    assert request.query["limit"] == "100"


def test_a_new_key_is_asked_with_and_deleted_credentials_are_not(stub_shop, stub_stripe):
    stub_shop.pay()
    stub_stripe.wait_for(*EVENTS)
    old_key = stub_shop.stripe_key
    stub_shop.use_stripe(webhook=False)
    wait_until(lambda: stub_stripe.calls(*EVENTS)[-1].header("Authorization") != f"Bearer {old_key}",
               what="the new key to be used")
    stub_shop.api.delete("/v1/merchant/providers/stripe", expect=200)
    wait_until_caught_up(stub_shop.server)
    asked = len(stub_stripe.calls(*EVENTS))
    stub_shop.server.restart()
    assert not is_asking_for_events(stub_shop.server)
    assert len(stub_stripe.calls(*EVENTS)) == asked
