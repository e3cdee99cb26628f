"""Requests about one thing at two nodes at the same moment: Stripe is asked once, and nobody waits longer than at one node."""
import threading
import time

from cards_fixture import save
from stub_fixture import CHARGE, pay
from support.background import InBackground
from support.stub import executed
from support.waiting import wait_until

ATTACH = ("POST", "/v1/payment_methods/*/attach")
ROUNDS = 40


def at_the_same_moment(shops, call, **named):
    """The results of call(shop, ...) at all of them."""
    barrier = threading.Barrier(len(shops))

    def begin(shop):
        barrier.wait()
        return call(shop, **named)
    return [calling.result() for calling in [InBackground(begin, shop) for shop in shops]]


def test_payments_at_the_same_moment_make_one_charge(start_shops, stub_stripe):
    shops = start_shops(2)
    for number in range(ROUNDS):
        key = f"order-{number}"
        answers = at_the_same_moment(shops, pay, key=key)
        paid = [answer for answer in answers if answer.status == 201]
        refused = [answer.codes for answer in answers if answer.status != 201]
        assert paid and refused in ([], [["IDEMPOTENCY_IN_PROGRESS"]]), answers
        assert [pay(shop, key=key).body for shop in shops] == [paid[0].body] * 2
        assert paid[0].data["status"] == "completed" and len(stub_stripe.calls(*CHARGE)) == number + 1


def test_a_repeat_is_in_progress_while_another_node_has_it_under_way(start_shops, stub_stripe):
    at_a, at_b = start_shops(2)
    stub_stripe.answer_next(*CHARGE, executed(delay_s=1))
    first = InBackground(pay, at_a)
    stub_stripe.wait_for(*CHARGE)
    repeated = pay(at_b)
    assert (repeated.status, repeated.codes) == (409, ["IDEMPOTENCY_IN_PROGRESS"])
    assert pay(at_b, key="order-2").status == 201
    assert wait_until(lambda: (again := pay(at_b)).status == 201 and again, what="the answer").body == first.result().body


def test_who_waits_at_another_node_is_answered_soon_after_the_first(start_shops, stub_stripe):
    at_a, at_b = start_shops(2)
    stub_stripe.answer_next(*ATTACH, executed(delay_s=1.5))
    first = InBackground(save, at_a, key="card-1")
    stub_stripe.wait_for(*ATTACH)
    second = InBackground(save, at_b, key="card-1")
    answer = first.result()
    answered = time.monotonic()
    repeated = second.result()
    assert time.monotonic() - answered < 1
    assert (answer.status, repeated.status, repeated.body) == (201, 201, answer.body)
    assert len(stub_stripe.calls(*ATTACH)) == 1


def test_cards_saved_at_the_same_moment_are_one_card(start_shops, stub_stripe):
    shops = start_shops(2)
    for number in range(ROUNDS):
        answers = at_the_same_moment(shops, save, key=f"card-{number}", email=f"payer-{number}@shop.example")
        assert {answer.status for answer in answers} == {201}, answers
        assert {answer.data["id"] for answer in answers} == {answers[0].data["id"]}
        assert len(stub_stripe.calls(*ATTACH)) == number + 1
