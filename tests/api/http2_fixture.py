"""A merchant of a service of its own, whose Stripe is the stub over TLS and HTTP/2; and what must hold for both after a
fault."""
import functools
import os
import time

import pytest

from stub_fixture import CHARGE, pay
from support.certificates import make_certificate
from support.http2_listener import Http2Listener
from support.background import InBackground
from support.merchant import ObservedMerchant
from support.stub import StubStripe
from support.waiting import scaled, wait_until

NAME = "stripe.test"  # the certificate's other name than localhost


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"), "localhost", NAME)


@pytest.fixture
def start_stripe(certificate):
    """start_stripe(settings={...}): a stub with an Http2Listener made with these options."""
    started = []

    def start(**options):
        listen = functools.partial(Http2Listener, **{"certificate": certificate} | options)
        started.append(StubStripe(listen))
        return started[-1]

    yield start
    for stub in started:
        stub.close()


@pytest.fixture
def start_shop(start_server, certificate):
    """start_shop(stripe, patience="1s"): a merchant of a service of its own, whose Stripe is `stripe`."""
    def start(stripe, **settings):
        settings = {"stripe_api_base": stripe.url} | settings_for(certificate) | settings
        return new_shop(start_server(**settings), stripe)
    return start


def settings_for(certificate):
    return {"stripe_ca_file": certificate[0], "patience": "30s", "stripe_timeout": "60s", "reconcile_interval": "250ms"}


def new_shop(server, stripe):
    shop = ObservedMerchant(server, stripe)
    shop.descriptors = descriptors(shop)
    return shop


@pytest.fixture
def stripe(start_stripe):
    return start_stripe()


@pytest.fixture
def shop(start_shop, stripe):
    """Its service has a connection to Stripe already, on which it was answered."""
    return connected(start_shop(stripe))


def connected(shop):
    pay(shop, key="first")
    shop.stripe.connection, = shop.stripe.listener.open_connections
    return shop


def descriptors(shop):
    return len(os.listdir(f"/proc/{shop.server.process.pid}/fd"))


def pay_at_once(shop, count, start=0):
    """Payments under way, each of 10.00."""
    return [InBackground(pay, shop, key=f"order-{number}") for number in range(start, start + count)]


def assert_completed(shop, payings, within_s):
    """Each was answered `completed`, all before so many seconds have passed, and charged exactly once."""
    deadline = time.monotonic() + scaled(within_s)
    payments = [paying.result(within_s).data for paying in payings]
    assert time.monotonic() < deadline
    assert [payment["status"] for payment in payments] == ["completed"] * len(payments)
    assert [shop.stripe.charged_minor(payment["id"]) for payment in payments] == [1000] * len(payments)
    return payments


def calls_for(shop, payment):
    return [request for request in shop.stripe.calls(*CHARGE)
            if request.form["metadata[payment_id]"] == payment["id"]]


def assert_well(shop, connections=1):
    """No more connections are left than these, and the service kept to HTTP/2."""
    assert [error for connection in shop.stripe.listener.connections for error in connection.errors] == []
    assert_settled(shop, connections)


def assert_settled(shop, connections=1):
    wait_until(lambda: len(shop.stripe.listener.open_connections) <= connections, what="the connections to be closed")
    wait_until(lambda: descriptors(shop) <= shop.descriptors + connections, what="the descriptors to be closed")
