"""Strangers who send bodies that never end, and clients who do not read: together they can make the service hold only so
much memory, each address has a share of it, and everybody else is served."""
import contextlib
import select
import time

import pytest

from support.database import open_database
from support.merchant import Merchant
from support.raw import Raw
from support.shape import refused, succeeded
from support.waiting import wait_until

BODY_BYTES = 1024 * 1024
SHARE_BYTES = 8 * 1024 * 1024
ALL_BYTES = 128 * 1024 * 1024


@pytest.fixture
def shop(start_server, nghttpx):
    """A merchant of a service that trusts no proxy, so that a connection's address is its own."""
    return Merchant.with_stripe(start_server(**nghttpx.settings))


def event_head(signature, more=""):
    signed = f"Stripe-Signature: {signature}\r\n" if signature else ""
    return (f"POST /v1/webhooks/stripe HTTP/1.1\r\nHost: a\r\n{signed}{more}Content-Length: {BODY_BYTES}\r\n\r\n").encode()


def fresh_signature():
    return f"t={int(time.time())},v1={'a' * 64}"


def send_all_but_one_byte(stack, server, source, count):
    """Events whose last byte does not come, from one address."""
    raws = [stack.enter_context(Raw(server, source=source)) for _ in range(count)]
    for raw in raws:
        raw.send(event_head(fresh_signature()) + b" " * (BODY_BYTES - 1))
    return raws


def are_taken(server, count):
    """The service has read what so many connections sent: each is held, or was refused and counted."""
    metrics = dict(line.rsplit(" ", 1) for line in server.api().get("/metrics").body.decode().splitlines())
    held, refusals = (int(metrics[f"payments_http_memory_{name}"]) for name in ("bytes", "refused_total"))
    return held // BODY_BYTES + refusals >= count and (held, refusals)


def test_bodies_that_never_end_hold_no_more_than_the_share_of_their_address(shop):
    with contextlib.ExitStack() as stack:
        raws = send_all_but_one_byte(stack, shop.server, "127.0.0.2", 30)
        held, refusals = wait_until(lambda: are_taken(shop.server, 30))
        assert held <= SHARE_BYTES and refusals >= 30 - SHARE_BYTES // BODY_BYTES
        assert shop.pay()["status"] == "completed", "others have a share of their own"
        for raw in raws:
            with contextlib.suppress(OSError):
                raw.send(b" ")
        statuses = [raw.answer().status for raw in raws]
        assert statuses.count(503) == refusals and set(statuses) == {503, 400}
    wait_until(lambda: shop.server.metric("http_memory_bytes") == 0)


def test_bodies_from_everywhere_stay_within_a_bound_and_leave_room_when_they_end(shop):
    with contextlib.ExitStack() as stack:
        for number in range(20):
            send_all_but_one_byte(stack, shop.server, f"127.0.1.{number + 1}", 9)
        held, refusals = wait_until(lambda: are_taken(shop.server, 180))
        assert ALL_BYTES // 2 < held <= ALL_BYTES and refusals >= 180 - ALL_BYTES // BODY_BYTES
    wait_until(lambda: shop.server.metric("http_memory_bytes") == 0)
    assert shop.pay()["status"] == "completed"


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=" + "a" * 64, "v1=" + "a" * 64])
def test_an_event_without_a_fresh_signature_is_refused_at_its_head(server, signature):
    with Raw(server) as raw:
        raw.send(event_head(signature, "Expect: 100-continue\r\n"))
        assert raw.answer().codes == ["SIGNATURE_INVALID"], "and not asked to go on"


def test_the_body_of_a_request_refused_at_its_head_is_not_held(shop):
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            raw = stack.enter_context(Raw(shop.server))
            raw.send(event_head("t=1,v1=" + "a" * 64) + b" " * (BODY_BYTES - 1))
        for _ in range(20):
            raw = stack.enter_context(Raw(shop.server))
            raw.send(b"GET /v1/payments HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + b" " * 65535)
        assert shop.server.metric("http_memory_bytes") == 0


def test_a_client_that_does_not_read_long_answers_holds_no_more_than_its_share(shop):
    for _ in range(100):
        shop.pay()
    with open_database(shop.server) as database:
        database.execute("UPDATE payments SET metadata = ?", ('{"a":"' + "x" * 100_000 + '"}',))
    asked = f"GET /v1/payments?page_size=100 HTTP/1.1\r\nHost: a\r\nX-API-Key: {shop.key['key']}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(Raw(shop.server, receive_bytes=4096, source="127.0.0.2"))
        silent.send(asked)
        wait_until(lambda: select.select([silent], [], [], 0)[0], what="the first bytes of a long answer")
        second = stack.enter_context(Raw(shop.server, source="127.0.0.2"))
        second.send(asked)
        refused(second.answer(), 503, "OVERLOADED")
        assert len(succeeded(shop.api.unrecorded().get("/v1/payments?page_size=100"))) == 100
        answer = silent.answer()
        assert answer.status == 200 and len(answer.json["data"]) == 100
    wait_until(lambda: shop.server.metric("http_memory_bytes") == 0)
