"""HTTP/2 streams and connections to Stripe that end badly, in every way. Nobody pays twice, and each payment's outcome is
known in time."""
import threading

import pytest
from h2.errors import ErrorCodes

from http2_fixture import (assert_completed, assert_well, calls_for, certificate, connected, pay_at_once,  # noqa: F401
                           shop, start_shop, start_stripe, stripe)
from stub_fixture import CHARGE, pay, wait_for_status
from support.http_listener import Answer
from support.stub import executed

SOON_S = 8  # a failed call is asked again within a second or two; the rest is for a busy machine


def reset(error):
    return lambda connection, stream_id: connection.reset(stream_id, error)


def close(**how):
    return lambda connection, _stream_id: connection.close(**how)


# GOAWAY

def test_calls_above_a_goaways_last_stream_are_resent_and_those_below_are_answered(shop, stripe):
    gate = threading.Event()
    stripe.answer_next(*CHARGE, *[executed(gate=gate)] * 5)
    below = pay_at_once(shop, 5)
    last = max(call.stream_id for call in stripe.wait_for(*CHARGE, count=6))
    stripe.answer_next(*CHARGE, *[Answer(hang=True)] * 5)
    above = pay_at_once(shop, 5, start=5)
    stripe.wait_for(*CHARGE, count=11)
    stripe.connection.goaway(last)

    resent = assert_completed(shop, above, SOON_S)
    assert not any(paying.over for paying in below)
    gate.set()
    answered = assert_completed(shop, below, SOON_S)
    for payment in resent:
        first, second = calls_for(shop, payment)
        assert (first.connection, first.body) == (stripe.connection, second.body)
        assert second.connection not in (None, stripe.connection)
    assert {len(calls_for(shop, payment)) for payment in answered} == {1}
    assert_well(shop)


def test_a_graceful_goaway_loses_no_call(shop, stripe):
    gate = threading.Event()
    stripe.answer_next(*CHARGE, *[executed(gate=gate)] * 5)
    under_way = pay_at_once(shop, 5)
    stripe.wait_for(*CHARGE, count=6)
    stripe.connection.goaway()
    assert_completed(shop, pay_at_once(shop, 5, start=5), SOON_S)
    stripe.connection.goaway(max(call.stream_id for call in stripe.calls(*CHARGE)
                                 if call.connection is stripe.connection))
    gate.set()
    payments = assert_completed(shop, under_way, SOON_S)
    assert {len(calls_for(shop, payment)) for payment in payments} == {1}
    pay(shop, key="last")
    assert stripe.calls(*CHARGE)[-1].connection is not stripe.connection
    assert_well(shop)


@pytest.mark.parametrize("error", [ErrorCodes.NO_ERROR, ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.INTERNAL_ERROR])
def test_a_server_that_goes_away_before_it_took_any_call_gets_none_twice(shop, stripe, error):
    def go_away(connection, stream_id):
        connection.goaway(stream_id - 2, error)
        connection.close()
    stripe.answer_next(*CHARGE, Answer(hang=True, act=go_away))
    assert_completed(shop, pay_at_once(shop, 16), SOON_S)
    assert_well(shop)


def test_a_server_that_goes_away_with_calls_that_it_took_leaves_them_unknown(shop, stripe):
    def go_away(connection, stream_id):
        connection.goaway(stream_id, ErrorCodes.INTERNAL_ERROR)
        connection.close()
    stripe.answer_next(*CHARGE, executed(hang=True, act=go_away))
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    first, second = calls_for(shop, payment)
    assert first.body == second.body and first.header("Idempotency-Key") == second.header("Idempotency-Key")
    assert_well(shop)


# A single stream fails: the others on the connection do not notice

@pytest.mark.parametrize("carry_out", [Answer, executed], ids=["before", "after"])
@pytest.mark.parametrize("error", [ErrorCodes.CANCEL, ErrorCodes.INTERNAL_ERROR, ErrorCodes.ENHANCE_YOUR_CALM,
                                   ErrorCodes.NO_ERROR, 4711], ids=str)
def test_a_call_whose_stream_is_reset_is_unknown_and_asked_again(shop, stripe, error, carry_out):
    gate = threading.Event()
    stripe.answer_next(*CHARGE, executed(gate=gate))
    other = pay_at_once(shop, 1)
    stripe.wait_for(*CHARGE, count=2)
    stripe.answer_next(*CHARGE, carry_out(hang=True, act=reset(error)))
    payment, = assert_completed(shop, pay_at_once(shop, 1, start=1), SOON_S)
    assert len(calls_for(shop, payment)) == 2 and not other[0].over
    gate.set()
    untouched, = assert_completed(shop, other, SOON_S)
    assert len(calls_for(shop, untouched)) == 1
    assert_well(shop)


def test_a_refused_stream_was_not_carried_out_and_is_resent_at_once(shop, stripe):
    stripe.answer_next(*CHARGE, *[Answer(hang=True, act=reset(ErrorCodes.REFUSED_STREAM))] * 16)
    for payment in assert_completed(shop, pay_at_once(shop, 16), SOON_S):
        assert len({call.body for call in calls_for(shop, payment)}) == 1
    assert_well(shop)


def test_a_server_that_refuses_every_stream_is_not_asked_without_end(start_shop, stripe):
    shop = connected(start_shop(stripe, patience="2s"))
    stripe.answer_always(*CHARGE, Answer(hang=True, act=reset(ErrorCodes.REFUSED_STREAM)))
    payment = pay(shop).data
    assert payment["status"] == "pending" and len(calls_for(shop, payment)) < 40
    stripe.behave()
    wait_for_status(shop, payment, "completed")
    assert stripe.charged_minor(payment["id"]) == 1000
    assert_well(shop)


def test_a_call_that_http_1_1_is_required_for_is_made_over_it(shop, stripe):
    stripe.answer_next(*CHARGE, Answer(hang=True, act=reset(ErrorCodes.HTTP_1_1_REQUIRED)))
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    first, second = calls_for(shop, payment)
    assert first.connection is stripe.connection and second.connection is None and first.body == second.body
    assert_well(shop, connections=2)  # that over HTTP/1.1 may stay too


# The connection ends

ENDS = {
    "FIN": {},
    "TLS's notice": {"notice": True},
    "RST": {"reset": True},
}


@pytest.mark.parametrize("how", ENDS)
def test_a_connection_that_ends_while_idle_costs_nobody_a_payment(shop, stripe, how):
    """Again and again, so that some calls are written in the very moment in which it ends."""
    for number in range(20):
        for connection in stripe.listener.open_connections:
            connection.close(**ENDS[how])
        assert_completed(shop, pay_at_once(shop, 1, start=number), SOON_S)
    assert_well(shop)


@pytest.mark.parametrize("how", ENDS)
def test_a_connection_that_ends_as_a_call_is_written_leaves_it_unknown(shop, stripe, how):
    stripe.listener.when_headers_come(close(**ENDS[how]))
    assert_completed(shop, pay_at_once(shop, 8), SOON_S)  # fewer than open the circuit
    assert_well(shop)


@pytest.mark.parametrize("how", ENDS)
def test_a_connection_that_ends_in_place_of_an_answer_leaves_all_its_calls_unknown(shop, stripe, how):
    gate = threading.Event()
    stripe.answer_next(*CHARGE, *[executed(gate=gate)] * 8)
    paying = pay_at_once(shop, 8)
    stripe.wait_for(*CHARGE, count=9)
    stripe.connection.close(**ENDS[how])
    for payment in assert_completed(shop, paying, SOON_S):
        assert len(calls_for(shop, payment)) == 2
    assert_well(shop)


def test_a_connection_that_is_lost_with_many_calls_keeps_no_new_payment_out(shop, stripe):
    stripe.answer_next(*CHARGE, *[executed(hang=True)] * 16)
    paying = pay_at_once(shop, 16)
    stripe.wait_for(*CHARGE, count=17)
    stripe.connection.close(reset=True)
    shop.server.wait_for_log(message="provider answered")
    assert_completed(shop, pay_at_once(shop, 16, start=16) + paying, SOON_S)
    assert_well(shop)


@pytest.mark.parametrize("cut_after", [0, 1, 400])
def test_an_answer_that_is_cut_leaves_the_call_unknown(shop, stripe, cut_after):
    stripe.answer_next(*CHARGE, executed(cut_after=cut_after))
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    assert len(calls_for(shop, payment)) == 2
    assert_well(shop)
