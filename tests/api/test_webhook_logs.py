"""The log of webhooks: what it shows of each event's delivery, its filters, and sending events by hand."""
import uuid

import pytest

from support.events import event, intent_of, send_event
from support.http_listener import Answer
from support.merchant import Merchant
from support.receiver import Receiver
from support.shape import TIME, UUID7, Either, assert_shape, refused, succeeded
from support.stripe_model import DECLINE
from support.waiting import wait_until

ITEM = {"id": UUID7, "transaction_id": Either(UUID7, None), "event_type": str, "livemode": bool, "status": str,
        "attempts": int, "last_status_code": Either(int, None), "last_error": Either(str, None),
        "delivered_at": Either(TIME, None), "next_retry_at": Either(TIME, None), "created_at": TIME}


def logs(merchant, **query):
    return merchant.api.get("/v1/webhooks/logs", query=query, expect=200).data


def log_of(merchant, log_id):
    return next(item for item in logs(merchant) if item["id"] == log_id)


def wait_for_log(merchant, **fields):
    """The only log of the merchant, once it has these fields."""
    def as_wanted():
        item, = logs(merchant)
        return item if item.items() >= fields.items() else None
    return wait_until(as_wanted, what=f"the log to have {fields}")


def redeliver(merchant, log_id, expect=200):
    return merchant.api.post(f"/v1/webhooks/logs/{log_id}/redeliver", expect=expect).data


@pytest.fixture
def start_merchant(start_server, nghttpx):
    """start_merchant(webhook_schedule="3600"): a merchant of a service of its own."""
    def start(**settings):
        return Merchant.with_stripe(start_server(**nghttpx.settings, **settings))
    return start


# The shown fields

def test_a_delivered_event_shows_its_delivery(merchant, receiver):
    merchant.use_webhook(receiver.url)
    payment = merchant.pay()
    item = wait_for_log(merchant, status="delivered")
    assert_shape(item, ITEM | {
        "id": receiver.wait_for(1)[0].header("X-Event-Id"), "transaction_id": payment["id"],
        "event_type": "payment.completed", "livemode": False, "attempts": 1, "last_status_code": 200, "last_error": None,
        "delivered_at": TIME, "next_retry_at": None})


def test_an_event_that_failed_shows_why_and_when_it_is_tried_again(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="3600")
    receiver.otherwise = Answer(500)
    merchant.use_webhook(receiver.url)
    merchant.pay()
    item = wait_for_log(merchant, status="retrying")
    assert (item["attempts"], item["last_status_code"], item["delivered_at"]) == (1, 500, None)
    assert item["last_error"] and item["next_retry_at"] > item["created_at"]


def test_an_event_that_is_abandoned_is_dead(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="1")
    receiver.otherwise = Answer(hang=False, status=503)
    merchant.use_webhook(receiver.url)
    merchant.pay()
    item = wait_for_log(merchant, status="dead")
    assert (item["attempts"], item["last_status_code"], item["next_retry_at"]) == (2, 503, None)


def test_an_endpoint_out_of_reach_has_no_status(start_merchant):
    merchant = start_merchant(webhook_schedule="3600")
    merchant.use_webhook("http://127.0.0.1:9/")
    merchant.pay()
    item = wait_for_log(merchant, status="retrying")
    assert item["last_status_code"] is None and item["last_error"]


def test_without_a_url_an_event_waits_and_shows_no_time(merchant):
    merchant.pay()
    item, = logs(merchant)
    assert (item["status"], item["attempts"], item["next_retry_at"]) == ("pending", 0, None)


def test_an_event_that_waits_for_an_earlier_one_shows_no_time(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="3600")
    receiver.otherwise = Answer(500)
    merchant.use_webhook(receiver.url)
    payment = merchant.pay(payment_method=DECLINE)
    send_event(merchant.server, event("payment_intent.succeeded", intent_of(payment)), merchant.stripe_webhook_secret)
    second, first = logs(merchant)
    assert (first["event_type"], second["event_type"]) == ("payment.failed", "payment.completed")
    assert (second["status"], second["attempts"], second["next_retry_at"]) == ("pending", 0, None)


def test_an_event_that_is_being_sent_is_processing(start_merchant, receiver):
    merchant = start_merchant()
    receiver.otherwise = Answer(hang=True)
    merchant.use_webhook(receiver.url)
    merchant.pay()
    receiver.wait_for(1)
    assert wait_for_log(merchant, status="processing")["next_retry_at"] is None


# Filters

@pytest.fixture(scope="module")
def known(server):
    """A merchant whose endpoint is gone, with events of both modes that wait."""
    merchant = Merchant(server)
    merchant.use_stripe("live")
    merchant.use_stripe("test")
    test = merchant.client(mode="test")
    gone = Receiver()
    gone.otherwise = Answer(410)
    merchant.use_webhook(gone.url)
    merchant.test_event = test.post("/v1/merchant/webhook/test", expect=201).data
    wait_for_log(merchant, status="pending", last_status_code=410)
    gone.close()
    merchant.payments = [merchant.pay(api=api, payment_method=method)
                         for api in (merchant.api, test) for method in ("pm_card_visa", DECLINE)]
    merchant.test = test
    return merchant


def test_the_list_is_filtered_by_type_and_transaction(known):
    completed = [p["id"] for p in known.payments if p["status"] == "completed"]
    assert [item["transaction_id"] for item in logs(known, event_type="payment.completed")] == completed[::-1]
    assert [item["id"] for item in logs(known, event_type="webhook.test")] == [known.test_event["id"]]
    assert logs(known, event_type="refund.failed") == []
    for payment in known.payments:
        item, = logs(known, transaction_id=payment["id"])
        assert item["transaction_id"] == payment["id"] and item["livemode"] == payment["livemode"]
    assert logs(known, transaction_id=str(uuid.uuid4())) == []
    item, = logs(known, transaction_id=known.payments[0]["id"], event_type="payment.completed", status="pending")
    assert logs(known, transaction_id=known.payments[0]["id"], event_type="payment.failed") == []


def test_the_list_is_filtered_by_status(known):
    assert len(logs(known, status="pending")) == 5
    for status in ("processing", "delivered", "retrying", "dead"):
        assert logs(known, status=status) == []


def test_the_list_is_filtered_by_time(known):
    assert len(logs(known, since="2025-01-01", until="2999-01-01")) == 5
    assert logs(known, since="2999-01-01") == logs(known, until="2025-01-01T00:00:00Z") == []


def test_the_list_is_filtered_by_mode_and_a_test_key_sees_its_own(known):
    assert [item["livemode"] for item in logs(known)] == [False, False, True, True, False]
    assert len(logs(known, livemode="true")) == 2 and len(logs(known, livemode="false")) == 3
    own = known.test.get("/v1/webhooks/logs?count=true", expect=200)
    assert [item["livemode"] for item in own.data] == [False] * 3 and own.meta["total"] == 3
    assert known.test.get("/v1/webhooks/logs?livemode=true", expect=200).data == []


def test_it_is_paged(known):
    whole = logs(known)
    first = known.api.get("/v1/webhooks/logs?page_size=3", expect=200)
    second = known.api.get("/v1/webhooks/logs", query={"page_size": 3, "cursor": first.meta["next_cursor"]}, expect=200)
    assert first.data + second.data == whole and second.meta == {"page_size": 3, "has_more": False, "next_cursor": None}


@pytest.mark.parametrize("query, field", [
    ("status=done", "status"), ("event_type=payment.made", "event_type"), ("transaction_id=1", "transaction_id"),
    ("since=now", "since"), ("until=1", "until"), ("livemode=yes", "livemode"), ("provider=stripe", "provider"),
    ("cursor=A", "cursor"), ("status=dead&status=dead", "status")])
def test_a_bad_or_unknown_filter_is_named(known, query, field):
    refused(known.api.get(f"/v1/webhooks/logs?{query}"), 422, "VALIDATION_ERROR", field)


def test_no_merchant_sees_anothers(known, merchant):
    assert logs(merchant) == []
    assert logs(merchant, transaction_id=known.payments[0]["id"]) == []


# By hand

def test_a_test_event_arrives_like_any_other(merchant, receiver):
    merchant.use_webhook(receiver.url)
    queued = succeeded(merchant.api.post("/v1/merchant/webhook/test"), 201)
    assert_shape(queued, ITEM | {"event_type": "webhook.test", "transaction_id": None, "status": "processing", "attempts": 0})
    delivery = receiver.wait_for("webhook.test")
    assert delivery.header("X-Event-Id") == delivery.json["id"] == queued["id"]
    assert delivery.json["data"] == {"livemode": True}
    wait_until(lambda: log_of(merchant, queued["id"])["status"] == "delivered")


def test_a_delivered_event_can_be_sent_again(merchant, receiver):
    merchant.use_webhook(receiver.url)
    merchant.pay()
    item = wait_for_log(merchant, status="delivered")
    assert redeliver(merchant, item["id"])["id"] == item["id"]
    first, second = receiver.wait_for(2)
    assert first.body == second.body and first.header("X-Event-Id") == second.header("X-Event-Id")
    wait_for_log(merchant, status="delivered", attempts=2)


def test_a_dead_event_gets_one_more_attempt(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="1")
    receiver.otherwise = Answer(500)
    merchant.use_webhook(receiver.url)
    merchant.pay()
    item = wait_for_log(merchant, status="dead")
    redeliver(merchant, item["id"])
    wait_for_log(merchant, status="dead", attempts=3)
    receiver.otherwise = Answer(200)
    redeliver(merchant, item["id"])
    assert wait_for_log(merchant, status="delivered", attempts=4)["delivered_at"]


def test_an_event_that_would_be_tried_again_later_is_sent_now(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="3600")
    merchant.use_webhook(receiver.url)
    receiver.answer_next(Answer(500))
    merchant.pay()
    item = wait_for_log(merchant, status="retrying")
    redeliver(merchant, item["id"])
    wait_for_log(merchant, status="delivered", attempts=2)


def test_an_event_that_waits_for_an_earlier_one_can_be_sent_before_it(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="3600")
    merchant.use_webhook(receiver.url)
    receiver.answer_next(Answer(500))
    payment = merchant.pay(payment_method=DECLINE)
    wait_for_log(merchant, status="retrying")
    send_event(merchant.server, event("payment_intent.succeeded", intent_of(payment)), merchant.stripe_webhook_secret)
    second, first = logs(merchant)
    redeliver(merchant, second["id"])
    receiver.wait_for("payment.completed")
    wait_until(lambda: log_of(merchant, second["id"])["status"] == "delivered")
    assert log_of(merchant, first["id"])["status"] == "retrying"
    redeliver(merchant, first["id"])
    wait_until(lambda: log_of(merchant, first["id"])["status"] == "delivered")


def test_an_event_after_one_that_is_sent_again_is_not_lost(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="1,1,1")
    merchant.use_webhook(receiver.url)
    payment = merchant.pay(payment_method=DECLINE)
    failed = wait_for_log(merchant, status="delivered")
    receiver.answer_next(Answer(500), Answer(500))
    redeliver(merchant, failed["id"])
    send_event(merchant.server, event("payment_intent.succeeded", intent_of(payment)), merchant.stripe_webhook_secret)
    receiver.wait_for("payment.completed")
    wait_until(lambda: {item["status"] for item in logs(merchant)} == {"delivered"})


def test_an_event_that_was_delivered_once_keeps_when(start_merchant, receiver):
    merchant = start_merchant(webhook_schedule="3600,3600")
    merchant.use_webhook(receiver.url)
    merchant.pay()
    item = wait_for_log(merchant, status="delivered")
    receiver.otherwise = Answer(500)
    redeliver(merchant, item["id"])
    assert wait_for_log(merchant, status="retrying", attempts=2)["delivered_at"] == item["delivered_at"]


def test_without_an_endpoint_nothing_can_be_sent_again(merchant, receiver):
    merchant.pay()
    item, = logs(merchant)
    refused(merchant.api.post(f"/v1/webhooks/logs/{item['id']}/redeliver"), 409, "CONFLICT")
    receiver.otherwise = Answer(410)
    merchant.use_webhook(receiver.url)
    wait_for_log(merchant, status="pending", attempts=1)
    refused(merchant.api.post(f"/v1/webhooks/logs/{item['id']}/redeliver"), 409, "CONFLICT")
    receiver.otherwise = Answer(200)
    merchant.api.put("/v1/merchant/webhook", {"webhook_url": receiver.url}, expect=200)
    wait_for_log(merchant, status="delivered")


def test_only_events_that_the_key_sees_can_be_sent_again(known, merchant):
    live = logs(known, livemode="true")[0]["id"]
    for api, path in ((merchant.api, live), (known.test, live), (merchant.api, str(uuid.uuid4())), (merchant.api, "x")):
        refused(api.post(f"/v1/webhooks/logs/{path}/redeliver"), 404, "NOT_FOUND")


def test_reading_needs_webhooks_read_and_sending_merchant_write(merchant):
    reader, writer = merchant.client("webhooks:read"), merchant.client("merchant:write")
    merchant.use_webhook("http://127.0.0.1:9/webhooks/payments")
    succeeded(reader.get("/v1/webhooks/logs"))
    refused(writer.get("/v1/webhooks/logs"), 403, "AUTH_INSUFFICIENT_SCOPE")
    queued = succeeded(writer.post("/v1/merchant/webhook/test"), 201)
    refused(reader.post("/v1/merchant/webhook/test"), 403, "AUTH_INSUFFICIENT_SCOPE")
    refused(reader.post(f"/v1/webhooks/logs/{queued['id']}/redeliver"), 403, "AUTH_INSUFFICIENT_SCOPE")
