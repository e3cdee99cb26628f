"""Requests that a proxy in front of the service may read differently: one takes for a body what the other takes for the
next request. The service refuses each and closes its connection, or reads it as the standard says."""
import re

import pytest

from support.merchant import Merchant
from support.raw import Raw
from support.shape import refused
from support.waiting import wait_until

POST = b"POST /v1/payments HTTP/1.1\r\n"
NEXT = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


@pytest.fixture(scope="module")
def victim(server):
    """Nothing here may make a payment of its own."""
    merchant = Merchant.with_stripe(server)
    yield merchant
    assert merchant.api.get("/v1/payments", expect=200).data == []


def head(victim, first=POST):
    return first + f"Host: a\r\nX-API-Key: {victim.key['key']}\r\nIdempotency-Key: smuggled\r\n".encode()


def statuses_until_closed(raw):
    return [int(status) for status in STATUS.findall(raw.rest())]


def is_refused_for_good(victim, text):
    """One refusal in the API's own form, and nothing after it is taken for a request."""
    with Raw(victim.server) as raw:
        raw.send(text)
        refused(raw.answer(), 400, "BAD_REQUEST")
        return raw.rest() == b""


@pytest.mark.parametrize("length", [b"2, 2", b"+2", b"-2", b"0x2", b"2_0", b"", b"2 2", b"2;", b"\x0b2", b"99999999999999999999",
                                    b"2\r\nContent-Length: 2", b"2\r\nContent-Length: 3", b"2\r\ncontent-length: 3"])
def test_a_length_that_is_no_plain_number_is_refused(victim, length):
    assert is_refused_for_good(victim, head(victim) + b"Content-Length: " + length + b"\r\n\r\n{}" + NEXT)


@pytest.mark.parametrize("lines", [
    b"Transfer-Encoding: chunked\r\nContent-Length: 2", b"Content-Length: 2\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked;q=1",
    b'Transfer-Encoding: "chunked"', b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: identity", b"Transfer-Encoding:"])
def test_a_coding_that_is_not_chunked_alone_is_refused(victim, lines):
    assert is_refused_for_good(victim, head(victim) + lines + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + NEXT)


def test_chunks_in_an_http_1_0_request_are_refused(victim):
    text = head(victim, POST.replace(b"1.1", b"1.0")) + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n" + NEXT
    assert is_refused_for_good(victim, text)


@pytest.mark.parametrize("lines", [
    b"Content-Length:\r\n 2", b"Content-Length: 2\r\n 0", b"Content-Length: 1\r\n\t0", b"Content: 2\r\n -Length",
    b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chun\r\n ked", b"Transfer: chunked\r\n -Encoding",
    b"X-Any: a\r\n b\r\nContent-Length: 2", b"Content-Length: 2\r\nX-Any: a\r\n\tb", b"X-Any:\r\n \r\n b",
    b"Content-Length: 2\r\nX:\r\n y"])
def test_a_header_that_goes_on_in_the_next_line_is_refused(victim, lines):
    """Others may make one header of it, or two."""
    assert is_refused_for_good(victim, head(victim) + lines + b"\r\n\r\n{}" + NEXT)
    assert is_refused_for_good(victim, head(victim) + lines + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + NEXT)


@pytest.mark.parametrize("lines", [b"X-Any:a", b"X-Any: \t  a", b"X-Any:", b"X-Any: ", b"X-Any: a  ", b"X:" + b" " * 500 + b"y",
                                   b"X-Any: " + b"a" * 3000, b"\r\n".join(b"X-%d:%d" % (n, n) for n in range(60))])
def test_an_odd_header_that_does_not_is_taken(victim, lines):
    text = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n"
    for pieces in ([text], [text[at:at + 1] for at in range(len(text))] if len(text) < 200 else [text[:999], text[999:]]):
        with Raw(victim.server) as raw:
            for piece in pieces:
                raw.send(piece)
            assert raw.answer().status == 200
            raw.send(NEXT)
            assert raw.answer().status == 200


@pytest.mark.parametrize("chunks", [
    b"0x2\r\n{}\r\n0\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n",
    b"\r\n{}\r\n0\r\n\r\n", b"g\r\n{}\r\n0\r\n\r\n", b"2;a\nb\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n",
    b"1\r\n{}\r\n0\r\n\r\n", b"10000000000000002\r\n{}\r\n0\r\n\r\n", b"2;a\rb\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n",
    b"2\r\n{}\r\n0\r\nX: a\nY: b\r\n\r\n", b"2\r\n{}\r\n0\r\n\n", b"2;" + b"a" * 9000 + b"\r\n{}\r\n0\r\n\r\n",
    b"0" * 9000 + b"2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n"])
def test_a_chunk_that_is_not_what_its_size_says_is_refused(victim, chunks):
    assert is_refused_for_good(victim, head(victim) + CHUNKED + chunks + NEXT)


@pytest.mark.parametrize("chunks", [
    b"2\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"02\r\n{}\r\n00\r\n\r\n", b'2;a;b="c"\r\n{}\r\n0;d\r\n\r\n'])
def test_chunks_are_read_as_the_standard_says(victim, chunks):
    with Raw(victim.server) as raw:
        raw.send(POST + b"Host: a\r\n" + CHUNKED + chunks + NEXT)
        assert raw.answer().codes == ["AUTH_INVALID_KEY"]
        assert raw.answer().json == {"status": "alive"}


def test_lines_after_the_last_chunk_are_not_headers_of_the_request(victim):
    """Trailers are read past: neither a key nor a length may come in them."""
    with Raw(victim.server) as raw:
        raw.send(POST + b"Host: a\r\n" + CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 50\r\nX-API-Key: " +
                 victim.key["key"].encode() + b"\r\n\r\n" + NEXT)
        assert raw.answer().codes == ["AUTH_INVALID_KEY"]
        assert raw.answer().json == {"status": "alive"}


def test_a_line_ends_with_both_its_characters(victim):
    """Others may not take a bare LF for the end of a line, and a bare CR or a NUL for the end of a value."""
    plain = head(victim) + b"Content-Length: 2\r\nX-Any: a\r\n\r\n{}" + NEXT
    for at, _ in enumerate(plain[:plain.index(b"{}")]):
        if plain[at:at + 2] == b"\r\n":
            assert is_refused_for_good(victim, plain[:at] + plain[at + 1:]), f"without the CR at {at}"
    for end in (b"\r", b"\x00", b"\x0b", b"\x0c"):
        assert is_refused_for_good(victim, plain.replace(b"X-Any: a", b"X-Any: a" + end + b"b"))
        assert is_refused_for_good(victim, plain.replace(b"X-Any: a", b"X-Any" + end + b": a"))


@pytest.mark.parametrize("text", [
    b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET //a/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /healthz\r\n\r\n",
    b"GET /healthz x HTTP/1.1\r\nHost: a\r\n\r\n", b"GET\t/healthz\tHTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /healthz http/1.1\r\nHost: a\r\n\r\n", b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n"])
def test_a_request_line_that_can_be_read_in_two_ways_is_not_answered_with_what_it_asks_for(victim, text):
    with Raw(victim.server) as raw:
        raw.send(text)
        raw.finish_sending()
        assert b"alive" not in raw.rest()


def test_a_body_where_none_belongs_is_still_a_body(victim):
    with Raw(victim.server) as raw:
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(NEXT) + NEXT + NEXT)
        assert raw.answer().status == 200 and raw.answer().status == 200
        assert not raw.ended_within(0)
        raw.finish_sending()
        assert raw.rest() == b"", "the first NEXT was a body"


def test_http_1_0_is_kept_open_only_where_it_asks(victim):
    with Raw(victim.server) as raw:
        raw.send(NEXT.replace(b"1.1", b"1.0") + NEXT)
        assert len(statuses_until_closed(raw)) == 1
    with Raw(victim.server) as raw:
        raw.send(NEXT.replace(b"1.1\r\n", b"1.0\r\nConnection: keep-alive\r\n") + NEXT)
        assert raw.answer().status == 200 and raw.answer().status == 200


def test_bytes_after_a_request_that_closes_are_not_read(victim):
    with Raw(victim.server) as raw:
        raw.send(NEXT.replace(b"Host", b"Connection: close\r\nHost") + NEXT)
        assert len(statuses_until_closed(raw)) == 1


def test_an_upgrade_is_never_granted(victim):
    asked = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nHost"
    with Raw(victim.server) as raw:
        raw.send(NEXT.replace(b"Host", asked) + NEXT)
        assert raw.answer().status == 200 and raw.answer().status == 200


# Header injection: whatever a caller sends, it adds no line to an answer, nor to a request of ours

def lines_of(victim, **headers):
    answer = victim.api.get("/v1/nothing", headers=headers)
    return sorted(name.lower() for name in answer.headers.keys())


@pytest.mark.parametrize("value", ["a%0d%0aX-Injected: 1", "a\\r\\nX-Injected: 1", "a\tb", "a\u0085X-Injected: 1"])
def test_no_request_id_adds_a_header_to_the_answer(victim, value):
    plain = lines_of(victim)
    assert lines_of(victim, **{"X-Request-Id": value}) == plain and "x-injected" not in plain


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\x00"])
def test_no_line_break_within_a_request_id_or_a_key_comes_back(victim, end):
    for name in (b"X-Request-Id", b"Idempotency-Key"):
        with Raw(victim.server) as raw:
            raw.send(head(victim) + name + b": a" + end + b"X-Injected: 1\r\nContent-Length: 2\r\n\r\n{}")
            raw.finish_sending()
            assert b"Injected" not in raw.rest()


def test_a_line_break_in_a_secret_key_never_becomes_a_header_to_stripe(observed):
    body = {"provider": "stripe", "stripe": {"secret_key": "sk_test_a\r\nStripe-Account: acct_1"}}
    assert observed.api.put("/v1/merchant/providers", body, expect=422).fields == {"stripe.secret_key"}


def test_a_line_break_in_a_text_becomes_no_header_to_stripe_or_to_the_merchant(observed, receiver):
    observed.use_webhook(receiver.url + "?a=%0d%0aX-Injected:%201")
    body = {"amount": "1.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    lines = body | {"description": "a\r\nX-Injected: 1"}
    assert observed.api.post("/v1/payments", lines, idempotency_key="a", expect=422).fields == {"description"}
    payment = observed.pay(metadata={"a": "b\r\nX-Injected: 1"}, idempotency_key="a-b%0d%0aX-Injected:1",
                           description="a%0d%0aX-Injected: 1")
    sent = [*observed.charges(), receiver.wait_for(lambda delivery: delivery.json["data"]["id"] == payment["id"])]
    assert len(sent) == 2 and not [request for request in sent if request.header("X-Injected")]
    wait_until(lambda: observed.payment(payment["id"])["status"] == "completed", what="the payment")
