"""Clients that send slowly, hang up, hold on, send everything at once, or send bytes that are not HTTP. The service answers
if it can, ends the others, and goes on serving everybody."""
import contextlib
import json
import socket
import time

import pytest

from support.merchant import Merchant
from support.raw import Raw
from support.server import Server
from support.shape import refused, succeeded
from support.waiting import scaled, wait_until

BODY = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
# The sweep that ends slow clients runs once a second.
SWEEP_S = 1


@pytest.fixture(scope="module")
def impatient(binary, nghttpx):
    """A merchant of a service that waits a second for silent clients, and another for slow ones."""
    server = Server(binary, **nghttpx.settings, idle_timeout="1s", request_timeout="1s")
    merchant = Merchant.with_stripe(server)
    yield merchant
    assert merchant.pay()["status"] == "completed"
    server.close()


@pytest.fixture(scope="module")
def patient(binary, sandbox):
    """The same of one that waits long for silent clients, and a second for slow ones."""
    server = Server(binary, stripe_api_base=sandbox.url, idle_timeout="60s", request_timeout="1s")
    merchant = Merchant.with_stripe(server)
    yield merchant
    server.close()


@pytest.fixture(scope="module")
def payer(server):
    return Merchant.with_stripe(server)


def head(merchant, length, key="slow"):
    return (f"POST /v1/payments HTTP/1.1\r\nHost: a\r\nX-API-Key: {merchant.key['key']}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def seconds_until_refused(raw, trickle):
    """Sends one byte of `trickle` at a time until the service answers 408 and closes the connection; answers how long that
    took."""
    start = time.monotonic()
    for byte in trickle:
        raw.send(bytes([byte]))
        if raw.has_answer_within(0.05):
            took = time.monotonic() - start
            answer = raw.answer()
            assert (answer.status, answer.codes) == (408, ["REQUEST_TIMEOUT"]), answer
            assert answer.json["request_id"] == answer.headers["X-Request-Id"] and answer.headers["Connection"] == "close"
            assert raw.rest() == b""
            return took
    raise AssertionError("the service took everything, however slowly it came")


# Slow clients

@pytest.mark.parametrize("start", [b"", b"GET /v1/payments HTTP/1.1\r\n", b"GET /v1/pay"])
def test_a_client_that_falls_silent_is_disconnected(impatient, start):
    with Raw(impatient.server) as raw:
        began = time.monotonic()
        raw.send(start)
        assert b"200" not in raw.rest()
        assert time.monotonic() - began < scaled(1 + SWEEP_S + 3)


@pytest.mark.parametrize("start", [b"", b"GET /v1/pay", b"GET /v1/payments HTTP/1.1\r\nX-Slow: "])
def test_a_head_that_trickles_in_is_refused_in_time(patient, start):
    with Raw(patient.server) as raw:
        raw.send(start)
        assert seconds_until_refused(raw, b"a" * 1000) < scaled(1 + 2 * SWEEP_S + 3)


def test_a_second_request_that_trickles_in_is_refused_in_time(patient):
    with Raw(patient.server) as raw:
        raw.request("GET", "/healthz")
        assert raw.answer().status == 200
        assert seconds_until_refused(raw, b"GET /" + b"a" * 1000) < scaled(1 + 2 * SWEEP_S + 3)


def test_a_body_after_a_head_that_trickled_in_has_the_rest_of_the_time(patient):
    with Raw(patient.server) as raw:
        began = time.monotonic()
        for byte in b"POST /v1/payments HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n":
            raw.send(bytes([byte]))
            assert not raw.has_answer_within(0.01)
        seconds_until_refused(raw, b"a" * 900)
        assert time.monotonic() - began < scaled(1 + 2 * SWEEP_S + 3)
    patient.server.wait_for_log(message="request", status=408, client="127.0.0.1")


def test_a_body_that_trickles_in_is_refused_and_nothing_comes_of_it(impatient):
    with Raw(impatient.server) as raw:
        raw.request("POST", "/v1/payments", b'{"amount": "1', X_API_Key=impatient.key["key"], Idempotency_Key="slow",
                    Content_Length="1000")
        assert seconds_until_refused(raw, b"0" * 900) < scaled(1 + SWEEP_S + 3)
    assert "slow" not in [payment["idempotency_key"] for payment in succeeded(impatient.api.get("/v1/payments"))]


def test_a_request_that_comes_whole_after_its_408_does_nothing(patient):
    text = json.dumps(BODY).encode()
    with Raw(patient.server) as raw:
        raw.send(head(patient, len(text), "too-late") + text[:-1])
        assert raw.answer().status == 408
        with contextlib.suppress(OSError):
            raw.send(text[-1:])
        assert raw.rest() == b""
    assert "too-late" not in [payment["idempotency_key"] for payment in succeeded(patient.api.get("/v1/payments"))]


def test_a_client_that_does_not_read_its_answers_is_disconnected(impatient):
    for number in range(5):
        impatient.pay(description="d" * 1000, idempotency_key=f"long-{number}")
    asked = (f"GET /v1/payments HTTP/1.1\r\nHost: a\r\nX-API-Key: {impatient.key['key']}\r\n\r\n").encode()

    with Raw(impatient.server, receive_bytes=4096, timeout=0.1) as raw:
        def is_hung_up_on():
            try:
                raw.send(asked * 200)
            except TimeoutError:
                pass  # the service has stopped to read
            except ConnectionError:
                return True
            return False
        wait_until(is_hung_up_on, what="the service to hang up on who never reads")


# Who hangs up

def test_a_client_that_half_closes_still_gets_its_answer(payer):
    with Raw(payer.server) as raw:
        text = json.dumps(BODY).encode()
        raw.send(head(payer, len(text), "half-closed") + text)
        raw.finish_sending()
        answer = raw.answer()
        assert answer.status == 201 and answer.json["data"]["status"] == "completed"


def test_a_client_that_leaves_before_its_answer_finds_the_payment_later(payer):
    text = json.dumps(BODY).encode()
    with Raw(payer.server) as raw:
        raw.send(head(payer, len(text), "gone") + text)
    again = wait_until(lambda: (answer := payer.api.post("/v1/payments", BODY, idempotency_key="gone")).status == 201
                       and answer)
    assert again.data["status"] == "completed"
    listed = [payment for payment in succeeded(payer.api.get("/v1/payments")) if payment["idempotency_key"] == "gone"]
    assert len(listed) == 1


def test_a_client_that_leaves_with_half_a_body_leaves_nothing(payer):
    text = json.dumps(BODY).encode()
    for reset in (False, True):
        with Raw(payer.server) as raw:
            raw.send(head(payer, len(text), f"half-{reset}") + text[:20])
            if reset:
                raw.reset()
    answer = payer.api.post("/v1/payments", BODY, idempotency_key="half-True")
    assert answer.status == 201 and not answer.replayed


def test_a_request_that_never_comes_whole_does_not_delay_the_end(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant(server)
    with Raw(server) as raw:
        raw.send(head(merchant, 1000) + b"{")
        wait_until(lambda: server.metric("http_connections") == 2)
        server.terminate()


# Many, and all at once

def test_hundreds_of_idle_connections_delay_nobody(payer):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Raw(payer.server)) for _ in range(250)]
        begun = [stack.enter_context(Raw(payer.server)) for _ in range(250)]
        for raw in begun:
            raw.send(b"GET /v1/payments HTTP/1.1\r\nHost: a\r\n")
        assert payer.pay()["status"] == "completed"
        for raw in begun[::50]:
            raw.send(f"X-API-Key: {payer.key['key']}\r\n\r\n".encode())
            assert raw.answer().status == 200
        for raw in silent[::50]:
            raw.request("GET", "/healthz")
            assert raw.answer().status == 200


def test_connections_beyond_the_limit_get_their_turn_when_others_end(start_server, nghttpx):
    server = start_server(**nghttpx.settings, connections=16, idle_timeout="1s")
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(Raw(server))
        assert server.api().get("/healthz").status == 200, "once the idle ones are gone"


def test_requests_sent_together_are_answered_in_order(payer):
    paths = ["/v1/merchant/me", "/v1/nothing", "/v1/payments?page=0", "/v1/merchant/providers"]
    with Raw(payer.server) as raw:
        raw.send("".join(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: {payer.key['key']}\r\n"
                         f"X-Request-Id: r{number}\r\n\r\n" for number, path in enumerate(paths)).encode())
        answers = [raw.answer() for _ in paths]
    assert [answer.status for answer in answers] == [200, 404, 422, 200]
    assert [answer.headers["X-Request-Id"] for answer in answers] == ["r0", "r1", "r2", "r3"]


def test_payments_sent_together_are_each_made_once(payer):
    text = json.dumps(BODY).encode()
    with Raw(payer.server) as raw:
        raw.send(b"".join(head(payer, len(text), f"piped-{number}") + text for number in (1, 2, 1, 3)))
        answers = [raw.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [201] * 4
    assert answers[0].body == answers[2].body and answers[2].headers["Idempotent-Replayed"] == "true"
    assert len({answer.json["data"]["id"] for answer in answers}) == 3


def test_a_refused_body_does_not_become_the_next_request(payer):
    hidden = b"GET /v1/merchant/me HTTP/1.1\r\nHost: a\r\nX-API-Key: %s\r\n\r\n" % payer.key["key"].encode()
    with Raw(payer.server) as raw:
        raw.send(head(payer, len(hidden)).replace(b"POST /v1/payments", b"POST /v1/nothing") + hidden)
        refused(raw.answer(), 404, "NOT_FOUND")
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.answer().json == {"status": "alive"}


# Bytes that are not HTTP, or ambiguous

def test_an_expectation_is_met_before_the_body_is_sent(payer):
    text = json.dumps(BODY).encode()
    with Raw(payer.server) as raw:
        raw.send(head(payer, len(text), "expected")[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert raw.line() == b"HTTP/1.1 100 Continue\r\n" and raw.line() == b"\r\n"
        raw.send(text)
        assert raw.answer().status == 201


def test_a_head_that_is_too_large_is_refused(payer):
    for lines in (b"X-Large: " + b"a" * 20_000 + b"\r\n", b"X-Many: a\r\n" * 5000):
        with Raw(payer.server) as raw:
            raw.send(b"GET /v1/payments HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
            refused(raw.answer(), 431, "HEAD_TOO_LARGE")
            assert raw.rest() == b""
    for start in (b"GET /", b"A"):
        with Raw(payer.server) as raw:
            raw.send(start + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            refused(raw.answer(), 431, "HEAD_TOO_LARGE")
            assert raw.rest() == b""


@pytest.mark.parametrize("path", ["/v1/payments/%00", "/v1/payments/a%2fb", "/v1/payments/%zz", "/v1/%", "/%ff", "*",
                                  "http://localhost/v1/payments", "v1/payments"])
def test_a_target_that_cannot_be_read_is_refused(payer, path):
    with Raw(payer.server) as raw:
        raw.request("GET", path, X_API_Key=payer.key["key"], X_Request_Id="target")
        answer = refused(raw.answer(), 400, "BAD_REQUEST")
        assert answer.headers["X-Request-Id"] == "target"


@pytest.mark.parametrize("lines", [
    b"Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n",
    b"Host: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    b"Host: a\r\nTransfer-Encoding: gzip\r\n", b"Host: a\r\nHost: b\r\nContent-Length: 2\r\n",
    b"Host: a\r\nIdempotency-Key: a\x01b\r\n",
    b"Host: a\r\nX-API-Key: a\x7fb\r\n", b"Host: a\r\nContent-Length : 2\r\n"])
def test_a_head_that_can_be_read_in_two_ways_is_refused(payer, lines):
    with Raw(payer.server) as raw:
        raw.send(b"POST /v1/payments HTTP/1.1\r\n" + lines + b"\r\n{}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        refused(raw.answer(), 400, "BAD_REQUEST")
        assert b"alive" not in raw.rest(), "what follows is not taken for a request"


@pytest.mark.parametrize("text", [
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\x00" * 100, b"\x80", b"\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX(: a\r\n\r\n",
    b"POST /v1/payments HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/payments HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v1/payments HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_bytes_that_are_not_http_get_one_error_and_do_nothing(payer, text):
    """The client waits: it is not the end of its side that makes the service answer."""
    with Raw(payer.server) as raw:
        raw.send(text)
        refused(raw.answer(), 400, "BAD_REQUEST")
        assert raw.rest() == b""
    assert payer.server.api().get("/healthz").status == 200


def test_a_client_of_http_1_0_is_answered_too(payer):
    with Raw(payer.server) as raw:
        raw.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert raw.answer().status == 200
        assert raw.rest() == b""


def test_a_taken_port_is_the_services_own(payer):
    with pytest.raises(OSError), socket.socket() as second:
        second.bind(("127.0.0.1", payer.server.port))


def is_served(raw):
    try:
        raw.request("GET", "/healthz")
        return raw.answer().status == 200
    except (OSError, EOFError, AssertionError):  # it was closed meanwhile
        return False


@pytest.mark.parametrize("settings", [{}, {"trusted_proxies": "127.0.0.1"}], ids=["a stranger", "a trusted proxy"])
def test_only_a_trusted_proxy_can_take_every_connection(start_server, nghttpx, settings):
    server = start_server(**nghttpx.settings, connections=16, connections_per_address=4, **settings)
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(Raw(server)) for _ in range(15)]
        if not settings:  # half of all is 8, less what the fixture may still hold
            wait_until(lambda: sum(raw.ended_within(0) for raw in taken) >= 7)
        served = sum(is_served(raw) for raw in taken if not raw.ended_within(0))
        assert served == 15 if settings else 4 <= served <= 8
        assert is_served(stack.enter_context(Raw(server, source="127.0.0.2")))
