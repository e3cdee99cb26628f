"""The service keeps to an HTTP/2 server's limits on streams and on bytes in flight. A connection that no longer allows or
answers anything delays no payment for long."""
import threading

import pytest
from h2.settings import SettingCodes

from http2_fixture import (assert_completed, assert_well, calls_for, certificate, connected, pay_at_once,  # noqa: F401
                           shop, start_shop, start_stripe, stripe)
from stub_fixture import CHARGE
from support.http_listener import Answer
from support.stripe_model import stripe_error
from support.stub import executed
from support.waiting import wait_until

STREAMS = SettingCodes.MAX_CONCURRENT_STREAMS
WINDOW = SettingCodes.INITIAL_WINDOW_SIZE
SOON_S = 8
CONNECTIONS_MAX = 32  # where each allows few streams
# A silent connection is asked by a PING after 5 s and given up 3 s later; the rest is for a second attempt.
MUTE_S = 8 + SOON_S
# A request that cannot be written for 5 s is given up, and its connection with it.
SHUT_S = 5 + SOON_S


# Streams

@pytest.mark.parametrize("allowed, payments", [(1, 16), (2, 16), (100, 120)])
def test_never_more_streams_are_open_than_are_allowed(start_shop, start_stripe, allowed, payments):
    stripe = start_stripe(settings={STREAMS: allowed})
    shop = connected(start_shop(stripe))
    stripe.answer_always(*CHARGE, executed(delay_s=0.05))
    assert_completed(shop, pay_at_once(shop, payments), 20)
    assert len(stripe.calls(*CHARGE)) == payments + 1
    assert_well(shop, CONNECTIONS_MAX)


def test_the_service_keeps_to_a_limit_that_is_lowered_and_raised(shop, stripe):
    gate = threading.Event()
    stripe.answer_always(*CHARGE, executed(gate=gate))
    early = pay_at_once(shop, 10)
    stripe.wait_for(*CHARGE, count=11)
    stripe.connection.allow_streams(2)
    wait_until(lambda: stripe.connection.stream_limit == 2)
    later = pay_at_once(shop, 10, start=10)
    gate.set()
    assert_completed(shop, early + later, SOON_S)
    stripe.connection.allow_streams(100)
    wait_until(lambda: stripe.connection.stream_limit == 100)
    assert_completed(shop, pay_at_once(shop, 20, start=20), SOON_S)
    assert_well(shop, CONNECTIONS_MAX)


def test_a_server_that_allows_no_stream_at_first_is_waited_for(start_shop, start_stripe):
    """RFC 9113, 6.5.2: a limit of 0 should be for a short time."""
    stripe = start_stripe(settings={STREAMS: 0})
    shop = start_shop(stripe)
    paying = pay_at_once(shop, 3)
    wait_until(lambda: stripe.listener.connections and stripe.listener.connections[0].stream_limit == 0)
    assert not stripe.requests
    stripe.listener.settings = {}
    for connection in stripe.listener.open_connections:
        connection.allow_streams(100)
    assert_completed(shop, paying, SOON_S)


# Windows

@pytest.mark.parametrize("bytes_allowed", [0, 100])
def test_a_body_is_sent_once_its_window_opens(start_shop, start_stripe, bytes_allowed):
    stripe = start_stripe(settings={WINDOW: bytes_allowed})
    shop = start_shop(stripe)
    paying = pay_at_once(shop, 16)
    wait_until(lambda: sum(connection.requests_open for connection in stripe.listener.connections) == 16)
    assert not stripe.requests
    for connection in stripe.listener.open_connections:
        connection.open_windows()
    assert_completed(shop, paying, SOON_S)
    assert_well(shop)


@pytest.mark.parametrize("bytes_allowed, stripe_timeout", [(0, "60s"), (100, "2s")])
def test_a_window_that_stays_shut_sends_calls_to_a_fresh_connection(start_shop, start_stripe, bytes_allowed,
                                                                    stripe_timeout):
    stripe = start_stripe(settings={WINDOW: bytes_allowed})
    shop = start_shop(stripe, stripe_timeout=stripe_timeout)
    paying = pay_at_once(shop, 5)
    wait_until(lambda: sum(connection.requests_open for connection in stripe.listener.connections) == 5)
    stripe.listener.settings = {}
    assert_completed(shop, paying, SHUT_S)
    assert_well(shop)


def test_an_answer_that_comes_before_the_body_was_taken_is_an_answer(start_shop, start_stripe):
    """RFC 9113, 8.1."""
    def refuse(connection, stream_id):
        connection.answer_now(stream_id, Answer(400, stripe_error(code="parameter_invalid_empty", param="amount")))
    stripe = start_stripe(settings={WINDOW: 0})
    shop = start_shop(stripe)
    stripe.listener.when_headers_come(refuse)
    payment = pay_at_once(shop, 1)[0].result(SOON_S).data
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "parameter_invalid_empty")
    assert not stripe.requests
    assert_well(shop)


# Silence

def fall_silent(reading):
    return lambda connection, _stream_id: connection.mute(reading=reading)


def test_calls_on_a_connection_that_falls_silent_are_known_long_before_the_timeout(shop, stripe):
    stripe.answer_next(*CHARGE, executed(hang=True, act=fall_silent(reading=True)))
    paying = pay_at_once(shop, 20)
    wait_until(lambda: stripe.connection.pings)
    later = assert_completed(shop, pay_at_once(shop, 5, start=20), SOON_S)
    assert_completed(shop, paying, MUTE_S)
    assert {call.connection is stripe.connection for payment in later for call in calls_for(shop, payment)} == {False}
    assert_well(shop)


def test_a_connection_that_does_not_even_read_is_closed_too(shop, stripe):
    stripe.answer_next(*CHARGE, Answer(hang=True, act=fall_silent(reading=False)))
    assert_completed(shop, pay_at_once(shop, 20), MUTE_S)
    assert_completed(shop, pay_at_once(shop, 5, start=20), SOON_S)
    assert_well(shop)


def test_a_connection_that_answers_pings_is_not_closed_for_a_slow_answer(shop, stripe):
    gate = threading.Event()
    stripe.answer_next(*CHARGE, executed(gate=gate))
    paying = pay_at_once(shop, 1)
    wait_until(lambda: stripe.connection.pings >= 2, timeout=30)
    assert not paying[0].over
    gate.set()
    payment, = assert_completed(shop, paying, SOON_S)
    assert len(calls_for(shop, payment)) == 1 and len(stripe.listener.connections) == 1
    assert_well(shop)
