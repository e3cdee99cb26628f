"""A node may end or stand still at any moment: the others do its unfinished work within 30 s, and no payer pays twice."""
import signal
import time

import pytest

from stub_fixture import CHARGE, assert_the_same_request, pay, wait_for_status
from support.background import InBackground
from support.database import rows_of
from support.http_listener import Answer
from support.stub import executed
from support.waiting import wait_until
from test_crashes import lose

TAKEN_OVER_WITHIN_S = 30
DEAD_READINGS = 12  # NODE_DEAD_S of src/store/nodes.h


def beats(node):
    """Those of all nodes, oldest first."""
    return [beat for beat, in rows_of(node, "SELECT beat FROM nodes ORDER BY started_us")]


def wait_until_seen(node):
    """Until the newer of two nodes has seen the older one beat."""
    older, _ = beats(node)
    wait_until(lambda: beats(node)[0] > older)
    _, newer = beats(node)
    wait_until(lambda: beats(node)[1] >= newer + 2)


@pytest.mark.parametrize("answer", [Answer(hang=True), executed(hang=True)], ids=["not charged", "charged"])
def test_a_payment_under_way_is_ended_by_another_node(start_shops, stub_stripe, receiver, answer):
    at_a, at_b = start_shops(2, patience="40s")
    at_a.use_webhook(receiver.url)
    stub_stripe.answer_next(*CHARGE, answer)
    paying = InBackground(pay, at_a)
    stub_stripe.wait_for(*CHARGE)
    assert (at_b.server.metric("nodes"), at_b.server.metric("nodes_removed_total")) == (2, 0)
    killed = time.monotonic()
    at_a.server.kill()
    lose(paying)
    requests = stub_stripe.wait_for(*CHARGE, count=2, timeout=TAKEN_OVER_WITHIN_S)
    assert time.monotonic() - killed < TAKEN_OVER_WITHIN_S
    told = receiver.wait_for("payment.completed").json["data"]
    again = pay(at_b)
    assert (again.status, again.replayed) == (201, True)
    assert (again.data["id"], again.data["status"]) == (told["id"], "completed")
    assert_the_same_request(requests, at_b, told)
    assert stub_stripe.charged_minor(told["id"]) == 1000 and len(receiver.deliveries) == 1
    assert (at_b.server.metric("nodes"), at_b.server.metric("nodes_removed_total")) == (1, 1)


def test_a_payment_under_way_is_soon_ended_by_the_next_process_on_the_host(start_shops, stub_stripe):
    shop, = start_shops(1)
    stub_stripe.answer_next(*CHARGE, Answer(hang=True))
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    shop.server.kill()
    lose(paying)
    shop.server.start()
    stub_stripe.wait_for(*CHARGE, count=2)
    assert beats(shop.server)[-1] < DEAD_READINGS


def test_a_delivery_under_way_is_made_by_another_node(start_shops, receiver):
    at_a, _ = start_shops(2, webhook_timeout="30s")
    at_a.use_webhook(receiver.url)
    receiver.answer_next(Answer(hang=True))
    payment = at_a.pay()
    receiver.wait_for(1)
    at_a.server.kill()
    first, second = receiver.wait_for(2, timeout=TAKEN_OVER_WITHIN_S)
    assert first.body == second.body and first.json["data"]["id"] == payment["id"]


def test_a_start_takes_nothing_from_a_live_node(start_nodes, start_shops, stub_stripe):
    at_a, = start_shops(1)
    stub_stripe.answer_next(*CHARGE, executed(delay_s=6))
    paying = InBackground(pay, at_a)
    stub_stripe.wait_for(*CHARGE)
    start_nodes(1, beside=at_a.server)
    assert paying.result().data["status"] == "completed"
    assert len(stub_stripe.calls(*CHARGE)) == 1


def test_a_node_that_ends_in_good_order_leaves_its_work_at_once(start_shops, stub_stripe):
    at_a, at_b = start_shops(2, patience="500ms", drain_timeout="2s")
    stub_stripe.answer_next(*CHARGE, Answer(503))
    payment = pay(at_a).data
    at_a.server.terminate()
    wait_for_status(at_b, payment, "completed")


def test_a_node_that_stood_still_does_no_harm(start_shops, stub_stripe, receiver):
    at_a, at_b = start_shops(2, patience="40s")
    at_a.use_webhook(receiver.url)
    wait_until_seen(at_b.server)
    stub_stripe.answer_next(*CHARGE, executed(delay_s=1))
    paying = InBackground(pay, at_a)
    stub_stripe.wait_for(*CHARGE)
    at_a.server.process.signal(signal.SIGSTOP)
    _, newer = beats(at_b.server)
    told = receiver.wait_for("payment.completed", timeout=TAKEN_OVER_WITHIN_S).json["data"]
    assert beats(at_b.server)[-1] >= newer + DEAD_READINGS
    at_a.server.process.signal(signal.SIGCONT)
    answer = paying.result(timeout=TAKEN_OVER_WITHIN_S)
    assert (answer.status, answer.data["id"], answer.data["status"]) == (201, told["id"], "completed")
    at_a.server.wait_for_log(message="this node was taken for dead: others do its unfinished work")
    assert at_a.pay()["status"] == "completed"
    assert at_b.payment(told["id"])["status"] == "completed"
    assert stub_stripe.charged_minor(told["id"]) == 1000
    assert [event["data"]["id"] for event in receiver.events()].count(told["id"]) == 1
