"""A proxy for outgoing calls: the service reaches Stripe over HTTP/2 and HTTP/1.1, and merchants' endpoints, through it
alone. If the proxy refuses or garbles, the connection could not be made."""
import urllib.parse

import pytest

from stub_fixture import CHARGE, pay, pay_in_vain, wait_for_status
from support.connect_proxy import ConnectProxy
from support.merchant import Merchant
from support.server import Server


@pytest.fixture
def proxy():
    proxy = ConnectProxy()
    yield proxy
    proxy.close()
    assert proxy.others == []


def target_of(url):
    return urllib.parse.urlsplit(url).netloc


def test_stripe_is_reached_through_it_over_http_2(start_server, nghttpx, proxy):
    shop = Merchant.with_stripe(start_server(**nghttpx.settings, proxy=proxy.url))
    assert shop.pay()["status"] == "completed"
    assert set(proxy.targets) == {target_of(nghttpx.url)}
    assert shop.server.metric("provider_connections") == 1  # which HTTP/2 alone has


def test_stripe_and_endpoints_are_reached_through_it_over_http_1(start_server, stub_stripe, receiver, proxy):
    shop = Merchant.with_stripe(start_server(stub_stripe.url, proxy=proxy.url))
    shop.use_webhook(receiver.url)
    payment = shop.pay()
    assert receiver.wait_for("payment.completed").json["data"]["payment_id"] == payment["id"]
    assert set(proxy.targets) == {target_of(stub_stripe.url), target_of(receiver.url)}


REFUSALS = {
    "forbidden": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
    "a password is wanted": b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
    "closed": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "cut": b"HTTP/1.1 200 Conn",
    "bytes after the answer": b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03",
    "a NUL": b"HTTP/1.1 200 OK\x00\r\n\r\n",
    "without an end": b"HTTP/1.1 200 OK\r\n" + b"X-Any: thing\r\n" * 20000,
}


@pytest.mark.parametrize("refusal", [pytest.param(answer, id=name) for name, answer in REFUSALS.items()])
def test_a_payment_waits_until_the_proxy_lets_it_through_and_is_charged_once(start_server, nghttpx, sandbox, proxy, refusal):
    shop = Merchant.with_stripe(start_server(**nghttpx.settings, proxy=proxy.url, patience="300ms",
                                             reconcile_interval="250ms"))
    proxy.refusal = refusal
    payment = pay_in_vain(shop).data
    proxy.wait_for(target_of(nghttpx.url))
    proxy.refusal = None
    wait_for_status(shop, payment, "completed")
    assert pay(shop).replayed


def test_a_proxy_that_is_unreachable_is_a_connection_that_could_not_be_made(start_server, stub_stripe, proxy):
    proxy.close()
    shop = Merchant.with_stripe(start_server(stub_stripe.url, proxy=proxy.url, patience="300ms"))
    pay_in_vain(shop)
    assert stub_stripe.calls(*CHARGE) == []


def test_it_is_not_taken_from_the_environment(binary, stub_stripe, proxy, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    server = Server(binary, stripe_api_base=stub_stripe.url)
    try:
        shop = Merchant.with_stripe(server)
        assert shop.pay()["status"] == "completed" and proxy.targets == []
    finally:
        server.close()


@pytest.mark.parametrize("value", ["proxy:3128", "https://proxy:3128", "http://proxy", "http://proxy:3128/", "http://u:p@proxy:3128",
                                   "socks5://proxy:1080", "http://proxy:3128/path"])
def test_another_form_of_proxy_is_refused_at_start(binary, server, value):
    process = server.command("check-config", "--proxy", value, check=False)
    assert process.returncode != 0 and "proxy" in process.stderr
