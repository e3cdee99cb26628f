"""What one node knows, the others know within about a second: addresses that fail too often, a provider that is out of
reach, a key that was revoked. And together they keep to one pace and write one audit log."""
import socket
import time
import uuid

import pytest

from nodes_fixture import at_node, wait_for_beats
from support.background import InBackground
from support.backup import back_up, put_back
from support.waiting import wait_until

FAILURES_MAX = 10
KNOWN_WITHIN_S = 5


def stranger_at(node, **headers):
    return node.api("sk_live_" + "A" * 43, **headers)


def fail_until_refused(stranger):
    for _ in range(FAILURES_MAX):
        assert stranger.get("/v1/payments").status == 401
    assert stranger.get("/v1/payments").status == 429


def wait_until_told_to_refuse(stranger):
    """Until a node refuses an address that has failed at another, and not at this one."""
    began, asked = time.monotonic(), []

    def is_refused():
        if time.monotonic() > began + KNOWN_WITHIN_S / FAILURES_MAX * (len(asked) + 1):
            asked.append(stranger.get("/v1/payments").status)
        return asked and asked[-1] == 429
    wait_until(is_refused, what="the other node to refuse the address")
    assert len(asked) < FAILURES_MAX, "it reached the limit by itself"


def test_an_address_that_fails_at_one_node_is_refused_at_the_other(start_shops):
    at_a, at_b = start_shops(2)
    fail_until_refused(stranger_at(at_a.server))
    wait_until_told_to_refuse(stranger_at(at_b.server))
    assert at_b.api.get("/v1/payments").status == 200


def test_a_new_node_refuses_such_an_address_and_does_not_hear_of_a_circuit_that_opened_before(
        start_shops, start_nodes, dead):
    at_a, = start_shops(1, stripe_api_base=dead, patience="1s")
    lose_the_provider(at_a)
    fail_until_refused(stranger_at(at_a.server))
    other, = start_nodes(1, beside=at_a.server)
    wait_until_told_to_refuse(stranger_at(other))
    assert other.metric("provider_circuit_opened_total") == 0


def test_nodes_hear_each_other_after_their_database_lost_commits(start_shops):
    """The numbers of what they tell each other went back with it."""
    at_a, at_b = start_shops(2, trusted_proxies="127.0.0.1")
    backup = back_up(at_a.server)
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        fail_until_refused(stranger_at(at_a.server, X_Forwarded_For=address))
    wait_until_told_to_refuse(stranger_at(at_b.server, X_Forwarded_For=address))
    wait_for_beats(at_a.server, 3)
    put_back(at_a.server, backup)
    at_a.server.wait_for_log(message="the database has lost what was committed")
    fail_until_refused(stranger_at(at_a.server, X_Forwarded_For="203.0.113.9"))
    wait_until_told_to_refuse(stranger_at(at_b.server, X_Forwarded_For="203.0.113.9"))


@pytest.fixture
def dead():
    """The address of a Stripe that refuses every connection."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.fixture
def silent():
    """The address of a Stripe that takes every connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_provider_out_of_reach_is_only_probed_by_a_node_that_has_not_asked_it(start_shops, start_nodes, dead, silent):
    """The other node's own calls neither fail nor are answered, so it knows only what it is told."""
    at_a, = start_shops(1, stripe_api_base=dead, patience="1s")
    other, = start_nodes(1, beside=at_a.server, stripe_api_base=silent)
    wait_for_beats(other, 1)  # by then it listens
    lose_the_provider(at_a)
    wait_until(lambda: other.metric("provider_circuit_open") == 1, what="the other node to know it", timeout=KNOWN_WITHIN_S)


def test_a_node_that_cannot_reach_the_provider_stops_no_node_that_can(start_shops, start_nodes, dead):
    at_a, = start_shops(1, stripe_api_base=dead, patience="1s")
    other, = start_nodes(1, beside=at_a.server)
    at_b = at_node(at_a, other)
    assert try_to_pay(at_b).status == 201
    lost = InBackground(lose_the_provider, at_a)
    answers = [try_to_pay(at_b) for _ in iter(lambda: lost.over, True)]
    lost.result()
    until = time.monotonic() + KNOWN_WITHIN_S / 2
    while time.monotonic() < until:  # the node that is cut off goes on trying
        try_to_pay(at_a)
        answers.append(try_to_pay(at_b))
    assert {answer.status for answer in answers} == {201} and other.metric("provider_circuit_opened_total") == 0
    assert at_a.server.metric("provider_circuit_open") == 1, "the other node's answers closed it"
    assert at_a.server.metric("provider_circuit_opened_total") == 1


def try_to_pay(shop):
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    return shop.api.post("/v1/payments", body, idempotency_key=f"order-{uuid.uuid4()}")


def lose_the_provider(shop):
    """Payments until the circuit of this node opens. Each operation counts once, until another one's call fails."""
    def is_open():
        for attempt in [InBackground(try_to_pay, shop) for _ in range(FAILURES_MAX)]:
            attempt.result()
        return shop.server.metric("provider_circuit_open") == 1
    wait_until(is_open, what="the circuit to open")


def test_a_key_that_is_revoked_stops_at_every_node(start_shops):
    at_a, at_b = start_shops(2)
    key = at_a.create_key()
    clients = [shop.server.api(key["key"]) for shop in (at_a, at_b)]
    assert [client.get("/v1/payments").status for client in clients] == [200, 200]
    at_a.server.command("revokeapikey", "--key", key["id"])
    revoked = time.monotonic()
    assert [client.get("/v1/payments").status for client in clients] == [401, 401]
    assert time.monotonic() - revoked < KNOWN_WITHIN_S


def test_nodes_write_one_audit_log(start_shops):
    shops = start_shops(3)
    for _ in range(3):
        for shop in shops:
            shop.create_key()
            shop.use_stripe()
    for shop in shops[1:]:
        shop.server.terminate()  # writes its counts
    shops[0].server.command("verify-audit")
