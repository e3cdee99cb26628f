"""The stub that speaks HTTP/2, seen by curl: one that silently behaved would prove nothing."""
import re
import socket
import ssl
import subprocess

import pytest
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import StreamReset, TrailersReceived
from h2.settings import SettingCodes, Settings

from http2_fixture import certificate, start_stripe, stripe  # noqa: F401
from stub_fixture import CHARGE
from support.http_listener import Answer
from support.stub import executed
from support.waiting import wait_until

FORM = "amount=1000&currency=usd&payment_method=pm_card_visa&confirm=true&metadata[payment_id]=p1"


@pytest.fixture
def charge(stripe, certificate):
    """charge("--http1.1"): what curl writes, headers too; its exit status, the version and the status come last."""
    def call(*flags):
        words = ["curl", "-si", "--http2", "-m", "60", "--cacert", certificate[0], "-d", FORM,
                 "-H", "Authorization: Bearer sk_test_x", "-H", "Idempotency-Key: k1",
                 "-w", " %{exitcode} %{http_version} %{http_code}", *flags, f"{stripe.url}/v1/payment_intents"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return call


def test_the_stub_charges_over_http_2_and_1_1_and_records_which(stripe, charge):
    assert charge().endswith(" 0 2 200") and charge("--http1.1").endswith(" 0 1.1 200")
    first, second = stripe.calls(*CHARGE)
    assert (first.connection, second.connection) == (stripe.listener.connections[0], None)
    assert first.body == second.body == FORM.encode() and first.header("idempotency-key") == "k1"
    assert stripe.charged_minor("p1") == 1000


# Versions of curl differ: a close can overtake the bytes before it, and newer versions ask again after a GOAWAY.
@pytest.mark.parametrize("answer, patience_s, end", [
    (executed(cut_after=100), "60", "[1-9][0-9]* (2 200|0 000)"),
    (executed(cut_after=0, reset=True), "60", "[1-9][0-9]* 0 000"),
    (executed(hang=True, act=lambda connection, stream: connection.reset(stream, ErrorCodes.CANCEL)), "60", "92 0 000"),
    (executed(hang=True, act=lambda connection, _: connection.goaway(0, ErrorCodes.INTERNAL_ERROR)), "60", "(16 0 000|0 2 200)"),
    (executed(hang=True, act=lambda connection, _: connection.mute(reading=False)), "5", "28 0 000"),
], ids=["cut", "reset", "a reset stream", "gone away", "mute"])
def test_the_stub_misbehaves_as_set_and_the_charge_stands(stripe, charge, answer, patience_s, end):
    stripe.answer_next(*CHARGE, answer)
    said = charge("-m", patience_s)
    assert re.search(f" {end}$", said), said
    assert stripe.charged_minor("p1") == 1000


def test_the_stub_can_write_before_the_answer(stripe, charge):
    stripe.answer_next(*CHARGE, executed(act=lambda connection, stream: connection.interim(stream, 103, link="</>")))
    said = charge()
    assert said.startswith("HTTP/2 103") and "HTTP/2 200" in said


def test_a_refused_stream_carries_nothing_out(stripe, charge):
    refuse = Answer(hang=True, act=lambda connection, stream: connection.reset(stream, ErrorCodes.REFUSED_STREAM))
    stripe.answer_always(*CHARGE, refuse)
    charge("-m", "5")
    assert stripe.calls(*CHARGE) and stripe.charged_minor("p1") == 0


def test_the_stub_can_write_other_bytes_than_http_2(stripe, charge):
    stripe.listener.when_connected(lambda sock: sock.sendall(b"garbage" * 100))
    assert not charge().endswith("200") and not stripe.requests


# Seen by a client that keeps to no limit

class Client:
    def __init__(self, sock):
        self.sock = sock
        self.h2 = H2Connection()
        self.h2.initiate_connection()

    def ask(self, count=1):
        request = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")]
        for _ in range(count):
            self.h2.send_headers(self.h2.get_next_available_stream_id(), request, end_stream=True)
        self.sock.sendall(self.h2.data_to_send())

    def receive(self, kind):
        """The first event of this kind."""
        while True:
            events = self.h2.receive_data(self.sock.recv(65536))
            self.sock.sendall(self.h2.data_to_send())
            for event in events:
                if isinstance(event, kind):
                    return event


@pytest.fixture
def connect(certificate):
    context = ssl.create_default_context(cafile=certificate[0])
    context.set_alpn_protocols(["h2"])
    opened = []

    def client(stub):
        plain = socket.create_connection(("127.0.0.1", stub.listener.port), timeout=10)
        opened.append(context.wrap_socket(plain, server_hostname="localhost"))
        return Client(opened[-1])

    yield client
    for sock in opened:
        sock.close()


def test_the_stubs_answer_may_have_trailers(stripe, connect):
    stripe.answer_next("GET", "*", Answer(trailers={"x-last": "1"}))
    client = connect(stripe)
    client.ask()
    assert client.receive(TrailersReceived).headers == [(b"x-last", b"1")]


def test_streams_beyond_its_limit_are_refused_and_a_client_that_knew_the_limit_is_reported(start_stripe, connect):
    stub = start_stripe(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    stub.answer_always("GET", "*", Answer(hang=True))
    client = connect(stub)
    client.ask(2)
    assert client.receive(StreamReset).error_code == ErrorCodes.REFUSED_STREAM
    connection, = stub.listener.connections
    wait_until(lambda: connection.stream_limit == 1)
    assert not connection.errors and len(stub.requests) == 1
    client.h2.remote_settings = Settings(client=False)  # forgets the limit
    client.ask()
    assert client.receive(StreamReset).error_code == ErrorCodes.REFUSED_STREAM
    assert connection.errors and len(stub.requests) == 1
