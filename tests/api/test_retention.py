"""What is deleted by age, and what a merchant sees of it."""
import pytest

from support.http_listener import Answer
from support.merchant import Merchant
from support.shape import refused
from support.waiting import wait_until

KEPT = {"reconcile_interval": "100ms", "answers_kept": "1s", "webhooks_kept": "1s", "history_kept": "1s",
        "audit_counts_kept": "1s"}


@pytest.fixture
def forgetful(start_server, nghttpx):
    return Merchant.with_stripe(start_server(**nghttpx.settings, webhook_schedule="3600", **KEPT))


def logs(merchant):
    return merchant.api.get("/v1/webhooks/logs", expect=200).data


def history(merchant, payment):
    return merchant.api.get(f"/v1/payments/{payment['id']}/events", expect=200).data


def test_a_payment_outlives_its_answer_its_webhook_and_its_history(forgetful, receiver):
    forgetful.use_webhook(receiver.url)
    request = {"amount": 10, "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    first = forgetful.api.post("/v1/payments", request, idempotency_key="order-1", expect=201)
    event_id = receiver.wait_for(1)[0].header("X-Event-Id")
    wait_until(lambda: not logs(forgetful), what="the webhook to be deleted")
    wait_until(lambda: not history(forgetful, first.data), what="the history to be deleted")
    refused(forgetful.api.post(f"/v1/webhooks/logs/{event_id}/redeliver"), 404, "NOT_FOUND")
    assert forgetful.payment(first.data["id"]) == first.data
    forgetful.api.post("/v1/refunds", {"payment_id": first.data["id"]}, expect=201)
    again = forgetful.api.post("/v1/payments", request, idempotency_key="order-1", expect=201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.data["id"], again.data["status"]) == (first.data["id"], "refunded"), "as it is now"
    other = forgetful.api.post("/v1/payments", request | {"amount": 11}, idempotency_key="order-1")
    refused(other, 422, "IDEMPOTENCY_KEY_REUSED")


def test_a_webhook_that_is_still_to_be_delivered_is_kept(forgetful, receiver):
    receiver.answer_next(Answer(500))
    forgetful.use_webhook(receiver.url)
    forgetful.pay()
    wait_until(lambda: [item["status"] for item in logs(forgetful)] == ["retrying"], what="it to fail")
    forgetful.pay()
    wait_until(lambda: [item["status"] for item in logs(forgetful)] == ["retrying"],
               what="only the delivered one to be deleted")


def test_old_counts_leave_the_audit_log_and_it_still_verifies(forgetful):
    server = forgetful.server
    forgetful.pay()
    server.restart()  # what is counted is written at the end
    merchant = Merchant(server)
    admin = server.api(server.command_json("createsuperadmin", "--name", "root", "--mode", "live")["key"])

    def types():
        return {item["event_type"] for item in admin.get("/v1/audit/logs", expect=200).data}

    wait_until(lambda: "auth.success" not in types(), what="the count to be deleted")
    assert types() >= {"merchant.created", "key.created", "provider.updated"}
    assert merchant.api.get("/v1/payments", expect=200).data == []
    assert "the audit log is intact" in server.command("verify-audit").stdout
