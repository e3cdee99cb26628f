"""More requests than the database takes: those that find no room are refused at once, the others are answered later, and
one key's requests leave room for those of other keys."""
import contextlib
import json

import pytest

from idempotency_fixture import BODY, new_key, pay
from support.database import nobody_writes
from support.merchant import Merchant
from support.raw import Raw
from support.waiting import wait_until


class Crowd:
    """Payments of which each has a connection of its own."""

    def __init__(self, stack, merchant):
        self._stack = stack
        self._merchant = merchant
        self._clients = []

    def send(self):
        client = self._stack.enter_context(Raw(self._merchant.server))
        client.request("POST", "/v1/payments", json.dumps(BODY).encode(), X_API_Key=self._merchant.key["key"],
                       Idempotency_Key=new_key())
        self._clients.append(client)

    def answers(self):
        return [client.answer() for client in self._clients]


def refused(server):
    return server.metric("store_jobs_refused_total")


def is_settled(server, sent):
    """Whether each of the requests that were sent waits, or was refused."""
    return server.metric("store_jobs_waiting") + refused(server) >= sent


@pytest.fixture
def merchants(start_server, sandbox):
    server = start_server(sandbox.url, queue=16, queue_wait="10m")
    return [Merchant.with_stripe(server) for _ in range(2)]


def test_who_finds_the_queue_full_is_refused_and_told_when_to_come_back(merchants):
    flooding, other = merchants
    server = flooding.server
    with contextlib.ExitStack() as stack:
        flood, few = Crowd(stack, flooding), Crowd(stack, other)
        with nobody_writes(server):
            for _ in range(40):
                flood.send()
            wait_until(lambda: is_settled(server, 40), what="the flood to wait or to be refused")
            before = refused(server)
            assert before >= 40 - 16
            few.send()
            wait_until(lambda: is_settled(server, before + 1), what="another key's request to wait")
        answers = flood.answers()
        assert {answer.status for answer in answers} == {201, 503}
        for answer in answers:
            if answer.status == 503:
                assert answer.codes == ["OVERLOADED"]
                assert int(answer.headers["Retry-After"]) >= 1
        assert [answer.status for answer in few.answers()] == [201], "the flood left room for others"
    assert refused(server) == before
    for merchant in merchants:
        assert pay(merchant.api, new_key()).status == 201, "once the queue is empty, everybody is served"


def test_requests_that_would_wait_too_long_are_refused_although_the_queue_has_room(start_server, sandbox):
    server = start_server(sandbox.url, queue_wait="10ms")
    merchant = Merchant.with_stripe(server)
    with contextlib.ExitStack() as stack:
        crowd = Crowd(stack, merchant)

        def is_refused():
            crowd.send()
            return refused(server) > 0
        with nobody_writes(server):
            wait_until(is_refused, what="a request to be refused")
        statuses = [answer.status for answer in crowd.answers()]
        assert statuses.count(503) == refused(server) < len(statuses)
        assert set(statuses) == {201, 503}
    assert pay(merchant.api, new_key()).status == 201
