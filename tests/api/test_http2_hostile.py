"""Servers that break the rules of HTTP/2, or flood. The service survives, its memory stays bounded, and it repeats calls
that were not answered."""
import re
import struct

import pytest
from hpack import NeverIndexedHeaderTuple

from http2_fixture import (assert_completed, assert_settled, calls_for, certificate, pay_at_once, shop,  # noqa: F401
                           start_shop, start_stripe, stripe)
from stub_fixture import CHARGE
from support.stub import executed
from support.waiting import SCALE

SOON_S = 8
MUTE_S = 8 + SOON_S  # as a connection that falls silent
FLOOD_S = 30
MEMORY_GROWTH_MAX_KB = 32 * 1024

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8

STATUS = (":status", "200")
JSON = ("content-type", "application/json")


def frame(kind, flags, stream_id, payload=b""):
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream_id) + payload


def head(connection, stream_id, *headers, flags=END_HEADERS):
    return frame(HEADERS, flags, stream_id, connection.encoded(*headers))


def whole(*headers):
    """An answer without a body."""
    return lambda connection, stream_id: head(connection, stream_id, *headers, flags=END_HEADERS | END_STREAM)


def with_body(body, *headers):
    return lambda connection, stream_id: (head(connection, stream_id, STATUS, JSON, *headers) +
                                          frame(DATA, END_STREAM, stream_id, body))


# The bytes that they write after they carried the call out; no answer follows.
VIOLATIONS = {
    "garbage": lambda connection, stream_id: b"\x00\xff\x16\x03 what is this\r\n" * 1000,
    "an HTTP/1.1 answer": lambda connection, stream_id: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    # Sizes
    "a frame of 16 MB": lambda connection, stream_id: frame(DATA, 0, stream_id, bytes(2**24 - 1)),
    "SETTINGS of 5 bytes": lambda connection, stream_id: frame(SETTINGS, 0, 0, bytes(5)),
    "PING of 7 bytes": lambda connection, stream_id: frame(PING, 0, 0, bytes(7)),
    "RST_STREAM of 3 bytes": lambda connection, stream_id: frame(RST_STREAM, 0, stream_id, bytes(3)),
    "GOAWAY of 7 bytes": lambda connection, stream_id: frame(GOAWAY, 0, 0, bytes(7)),
    "WINDOW_UPDATE of 5 bytes": lambda connection, stream_id: frame(WINDOW_UPDATE, 0, 0, bytes(5)),
    "an acknowledgement that holds settings": lambda connection, stream_id: frame(SETTINGS, ACK, 0, bytes(6)),
    "padding longer than its frame": lambda connection, stream_id:
        head(connection, stream_id, STATUS) + frame(DATA, PADDED, stream_id, b"\xff{}"),
    # Streams
    "headers for a stream never opened": lambda connection, stream_id: head(connection, stream_id + 1000, STATUS),
    "data for a stream never opened": lambda connection, stream_id: frame(DATA, 0, stream_id + 1000, b"{}"),
    "a reset of a stream never opened": lambda connection, stream_id:
        frame(RST_STREAM, 0, stream_id + 1000, bytes(4)),
    "headers for no stream": lambda connection, stream_id: head(connection, 0, STATUS),
    "settings for a stream": lambda connection, stream_id: frame(SETTINGS, 0, stream_id),
    "a push": lambda connection, stream_id:
        frame(PUSH_PROMISE, END_HEADERS, stream_id, struct.pack(">I", 2) + connection.encoded(
            (":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/"))),
    "data before headers": lambda connection, stream_id: frame(DATA, END_STREAM, stream_id, b"{}"),
    # Settings and windows
    "a window beyond 2^31": lambda connection, stream_id: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 2,
    "a stream's window beyond 2^31": lambda connection, stream_id:
        frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", 2**31 - 1)) * 2,
    "a window that grows by 0": lambda connection, stream_id: frame(WINDOW_UPDATE, 0, 0, bytes(4)),
    "a frame size of 1": lambda connection, stream_id: frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1)),
    "a first window of 2^32 - 1": lambda connection, stream_id:
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**32 - 1)),
    "an acknowledgement of nothing": lambda connection, stream_id: frame(SETTINGS, ACK, 0) * 100,
    # Blocks of headers
    "a continuation of nothing": lambda connection, stream_id:
        frame(CONTINUATION, END_HEADERS, stream_id, connection.encoded(STATUS)),
    "headers that another frame interrupts": lambda connection, stream_id:
        head(connection, stream_id, STATUS, flags=0) + frame(PING, 0, 0, bytes(8)),
    "headers that are not HPACK": lambda connection, stream_id: frame(HEADERS, END_HEADERS, stream_id, b"\xff" * 50),
    "headers that put the client's table out of step": lambda connection, stream_id:
        head(connection, stream_id, (":status", "103")) * 100 + whole(STATUS, JSON)(connection, stream_id),
    "a header of index 0": lambda connection, stream_id: frame(HEADERS, END_HEADERS, stream_id, b"\x80"),
    # Answers
    "no status": whole(JSON),
    "two statuses": whole(STATUS, (":status", "402"), JSON),
    "a status that is no number": whole((":status", "2OO")),
    "a status of four digits": whole((":status", "2000")),
    "a status after other headers": whole(JSON, STATUS),
    "a status in the trailers": lambda connection, stream_id:
        head(connection, stream_id, STATUS, JSON) + whole(STATUS)(connection, stream_id),
    "a request's pseudo-header": whole(STATUS, (":path", "/")),
    "an interim answer that is the last": whole((":status", "103")),
    "101 Switching Protocols": whole((":status", "101")),
    "less than its length": with_body(b"{}", ("content-length", "3")),
    "more than its length": with_body(b"{}", ("content-length", "1")),
    "a length that is no number": with_body(b"{}", ("content-length", "-2")),
    "two lengths": with_body(b"{}", ("content-length", "2"), ("content-length", "3")),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_an_answer_against_the_rules_is_unknown_and_asked_again_on_a_fresh_connection(shop, stripe, name):
    def violate(connection, stream_id):
        connection.send_raw(VIOLATIONS[name](connection, stream_id))
    stripe.answer_next(*CHARGE, executed(hang=True, act=violate))
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    first, second = calls_for(shop, payment)
    assert (first.body, first.header("Idempotency-Key")) == (second.body, second.header("Idempotency-Key"))
    assert first.connection is not second.connection
    assert_settled(shop)


def test_bytes_that_are_not_tls_end_the_connection(shop, stripe):
    def corrupt(connection, _stream_id):
        connection.send_beneath_tls(b"\x17\x03\x03\x00\x20" + bytes(32))
    stripe.answer_next(*CHARGE, executed(hang=True, act=corrupt))
    payment, = assert_completed(shop, pay_at_once(shop, 1), SOON_S)
    first, second = calls_for(shop, payment)
    assert first.connection is not second.connection
    assert_settled(shop)


# Before anything was asked: in place of SETTINGS

def say(data):
    def act(sock):
        sock.sendall(data)
        while sock.recv(65536):
            pass
    return act


GREETINGS = {
    "garbage": (say(b"\x00\xff\x16\x03 what is this\r\n" * 1000), SOON_S),
    "an HTTP/1.1 answer": (say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), SOON_S),
    "another frame": (say(frame(PING, 0, 0, bytes(8))), SOON_S),
    "the end": (lambda sock: None, SOON_S),
    "nothing": (say(b""), MUTE_S),
}


@pytest.mark.parametrize("name", GREETINGS)
def test_a_server_that_begins_against_the_rules_is_asked_again(start_shop, stripe, name):
    greeting, within_s = GREETINGS[name]
    shop = start_shop(stripe)
    stripe.listener.when_connected(greeting)
    assert_completed(shop, pay_at_once(shop, 5), within_s)
    assert_settled(shop)


# Floods

def continuations(connection, stream_id):
    block = connection.encoded(NeverIndexedHeaderTuple("x-any", "a" * 4000)) * 4
    return head(connection, stream_id, STATUS, flags=0) + frame(CONTINUATION, 0, stream_id, block) * 4000


def bomb(connection, stream_id):
    """Each byte brings a header of 4000 that the client has in its table."""
    once = connection.encoded(("x-bomb", "a" * 3900))
    again = connection.encoded(("x-bomb", "a" * 3900))
    return frame(HEADERS, END_HEADERS, stream_id, connection.encoded(STATUS) + once + again * 16000)


FLOODS = {
    "data beyond the windows": lambda connection, stream_id:
        head(connection, stream_id, STATUS) + frame(DATA, 0, stream_id, bytes(16384)) * 4000,
    "data without bytes": lambda connection, stream_id:
        head(connection, stream_id, STATUS) + frame(DATA, 0, stream_id) * 500_000,
    "data of padding": lambda connection, stream_id:
        head(connection, stream_id, STATUS) + frame(DATA, PADDED, stream_id, b"\xff" + bytes(255)) * 200_000,
    "continuations": continuations,
    "continuations without bytes": lambda connection, stream_id:
        head(connection, stream_id, STATUS, flags=0) + frame(CONTINUATION, 0, stream_id) * 500_000,
    "a bomb of headers": bomb,
    "settings": lambda connection, stream_id: frame(SETTINGS, 0, 0) * 500_000,
    "settings of many values": lambda connection, stream_id:
        frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100) * 2000) * 1000,
    "pings": lambda connection, stream_id: frame(PING, 0, 0, bytes(8)) * 500_000,
    "priorities": lambda connection, stream_id: frame(PRIORITY, 0, stream_id, struct.pack(">IB", 0, 1)) * 500_000,
    "window updates": lambda connection, stream_id: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 500_000,
    "frames of an unknown kind": lambda connection, stream_id: frame(77, 0, stream_id, bytes(1000)) * 50_000,
    "interim answers": lambda connection, stream_id:
        head(connection, stream_id, NeverIndexedHeaderTuple(":status", "103")) * 500_000,
}


def peak_kb(shop):
    with open(f"/proc/{shop.server.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1])


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_takes_neither_the_service_nor_its_memory(shop, stripe, name):
    def flood(connection, stream_id):
        connection.send_raw(FLOODS[name](connection, stream_id))
    before_kb = peak_kb(shop)
    stripe.answer_next(*CHARGE, executed(act=flood))
    payment, = assert_completed(shop, pay_at_once(shop, 1), FLOOD_S)
    assert len(calls_for(shop, payment)) in (1, 2)
    if SCALE == 1:  # a sanitizer keeps what was freed
        assert peak_kb(shop) - before_kb < MEMORY_GROWTH_MAX_KB
    assert_settled(shop)
