"""Answers over HTTP/2: unusual but well-formed ones are understood, and those that are too large leave the outcome
unknown."""
from dataclasses import replace

import pytest

from http2_fixture import (assert_completed, assert_well, calls_for, certificate, pay_at_once,  # noqa: F401
                           shop, start_shop, start_stripe, stripe)
from stub_fixture import CHARGE
from support.http_listener import Answer
from support.stripe_model import stripe_error
from support.stub import executed

SOON_S = 20  # a call takes up to 4 s here; the rest is for a busy machine


def hints(count):
    def send(connection, stream_id):
        for _ in range(count):
            connection.interim(stream_id, 103, link="</>; rel=preload")
    return send


def with_headers(kilobytes, each_bytes=4000):
    """Adds headers of this size together."""
    more = {f"x-large-{number}": "a" * each_bytes for number in range(kilobytes * 1000 // each_bytes)}
    return lambda done: replace(done, headers=done.headers | more)


UNDERSTOOD = {
    "after 103": executed(act=hints(1)),
    "after 103 many times": executed(act=hints(20)),
    "with trailers": lambda done: replace(done, trailers={"x-checksum": "4711"}),
    "after 103 and with trailers": lambda done: replace(done, act=hints(1), trailers={"x-checksum": "4711"}),
    "with 20 kB of headers": with_headers(20),
    "with 100 kB of headers": with_headers(100),
    "with one header of 20 kB": with_headers(20, each_bytes=20000),
    "with many headers": with_headers(20, each_bytes=20),
    "without a length": lambda done: replace(done, headers=done.headers | {"Content-Length": None}),
    "a byte at a time": executed(drip_s=0.001),
}

NOT_UNDERSTOOD = {
    "with 300 kB of headers": with_headers(300),
    "after 103 without end": executed(act=hints(20000)),
    "larger than anything of Stripe's": lambda done: replace(done, body=b" " * (3 * 1024 * 1024)),
}


def by_name(table):
    return pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in table.items()])


@by_name(UNDERSTOOD)
def test_an_unusual_answer_is_understood(shop, stripe, answer):
    stripe.answer_next(*CHARGE, answer)
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    assert len(calls_for(shop, payment)) == 1
    assert_well(shop)


@by_name(NOT_UNDERSTOOD)
def test_an_answer_that_is_too_large_is_unknown_and_asked_again(shop, stripe, answer):
    stripe.answer_next(*CHARGE, answer)
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    assert len(calls_for(shop, payment)) == 2
    assert_well(shop)


def test_an_error_with_trailers_is_a_definite_answer(shop, stripe):
    declined = Answer(402, stripe_error("card_error", code="card_declined"), trailers={"x-checksum": "4711"})
    stripe.answer_next(*CHARGE, declined)
    payment = shop.pay()
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "card_declined")
    assert len(calls_for(shop, payment)) == 1


def test_a_refund_and_a_look_up_go_the_same_way(shop, stripe):
    payment = shop.pay()
    assert shop.refund(payment)["status"] == "completed"
    assert {request.connection for request in stripe.requests} == {stripe.connection}
    assert_well(shop)
