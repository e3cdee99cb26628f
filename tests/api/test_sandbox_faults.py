"""Injected faults, the ledger that shows the charges made in spite of them, and a restart."""
import socket
import subprocess
import time
import urllib.parse

import pytest
import requests
import stripe

from sandbox_fixture import Account, CHARGE_FORM, charges_of, set_faults
from support.http_listener import Answer
from support.waiting import PATIENCE_S, scaled

OFF = {"latency_ms": 0, "error_rate": 0, "error_status": 0, "drop_before_rate": 0, "drop_after_rate": 0,
       "duplicate_events_rate": 0, "reorder_events_rate": 0, "hold_events_ms": 0, "seed": 0}


def test_all_faults_are_off_at_first(own_sandbox):
    assert requests.get(own_sandbox.url + "/_sandbox/faults", timeout=10).json() == OFF
    assert set_faults(own_sandbox) == OFF


def test_a_fault_stays_set_until_it_is_changed(own_sandbox):
    assert set_faults(own_sandbox, latency_ms=5) == OFF | {"latency_ms": 5}
    assert set_faults(own_sandbox, error_rate=0.25, error_status=503) == OFF | {
        "latency_ms": 5, "error_rate": 0.25, "error_status": 503}
    assert set_faults(own_sandbox, **OFF) == OFF


@pytest.mark.parametrize("body", ['{"colour":1}', '{"latency_ms":"5"}', '{"latency_ms":-1}', '{"latency_ms":1.5}',
                                  '{"error_rate":2}', '{"error_rate":true}', '{"error_status":200}', '{"seed":null}',
                                  '[]', '', '{"latency_ms":5,"colour":1}'])
def test_a_bad_setting_is_refused_and_changes_nothing(own_sandbox, body):
    answer = requests.post(own_sandbox.url + "/_sandbox/faults", data=body, timeout=10)
    assert answer.status_code == 400 and answer.json()["error"]["message"]
    assert set_faults(own_sandbox) == OFF


def test_latency_delays_every_answer(own_sandbox):
    account = Account(own_sandbox)
    set_faults(own_sandbox, latency_ms=300)
    started = time.monotonic()
    assert account.create().status == "succeeded"
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("status, error", [(0, stripe.error.APIError), (503, stripe.error.APIError),
                                           (429, stripe.error.RateLimitError)])
def test_an_injected_error_executes_nothing_and_is_not_kept(own_sandbox, status, error):
    account = Account(own_sandbox)
    set_faults(own_sandbox, error_rate=1, error_status=status)
    with pytest.raises(error) as caught:
        account.create(idempotency_key="k1")
    assert caught.value.http_status == (status or 500)
    assert charges_of(own_sandbox) == []
    set_faults(own_sandbox, error_rate=0)
    answer = account.post("/v1/payment_intents", CHARGE_FORM, key="k1")
    assert answer.status_code == 200 and "Idempotent-Replayed" not in answer.headers


def test_a_connection_dropped_before_executes_nothing(own_sandbox):
    account = Account(own_sandbox)
    set_faults(own_sandbox, drop_before_rate=1)
    with pytest.raises(stripe.error.APIConnectionError):
        account.create(idempotency_key="k1")
    assert charges_of(own_sandbox) == []


@pytest.mark.parametrize("latency_ms", [0, 50])
def test_a_connection_dropped_after_has_charged(own_sandbox, latency_ms):
    account = Account(own_sandbox)
    form = CHARGE_FORM | {"metadata[order]": "1"}
    set_faults(own_sandbox, drop_after_rate=1, latency_ms=latency_ms)
    with pytest.raises(requests.exceptions.ConnectionError):
        account.post("/v1/payment_intents", form, key="k1")
    assert [charge["status"] for charge in charges_of(own_sandbox, order="1")] == ["succeeded"]
    set_faults(own_sandbox, drop_after_rate=0, latency_ms=0)
    answer = account.post("/v1/payment_intents", form, key="k1")
    assert answer.json()["status"] == "succeeded" and answer.headers["Idempotent-Replayed"] == "true"
    assert len(charges_of(own_sandbox)) == 1


def test_a_seed_repeats_a_run_of_faults(own_sandbox):
    account = Account(own_sandbox)

    def run():
        set_faults(own_sandbox, error_rate=0.5, seed=42)
        return [account.get("/v1/payment_intents").status_code for _ in range(30)]

    first = run()
    assert set(first) == {200, 500} and run() == first


def test_the_sdk_gets_through_by_retrying(own_sandbox):
    account = Account(own_sandbox)
    set_faults(own_sandbox, drop_before_rate=0.2, drop_after_rate=0.2, error_rate=0.2, seed=7)
    stripe.max_network_retries = 20
    stripe_delay = stripe.http_client.HTTPClient.MAX_DELAY
    stripe.http_client.HTTPClient.MAX_DELAY = 0.01
    try:
        for order in range(10):
            assert account.create(metadata={"order": order}).status == "succeeded"
    finally:
        stripe.max_network_retries = 0
        stripe.http_client.HTTPClient.MAX_DELAY = stripe_delay
    for order in range(10):
        assert len(charges_of(own_sandbox, order=str(order))) == 1


def test_the_ledger_shows_the_charges_of_every_account(own_sandbox):
    Account(own_sandbox).create(metadata={"who": "a"})
    Account(own_sandbox, "live").declined(payment_method="pm_card_declined", metadata={"who": "b"})
    ledger = requests.get(own_sandbox.url + "/_sandbox/ledger", timeout=10).json()
    assert ledger["refunds"] == []
    assert sorted((charge["metadata"]["who"], charge["paid"]) for charge in ledger["charges"]) == [("a", True), ("b", False)]


def test_faults_leave_the_ledger_and_the_settings_reachable(own_sandbox):
    set_faults(own_sandbox, drop_before_rate=1)
    assert charges_of(own_sandbox) == []
    assert set_faults(own_sandbox, drop_before_rate=0) == OFF


def test_other_paths_and_methods_are_refused(own_sandbox):
    assert requests.get(own_sandbox.url + "/_sandbox/secrets", timeout=10).status_code == 404
    assert requests.delete(own_sandbox.url + "/_sandbox/faults", timeout=10).status_code == 405
    assert requests.post(own_sandbox.url + "/_sandbox/ledger", timeout=10).status_code == 405


def test_a_restart_keeps_everything_with_a_data_file(start_sandbox, tmp_path, receiver):
    path = tmp_path / "sandbox.journal"
    first = start_sandbox("--data", path)
    account = Account(first)
    endpoint = account.receive_at(receiver, "payment_intent.succeeded")
    receiver.otherwise = Answer(500)
    intent = account.create(idempotency_key="k1", metadata={"order": "1"})
    waiting = account.create(payment_method="pm_card_authenticationRequired")
    receiver.wait_for(1)
    first.close()
    assert path.stat().st_mode & 0o777 == 0o600

    receiver.otherwise = Answer(200)
    second = start_sandbox("--data", path)
    account = Account(second, key=account.key)
    assert account.retrieve(intent.id) == intent
    assert account.create(idempotency_key="k1", metadata={"order": "1"}).id == intent.id
    assert len(charges_of(second)) == 1
    assert [one.id for one in stripe.PaymentIntent.list(**account.options).data] == [waiting.id, intent.id]
    delivered = receiver.wait_for(lambda delivery: len(receiver.deliveries) > 1)
    assert stripe.Webhook.construct_event(delivered.body, delivered.header("Stripe-Signature"), endpoint.secret)


def test_a_killed_sandbox_has_lost_nothing_that_it_answered(start_sandbox, tmp_path):
    path = tmp_path / "sandbox.journal"
    first = start_sandbox("--data", path)
    account = Account(first)
    intents = [account.create().id for _ in range(3)]
    first.process.kill()
    with path.open("a") as journal:
        journal.write('{"key":"sk_test_cut')  # as a kill in the middle of a write leaves it
    second = start_sandbox("--data", path)
    account = Account(second, key=account.key)
    assert [account.retrieve(intent).status for intent in intents] == ["succeeded"] * 3


def test_a_file_that_is_no_journal_is_not_touched(binary, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Jo,\n")
    ended = subprocess.run([binary, "sandbox", "--listen", "127.0.0.1:0", "--data", path], capture_output=True, timeout=30)
    assert ended.returncode != 0 and b"letter.txt" in ended.stderr
    assert path.read_text() == "Dear Jo,\n"


def test_a_head_that_is_too_large_is_refused_and_does_not_wait_for_its_end(sandbox):
    head = b"GET /v1/payment_intents HTTP/1.1\r\nHost: a\r\nX-Long: "
    address = urllib.parse.urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=scaled(PATIENCE_S)) as client:
        client.sendall(head + b"a" * (16 * 1024 - len(head)))
        assert client.recv(100).startswith(b"HTTP/1.1 431 ")
