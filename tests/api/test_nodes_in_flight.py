"""A node ends, or stands still, with many operations and deliveries in flight: the others do all of it, once, and in order."""
import http.client
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nodes_fixture import at_node
from stub_fixture import CHARGE
from support.http_listener import Answer
from support.stub import executed
from support.waiting import wait_until

PAYMENTS = 60
AT_ONCE = 12
TAKEN_OVER_WITHIN_S = 30
LOST = (OSError, http.client.HTTPException)


def pay_and_refund(shop, number):
    """True if both were answered. A caller who gets no answer asks another node, as a load balancer would."""
    try:
        client = at_node(shop, shop.server)  # a connection of its own
        payment = client.pay(idempotency_key=f"order-{number}")
        client.refund(payment, idempotency_key=f"refund-{number}")
        return True
    except (*LOST, AssertionError):
        return False


def settled(shop, number):
    """Repeats the requests until both have ended; answers the payment."""
    payment = wait_until(lambda: (answer := shop.api.post("/v1/payments", {
        "amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa",
    }, idempotency_key=f"order-{number}")).status == 201 and answer.data, what="the payment")
    wait_until(lambda: shop.payment(payment["id"])["status"] != "pending", what="the payment's outcome")
    wait_until(lambda: shop.api.post("/v1/refunds", {"payment_id": payment["id"]},
                                     idempotency_key=f"refund-{number}").status == 201, what="the refund")
    return wait_until(lambda: (found := shop.payment(payment["id"]))["status"] == "refunded" and found,
                      what="the payment to be refunded")


def orders(receiver, payment):
    """The types of the payment's events in the order of their first deliveries."""
    seen = {}
    for delivery in receiver.deliveries:
        event = delivery.json
        if payment["id"] in (event["data"]["id"], event["data"].get("payment_id")):
            seen.setdefault(event["id"], event["type"])
    return list(seen.values())


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_the_others_do_what_a_node_had_in_flight(start_shops, stub_stripe, receiver, end):
    shops = start_shops(3, patience="60s")
    shops[0].use_webhook(receiver.url)
    stub_stripe.answer_always(*CHARGE, executed(delay_s=0.2))
    receiver.otherwise = Answer(200, delay_s=0.05)
    lost = shops[0].server
    with ThreadPoolExecutor(AT_ONCE) as pool:
        calls = [pool.submit(pay_and_refund, shops[number % 3], number) for number in range(PAYMENTS)]
        stub_stripe.wait_for(*CHARGE, count=PAYMENTS // 3)
        ended = time.monotonic()
        lost.process.signal(end)
        wait_until(lambda: "nodes that have ended" in str(shops[1].server.log() + shops[2].server.log()),
                   what="the others to take over", timeout=TAKEN_OVER_WITHIN_S)
        assert time.monotonic() - ended < TAKEN_OVER_WITHIN_S
        if end == signal.SIGSTOP:
            lost.process.signal(signal.SIGCONT)
        for call in calls:
            call.result()
    stub_stripe.behave()
    payments = [settled(at_node(shops[1], shops[1].server), number) for number in range(PAYMENTS)]
    assert {stub_stripe.charged_minor(payment["id"]) for payment in payments} == {1000}
    wait_until(lambda: all(len(orders(receiver, payment)) == 2 for payment in payments), what="all events")
    assert {tuple(orders(receiver, payment)) for payment in payments} == {("payment.completed", "payment.refunded")}
    if end == signal.SIGKILL:
        lost.process.kill()
