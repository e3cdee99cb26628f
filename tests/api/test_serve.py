"""The service as a process: where it listens, how it stops and starts again, and what it logs."""
import contextlib
import signal
import sqlite3
import threading
import uuid

import pytest

from support.database import open_database
from support.merchant import Merchant
from support.shape import refused, succeeded
from support.stub import executed
from support.waiting import wait_until


def test_a_payment_is_made(merchant):
    payment = merchant.pay("10.00")
    assert payment["status"] == "completed" and payment["amount"] == "10.00"
    assert merchant.payment(payment["id"]) == payment


def test_merchants_do_not_see_each_other(server, merchant):
    payment = merchant.pay()
    assert Merchant(server).api.get(f"/v1/payments/{payment['id']}", expect=404).codes == ["NOT_FOUND"]


def test_a_webhook_reports_the_payment(merchant, receiver):
    merchant.use_webhook(receiver.url)
    payment = merchant.pay()
    delivery = receiver.wait_for("payment.completed")
    assert delivery.json["data"]["payment_id"] == payment["id"]


def test_an_internal_error_shows_only_its_request_id(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant.with_stripe(server)
    with open_database(server) as database:
        database.execute("DROP TABLE refunds")
    answer = refused(merchant.api.get("/v1/refunds"), 500, "INTERNAL_ERROR")
    assert "table" not in answer.errors[0]["message"]
    assert "refunds" in str(server.wait_for_log(level="error", request_id=answer.json["request_id"]))
    assert merchant.pay()["status"] == "completed"


def test_while_another_program_locks_the_database_writes_are_503_and_reads_go_on(start_server, stub_stripe):
    shop = Merchant.with_stripe(start_server(stub_stripe.url))
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    with contextlib.closing(sqlite3.connect(f"{shop.server.data_dir}/payments.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = refused(shop.api.post("/v1/payments", body, idempotency_key="order-1"), 503, "OVERLOADED")
        assert "locked by another process" in answer.errors[0]["message"]
        assert succeeded(shop.api.get("/v1/payments")) == []
        other.execute("ROLLBACK")
    payment = shop.api.post("/v1/payments", body, idempotency_key="order-1", expect=201).data
    assert payment["status"] == "completed" and len(stub_stripe.calls("POST", "/v1/payment_intents")) == 1


def test_it_logs_its_address_and_version(server):
    entry, = [entry for entry in server.log() if entry["message"] == "listening"]
    assert int(entry["port"]) == server.port
    assert server.api().get("/healthz").status == 200


def test_sigterm_stops_it_cleanly_and_the_data_stays(start_server, stub_stripe):
    server = start_server(stub_stripe.url)
    merchant = Merchant.with_stripe(server)
    payment = merchant.pay()
    server.restart()
    assert merchant.payment(payment["id"])["status"] == "completed"


def test_sigterm_waits_for_the_payment_under_way(start_server, stub_stripe):
    server = start_server(stub_stripe.url)
    merchant = Merchant.with_stripe(server)
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(delay_s=0.5))
    paid = []
    payer = threading.Thread(target=lambda: paid.append(merchant.pay()))
    payer.start()
    stub_stripe.wait_for("POST", "/v1/payment_intents")
    server.terminate()
    payer.join()
    assert paid and paid[0]["status"] == "completed"


def test_a_payment_under_way_survives_a_kill_and_is_charged_once(start_server, stub_stripe):
    server = start_server(stub_stripe.url, reconcile_interval="200ms", patience="1s")
    merchant = Merchant.with_stripe(server)
    key = f"order-{uuid.uuid4()}"
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(hang=True))
    payment = merchant.pay(idempotency_key=key)
    assert payment["status"] == "pending"
    server.kill()
    server.restart()
    wait_until(lambda: merchant.payment(payment["id"])["status"] == "completed", timeout=30)
    assert merchant.pay(idempotency_key=key)["id"] == payment["id"]
    assert stub_stripe.charged_minor(payment["id"]) == 1000
    assert len(stub_stripe.objects("payment_intent")) == 1


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_unused_signals_change_nothing(server, merchant, number):
    server.process.signal(number)
    assert merchant.pay()["status"] == "completed"


def test_a_crash_leaves_no_core_dump(server):
    with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    assert core.split()[-3:-1] == ["0", "0"]
