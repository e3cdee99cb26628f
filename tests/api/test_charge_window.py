"""A charge is not written after its window, however long the way to Stripe or the wait for a free connection takes."""
import concurrent.futures
import functools
import threading
import time
import uuid
from dataclasses import replace

import pytest

from http2_fixture import calls_for, certificate, new_shop, settings_for  # noqa: F401
from stub_fixture import CHARGE, LIST, pay, pay_in_vain, wait_for_status
from support.http2_listener import Http2Listener
from support.merchant import ObservedMerchant
from support.stub import StubStripe
from support.waiting import wait_until

ABSENT_FOR_US = 600 * 1000000  # between the two lists that prove that a charge was never made
CONNECTIONS_MAX = 512  # to Stripe over HTTP/1.1


class GatedListener(Http2Listener):
    """Shakes hands only while `gate` is set."""

    def __init__(self, *arguments, **options):
        self.gate = threading.Event()
        super().__init__(*arguments, **options)

    def _serve(self, connection):
        self.gate.wait()
        super()._serve(connection)


@pytest.fixture
def start_gated_stripe(certificate):  # noqa: F811
    """start_gated_stripe("h2"): a stub over TLS that speaks this protocol, whose gate is open."""
    started = []

    def start(alpn):
        started.append(StubStripe(functools.partial(GatedListener, certificate=certificate, alpn=[alpn])))
        started[-1].listener.gate.set()
        return started[-1]

    yield start
    for stub in started:
        stub.listener.gate.set()
        stub.close()


def pay_and_disconnect(shop, alpn):
    """The service knows what its Stripe speaks, and has no connection to it."""
    if alpn == "http/1.1":
        shop.stripe.answer_next(*CHARGE, lambda done: replace(done, headers={"Connection": "close"}))
    assert pay(shop, key="first").data["status"] == "completed"
    for connection in shop.stripe.listener.open_connections:
        connection.close()
    wait_until(lambda: not shop.stripe.listener.open_connections)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_charge_does_not_leave_when_the_handshake_outlasts_its_window(
        start_server, start_gated_stripe, certificate, alpn):  # noqa: F811
    stripe = start_gated_stripe(alpn)
    settings = settings_for(certificate) | {"patience": "300ms", "charge_window": "2s"}
    shop = new_shop(start_server(stripe.url, **settings), stripe)
    pay_and_disconnect(shop, alpn)

    stripe.listener.gate.clear()
    payment = pay_in_vain(shop).data
    window_ends = time.time() + 2
    wait_until(lambda: time.time() > window_ends)
    stripe.listener.gate.set()

    stripe.wait_for(*LIST)
    shop.server.restart_making_due(absent_older_us=ABSENT_FOR_US)
    failed = wait_for_status(shop, payment, "failed")
    assert failed["failure"]["code"] == "provider_unavailable"
    assert calls_for(shop, payment) == [] and stripe.charged_minor(payment["id"]) == 0


def created_at(payment_id):
    """The time that its id holds, in seconds."""
    return (uuid.UUID(payment_id).int >> 80) / 1000


def test_no_charge_leaves_after_its_window_when_all_connections_wait_for_answers(start_server, stub_stripe):
    window_s = 6
    server = start_server(stub_stripe.url, patience="100ms", stripe_timeout="60s", reconcile_interval="250ms",
                          charge_window=f"{window_s}s")
    shops = [ObservedMerchant(server, stub_stripe) for _ in range(3)]  # none alone may have so many calls
    gate = threading.Event()
    stub_stripe.answer_always(*CHARGE, lambda done: replace(done, gate=gate))
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        count = CONNECTIONS_MAX + 88
        payments = list(pool.map(lambda number: pay_in_vain(shops[number % len(shops)], key=f"order-{number}").data,
                                 range(count)))
    stub_stripe.wait_for(*CHARGE, CONNECTIONS_MAX)
    wait_until(lambda: time.time() > max(created_at(payment["id"]) for payment in payments) + window_s)
    gate.set()

    looked_up = count - CONNECTIONS_MAX
    wait_until(lambda: len(stub_stripe.calls(*LIST)) >= looked_up, timeout=30)
    charges = stub_stripe.calls(*CHARGE)
    assert len(charges) == CONNECTIONS_MAX
    for charge in charges:
        assert charge.received_at < created_at(charge.form["metadata[payment_id]"]) + window_s
    charged = {charge.form["metadata[payment_id]"] for charge in charges}
    for number, payment in enumerate(payments):
        wait_for_status(shops[number % len(shops)], payment, "completed" if payment["id"] in charged else "pending")
