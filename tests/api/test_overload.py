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
        self.keys = []  # of idempotency

    def send(self):
        client = self._stack.enter_context(Raw(self._merchant.server))
        self.keys.append(new_key())
        client.request("POST", "/v1/payments", json.dumps(BODY).encode(), X_API_Key=self._merchant.key["key"],
                       Idempotency_Key=self.keys[-1])
        self._clients.append(client)

    def answers(self):
        """In the order of `keys`."""
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


def test_a_refused_payment_was_not_begun_and_can_be_made_with_the_same_key(merchants):
    merchant = merchants[0]
    with contextlib.ExitStack() as stack:
        crowd = Crowd(stack, merchant)
        with nobody_writes(merchant.server):
            for _ in range(40):
                crowd.send()
            wait_until(lambda: is_settled(merchant.server, 40), what="the crowd to wait or to be refused")
        answers = crowd.answers()
    statuses = {key: answer.status for key, answer in zip(crowd.keys, answers, strict=True)}
    assert set(statuses.values()) == {201, 503}
    for key, status in statuses.items():
        again = pay(merchant.api, key)
        assert again.status == 201
        assert again.headers.get("Idempotent-Replayed") == ("true" if status == 201 else None)
    assert merchant.api.get("/v1/payments?count=true", expect=200).json["meta"]["total"] == 40


def test_the_log_counts_refused_requests_instead_of_naming_each(merchants):
    merchant = merchants[0]
    server = merchant.server
    with contextlib.ExitStack() as stack:
        crowd = Crowd(stack, merchant)
        with nobody_writes(server):
            for _ in range(40):
                crowd.send()
            wait_until(lambda: is_settled(server, 40), what="the crowd to wait or to be refused")
        crowd.answers()
    server.wait_for_log(message="requests were refused: too many are waiting")
    assert not [entry for entry in server.log() if entry.get("status") == 503 and entry.get("path") == "/v1/payments"]
