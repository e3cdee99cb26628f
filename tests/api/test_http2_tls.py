"""Before HTTP/2 begins: addresses, TLS, the server's certificate, and the choice of the protocol."""
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from http2_fixture import (NAME, assert_completed, assert_well, certificate, new_shop, pay_at_once,  # noqa: F401
                           settings_for, start_shop, start_stripe, stripe)
from support.certificates import make_certificate, make_expired_certificate
from support.server import Server

SOON_S = 8


# The certificate

def of_another_name(folder):
    made = make_certificate(folder, "stripe.example")
    return made, made


def of_an_unknown_authority(folder):
    (folder / "stranger").mkdir()
    return make_certificate(folder / "stranger", "localhost"), make_certificate(folder, "localhost")


def expired(folder):
    made = make_expired_certificate(folder, "localhost")
    return made, made


@pytest.mark.parametrize("kind", [of_another_name, of_an_unknown_authority, expired])
def test_a_server_that_cannot_prove_its_name_is_sent_nothing(start_shop, start_stripe, tmp_path, kind):
    shown, trusted = kind(tmp_path)
    stripe = start_stripe(certificate=shown)
    shop = start_shop(stripe, stripe_ca_file=trusted[0], patience="1s")
    payment = shop.pay()
    assert payment["status"] == "pending" and payment["provider_ref"] is None
    assert stripe.listener.connections_accepted > 0 and not stripe.requests and not stripe.listener.connections
    assert_well(shop, connections=0)


def test_tls_1_1_is_not_spoken(start_shop, start_stripe):
    stripe = start_stripe(tls=ssl.TLSVersion.TLSv1_1)
    shop = start_shop(stripe, patience="1s")
    assert shop.pay()["status"] == "pending"
    assert stripe.listener.connections_accepted > 0 and not stripe.requests
    assert_well(shop, connections=0)


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_newer_tls_is_spoken(start_shop, start_stripe, tls):
    shop = start_shop(start_stripe(tls=tls))
    assert_completed(shop, pay_at_once(shop, 1), SOON_S)


def test_a_server_without_tls_is_sent_nothing(start_shop, stub_stripe):
    shop = start_shop(stub_stripe, stripe_api_base=f"https://localhost:{stub_stripe.listener.port}", patience="1s")
    assert shop.pay()["status"] == "pending" and not stub_stripe.requests


@pytest.mark.parametrize("alpn", [["http/1.1"], []], ids=["http/1.1 alone", "no ALPN"])
def test_a_server_without_http_2_is_spoken_to_over_http_1_1(start_shop, start_stripe, alpn):
    stripe = start_stripe(alpn=alpn)
    shop = start_shop(stripe)
    assert_completed(shop, pay_at_once(shop, 16), SOON_S)
    assert {request.connection for request in stripe.requests} == {None} and len(stripe.requests) == 16


# The addresses

@pytest.fixture(scope="session")
def addresses_library(tmp_path_factory):
    library = tmp_path_factory.mktemp("library") / "addresses.so"
    source = Path(__file__).parent / "support" / "addresses.c"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


class ServerThatLooksUp(Server):
    """To it the stub's name has the given addresses."""

    def __init__(self, library, addresses, *arguments, **settings):
        self._preloaded = {"LD_PRELOAD": str(library), "ADDRESSES_NAME": NAME, "ADDRESSES": ",".join(addresses)}
        super().__init__(*arguments, **settings)

    def process_environment(self):
        given = self.environment() | self._preloaded
        # A sanitizer insists on being the first library, but may come after this one.
        return given | {"ASAN_OPTIONS": given["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}


@pytest.fixture
def start_shop_at(binary, addresses_library, certificate, stripe):
    started = []

    def start(*addresses, **settings):
        started.append(ServerThatLooksUp(addresses_library, addresses, binary,
                                         stripe_api_base=f"https://{NAME}:{stripe.listener.port}",
                                         **settings_for(certificate) | settings))
        return new_shop(started[-1], stripe)

    yield start
    for server in started:
        server.close()


@pytest.fixture
def silent(stripe):
    """silent("127.0.0.2", backlog): at the stub's port there, `backlog` connections are made and never served. With 0,
    not even one is made."""
    held = []

    def listen(address, backlog):
        held.append(socket.create_server((address, stripe.listener.port), backlog=backlog))
        if backlog == 0:
            held.append(socket.create_connection((address, stripe.listener.port)))

    yield listen
    for one in held:
        one.close()


@pytest.mark.parametrize("addresses", [("127.0.0.2", "127.0.0.1"), ("::1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2")],
                         ids=["first", "first, of IPv6", "second"])
def test_an_address_that_refuses_is_passed_over(start_shop_at, addresses):
    shop = start_shop_at(*addresses)
    assert_completed(shop, pay_at_once(shop, 16), SOON_S)


@pytest.mark.parametrize("backlog", [0, 100], ids=["drops what comes", "connects and says nothing"])
def test_an_address_that_is_silent_is_passed_over(start_shop_at, silent, backlog):
    silent("127.0.0.2", backlog)
    shop = start_shop_at("127.0.0.2", "127.0.0.1")
    assert_completed(shop, pay_at_once(shop, 16), SOON_S)


def test_if_no_address_answers_the_payment_stays_pending(start_shop_at, stripe):
    shop = start_shop_at("127.0.0.2", "::1", patience="1s")
    assert shop.pay()["status"] == "pending" and not stripe.requests
    assert_well(shop, connections=0)
