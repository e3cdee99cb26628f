"""Requests that come at once: those under one key are one charge, and those that find no room do not consume their keys."""
import concurrent.futures
import contextlib
import json
import threading

from idempotency_fixture import BODY, new_key, pay
from sandbox_fixture import charges_of
from support.database import nobody_writes
from support.merchant import Merchant
from support.raw import Raw
from support.shape import refused, succeeded
from support.stub import executed
from support.waiting import wait_until


# Under one key, or under several

def test_while_the_first_is_in_flight_a_repeat_has_to_wait(observed):
    gate, key = threading.Event(), new_key()
    observed.stripe.answer_next("POST", "/v1/payment_intents", executed(gate=gate))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(pay, observed.api, key)
        wait_until(observed.charges, what="the charge to reach Stripe")
        early = refused(pay(observed.api, key), 409, "IDEMPOTENCY_IN_PROGRESS")
        assert int(early.headers["Retry-After"]) >= 1
        refused(pay(observed.api, key, BODY | {"amount": "11.00"}), 422, "IDEMPOTENCY_KEY_REUSED")
        assert not pay(observed.api, new_key()).replayed
        gate.set()
        assert first.result().status == 201
    again = pay(observed.api, key)
    assert again.replayed and again.body == first.result().body
    assert observed.stripe.charged_minor(again.data["id"]) == 1000


def test_a_caller_who_hangs_up_finds_the_answer_when_it_comes_again(observed):
    gate, key = threading.Event(), new_key()
    observed.stripe.answer_next("POST", "/v1/payment_intents", executed(gate=gate))
    with Raw(observed.server) as client:
        client.request("POST", "/v1/payments", json.dumps(BODY).encode(), X_API_Key=observed.key["key"],
                       Idempotency_Key=key)
        wait_until(observed.charges, what="the charge to reach Stripe")
    gate.set()
    again = wait_until(lambda: (answer := pay(observed.api, key)).status == 201 and answer)
    assert again.replayed and again.data["status"] == "completed"
    assert len(observed.charges()) == 1


def test_32_identical_requests_at_once_are_one_charge(merchant, sandbox):
    key = new_key()
    start = threading.Barrier(32)

    def ask(_):
        start.wait()
        return pay(merchant.api, key)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(32)))
    made = [answer for answer in answers if answer.status == 201]
    assert made and {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in made}) == 1
    assert made[0].data["status"] == "completed"  # none was answered before the outcome was known
    assert len([answer for answer in made if not answer.replayed]) == 1
    for answer in answers:
        if answer.status == 409:
            refused(answer, 409, "IDEMPOTENCY_IN_PROGRESS")
    assert len(charges_of(sandbox, merchant_id=merchant.id)) == 1
    assert len(succeeded(merchant.api.get("/v1/payments"))) == 1


def test_only_one_of_several_requests_at_once_under_one_key_is_carried_out(merchant, sandbox):
    key = new_key()
    bodies = [BODY | {"amount": f"{10 + number}.00"} for number in range(16)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: pay(merchant.api, key, body), bodies))
    assert sorted(answer.status for answer in answers) == [201] + [422] * 15
    for answer in answers:
        if answer.status == 422:
            refused(answer, 422, "IDEMPOTENCY_KEY_REUSED")
    assert len(charges_of(sandbox, merchant_id=merchant.id)) == 1


def test_16_different_keys_at_once_are_16_charges(merchant, sandbox):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: pay(merchant.api, new_key()), range(16)))
    assert [answer.status for answer in answers] == [201] * 16
    assert len({answer.data["provider_ref"] for answer in answers}) == 16
    assert len(charges_of(sandbox, merchant_id=merchant.id)) == 16


# Without room

def test_a_service_that_has_no_room_leaves_the_key_free(start_server, stub_stripe):
    merchant = Merchant.with_stripe(start_server(stub_stripe.url, operations=1))
    gate, key, waiting_key = threading.Event(), new_key(), new_key()
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(gate=gate))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(pay, merchant.api, key)
        stub_stripe.wait_for("POST", "/v1/payment_intents")
        refused(pay(merchant.api, waiting_key), 503, "OVERLOADED")
        refused(pay(merchant.api, key), 409, "IDEMPOTENCY_IN_PROGRESS")
        assert len(succeeded(merchant.api.get("/v1/payments"))) == 1, "nothing was recorded"
        gate.set()
        assert first.result().status == 201
    assert pay(merchant.api, key).replayed
    assert not pay(merchant.api, waiting_key, expect=201).replayed


def test_requests_that_come_together_have_no_more_room_than_one_after_the_other(start_server, stub_stripe):
    merchant = Merchant.with_stripe(start_server(stub_stripe.url, operations=3))
    with contextlib.ExitStack() as stack:
        with nobody_writes(merchant.server):
            clients = [stack.enter_context(Raw(merchant.server)) for _ in range(12)]
            for client in clients:
                client.request("POST", "/v1/payments", json.dumps(BODY).encode(), X_API_Key=merchant.key["key"],
                               Idempotency_Key=new_key())
            wait_until(lambda: merchant.server.metric("store_jobs_waiting") >= 12, what="all of them to wait together")
        assert sorted(client.answer().status for client in clients) == [201] * 3 + [503] * 9
    for _ in range(4):
        assert pay(merchant.api, new_key()).status == 201, "the places were given back"
