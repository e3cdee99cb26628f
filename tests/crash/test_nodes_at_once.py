"""What two nodes do at the same moment, in the few ways that a mistake in their SQL would show."""
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import threading

import pytest

from nodes_world import NodesWorld
from steps import paid
from support.background import InBackground
from support.database import connect, rows_of
from support.http_listener import Answer
from support.ledger import Ledger, minor
from support.postgresql import Unavailable
from support.waiting import scaled, wait_until

CALLERS = 32
ROUNDS = 6


@pytest.fixture
def nodes(binary):
    try:
        world = NodesWorld(binary, 2, are_told=False, webhook_timeout="5s", events_interval="1h")
    except Unavailable as why:
        pytest.skip(str(why))
    yield world
    world.close()


class Callers:
    """Each has a connection to one of the nodes. All ask at the same moment."""

    def __init__(self, world):
        self._key = world.merchant.key["key"]
        self._nodes = itertools.cycle(world.nodes)
        self._own = threading.local()
        self._start = threading.Barrier(CALLERS)
        self._pool = concurrent.futures.ThreadPoolExecutor(CALLERS)

    def ask(self, body):
        return list(self._pool.map(self._ask, [body] * CALLERS))

    def close(self):
        self._pool.shutdown()

    def _ask(self, body):
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection("127.0.0.1", next(self._nodes).port, timeout=scaled(60))
        self._start.wait()
        self._own.connection.request("POST", "/v1/refunds", json.dumps(body),
                                     {"X-API-Key": self._key, "Content-Type": "application/json"})
        response = self._own.connection.getresponse()
        return response.status, json.loads(response.read())


def test_refunds_at_two_nodes_never_exceed_their_payment(nodes):
    callers = Callers(nodes)
    for number in range(ROUNDS):
        payment = paid(nodes, f"order-{number}")
        answers = callers.ask({"payment_id": payment["id"], "amount": "1.00"})
        made = [body["data"] for status, body in answers if status == 201]
        assert {status for status, _ in answers} <= {201, 202, 409, 422}, answers
        assert all(refund["status"] != "failed" for refund in made), f"Stripe was asked for too much: {made}"
        assert sum(minor(refund["amount"]) for refund in made) <= minor(payment["amount"]), "more was refunded than paid"
    callers.close()
    wait_until(lambda: not Ledger(nodes.sandbox, nodes.merchant).open, timeout=30, what="the refunds to end")
    Ledger(nodes.sandbox, nodes.merchant).check()


def test_a_node_that_comes_back_does_not_record_what_another_did_meanwhile(nodes):
    """It sent an event and was given up before the answer. The event was sent again, and is delivered."""
    slow, other = nodes.nodes
    nodes.receiver.answer_next(Answer(hang=True))
    payment = slow.api(nodes.merchant.key["key"]).post(
        "/v1/payments", {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"},
        idempotency_key="order-1", expect=201).data
    nodes.receiver.wait_for(1)
    nodes.pause(slow)
    nodes.receiver.wait_for(2, timeout=40)
    delivered = "SELECT attempts FROM outbox WHERE status = 'delivered'"
    wait_until(lambda: rows_of(other, delivered), what="the delivery to be recorded")
    recorded = rows_of(other, delivered)
    nodes.resume(slow)
    # It has recorded its own attempt, or found that it may not, when a later event was sent and recorded there.
    slow.wait_for_log(message="this node was taken for dead: others do its unfinished work")
    wait_until(lambda: slow.metric("deliveries_in_flight") == 0, timeout=30, what="its attempt to end")
    assert rows_of(other, delivered) == recorded, "the node that was given up has changed the delivery's record"
    assert len(nodes.receiver.deliveries) == 2, payment


def test_a_node_that_stands_still_in_a_transaction_loses_its_locks(nodes):
    slow, other = nodes.nodes
    key = nodes.merchant.key["key"]
    payment = paid(nodes, "order-1")
    body = {"payment_id": payment["id"], "amount": "1.00"}
    with contextlib.closing(connect(slow)) as holder:
        holder.execute("SELECT 1 FROM payments FOR UPDATE")
        refunding = InBackground(slow.api(key).post, "/v1/refunds", body, idempotency_key="refund-1")
        wait_until(lambda: rows_of(other, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
                   what="the node to wait for the payment's row")
        nodes.pause(slow)
        holder.rollback()  # the stopped node gets the row
    wait_until(lambda: other.api(key).post("/v1/refunds", body, idempotency_key="refund-2").status == 201, timeout=15,
               what="the other node to get the row")
    nodes.resume(slow)
    assert refunding.result().status == 201
    wait_until(lambda: nodes.payment(payment["id"])["amount_refunded"] == "2.00", what="both refunds")
