"""What one node knows, the others know within about a second: addresses that fail too often, a provider that is out of
reach, a key that was revoked. And together they keep to one pace and write one audit log."""
import socket
import time
import uuid

from stub_fixture import CHARGE
from support.http_listener import Answer
from support.waiting import wait_until

FAILURES_MAX = 10
KNOWN_WITHIN_S = 5


def test_an_address_that_fails_at_one_node_is_refused_at_the_other(start_shops):
    at_a, at_b = start_shops(2)
    stranger_at_a, stranger_at_b = at_a.server.api("sk_live_" + "A" * 43), at_b.server.api("sk_live_" + "A" * 43)
    for _ in range(FAILURES_MAX):
        assert stranger_at_a.get("/v1/payments").status == 401
    assert stranger_at_a.get("/v1/payments").status == 429
    began, asked = time.monotonic(), []

    def is_refused():
        if time.monotonic() > began + KNOWN_WITHIN_S / FAILURES_MAX * (len(asked) + 1):
            asked.append(stranger_at_b.get("/v1/payments").status)
        return asked and asked[-1] == 429
    wait_until(is_refused, what="the other node to refuse the address")
    assert len(asked) < FAILURES_MAX, "it reached the limit by itself"
    assert at_b.api.get("/v1/payments").status == 200


def test_a_provider_out_of_reach_of_one_node_is_only_probed_by_the_other(start_shops, start_nodes, stub_stripe):
    """The other node's own calls do not fail, so it knows only what it is told."""
    stub_stripe.answer_always(*CHARGE, Answer(hang=True))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
        at_a, = start_shops(1, stripe_api_base=dead, patience="1s")
        for _ in range(3):  # each operation counts once, until another one's call fails
            try_to_pay(at_a)
        wait_until(lambda: at_a.server.metric("provider_circuit_open") == 1, what="the circuit to open")
        other, = start_nodes(1, beside=at_a.server)
        wait_until(lambda: other.metric("provider_circuit_open") == 1, what="the other node to know it",
                   timeout=KNOWN_WITHIN_S)


def try_to_pay(shop):
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    shop.api.post("/v1/payments", body, idempotency_key=f"order-{uuid.uuid4()}")


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
