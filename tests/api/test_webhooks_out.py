"""Webhooks to merchants: their content, their signatures, and endpoints that misbehave."""
import gzip
import json
import time
import uuid
from datetime import datetime

import pytest

from support.database import open_database
from support.events import intent_of, send_event
from support.http_listener import Answer, HttpListener
from support.merchant import Merchant
from support.receiver import Receiver, payments_signature, standard_signature
from support.server import Server
from support.stripe_model import DECLINE
from support.waiting import scaled, wait_until

FAILED = "webhook failed, will try again"


@pytest.fixture
def another_receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def server_that_allows_nothing(binary, nghttpx):
    server = Server(binary, **nghttpx.settings)
    yield server
    server.close()


def new_merchant(server, url=None):
    merchant = Merchant.with_stripe(server)
    if url:
        merchant.use_webhook(url)
    return merchant


def assert_signed(delivery, *secrets):
    """It is signed with each of these secrets, in this order, in both forms, after the event happened and before it came."""
    assert delivery.header("X-Payments-Signature") == ",".join(
        payments_signature(secret, delivery) for secret in secrets)
    assert delivery.header("webhook-signature") == " ".join(
        standard_signature(secret, delivery) for secret in secrets)
    happened_at = datetime.fromisoformat(delivery.json["created_at"]).timestamp()
    assert happened_at <= int(delivery.header("X-Payments-Timestamp")) <= delivery.received_at
    assert delivery.header("webhook-timestamp") == delivery.header("X-Payments-Timestamp")


def test_a_completed_payment_arrives_once_signed_and_named(merchant, receiver):
    secret = merchant.use_webhook(receiver.url)
    payment = merchant.pay("12.50", "EUR")
    delivery = receiver.wait_for("payment.completed")
    assert delivery.method == "POST" and delivery.path == "/webhooks/payments"
    assert delivery.header("Content-Type") == "application/json"
    assert delivery.header("User-Agent").startswith("paymentsd/")
    assert delivery.header("X-Event-Type") == "payment.completed"
    assert_signed(delivery, secret)
    body = delivery.json
    assert delivery.header("X-Event-Id") == delivery.header("webhook-id") == body["id"]
    assert str(uuid.UUID(body["id"])) == body["id"]
    assert body["data"]["payment_id"] == payment["id"]
    assert (body["data"]["amount"], body["data"]["currency"]) == ("12.50", "EUR")
    assert body["data"]["status"] == "completed"
    merchant.pay()
    receiver.wait_for(lambda later: later.json["data"]["payment_id"] != payment["id"])
    assert len(receiver.deliveries) == 2


def test_a_failed_payment_has_its_webhook_too(merchant, receiver):
    merchant.use_webhook(receiver.url)
    payment = merchant.pay(payment_method=DECLINE)
    body = receiver.wait_for("payment.failed").json
    assert body["data"]["payment_id"] == payment["id"]
    assert body["data"]["failure"]["code"] == payment["failure"]["code"]


def test_a_failing_endpoint_gets_the_same_bytes_again_newly_signed(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1,1,1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(500), Answer(404, cut_after=5), Answer(200))
    merchant.pay()
    first, second, third = receiver.wait_for(3)
    assert first.body == second.body == third.body
    assert first.header("X-Event-Id") == third.header("X-Event-Id")
    assert first.header("X-Payments-Timestamp") < third.header("X-Payments-Timestamp")
    for delivery in (first, second, third):
        assert_signed(delivery, merchant.webhook_secret)
    merchant.pay()
    receiver.wait_for(4)
    assert len(receiver.deliveries) == 4


def test_a_retry_after_is_honoured(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1,1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(503, headers={"Retry-After": "3"}))
    merchant.pay()
    first, second = receiver.wait_for(2)
    assert second.received_at - first.received_at >= 2.9


def test_events_of_one_payment_come_in_order(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1,1,1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(500), Answer(500))
    payment = merchant.pay(payment_method=DECLINE)
    send_event(server, _succeeded(payment), merchant.stripe_webhook_secret)
    wait_until(lambda: merchant.payment(payment["id"])["status"] == "completed")
    deliveries = receiver.wait_for(4)
    assert [delivery.header("X-Event-Type") for delivery in deliveries] == [
        "payment.failed", "payment.failed", "payment.failed", "payment.completed"]


def _succeeded(payment):
    return {"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": "payment_intent.succeeded",
            "created": int(time.time()), "livemode": False, "data": {"object": intent_of(payment)}}


def test_a_dead_event_lets_the_next_one_pass(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(500), Answer(500))
    payment = merchant.pay(payment_method=DECLINE)
    send_event(server, _succeeded(payment), merchant.stripe_webhook_secret)
    receiver.wait_for("payment.completed")
    assert [body["type"] for body in receiver.events()] == ["payment.failed", "payment.failed",
                                                            "payment.completed"]
    server.wait_for_log(message="webhook dead", status=500)


def test_a_hanging_endpoint_with_a_backlog_does_not_delay_another_merchants(start_server, nghttpx, receiver, another_receiver):
    server = start_server(**nghttpx.settings)
    slow, good = new_merchant(server, receiver.url), new_merchant(server, another_receiver.url)
    receiver.otherwise = Answer(hang=True)
    for _ in range(12):
        slow.pay()
    receiver.wait_for(8)  # its whole share
    for count in range(1, 6):
        before = time.monotonic()
        good.pay()
        another_receiver.wait_for(count)
        assert time.monotonic() - before < scaled(3)
    assert len(receiver.deliveries) == 8


def test_an_event_that_a_killed_server_had_not_delivered_arrives_after_the_restart(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings)
    merchant = new_merchant(server, receiver.url)
    receiver.otherwise = Answer(hang=True)
    payments = {merchant.pay()["id"] for _ in range(10)}
    receiver.wait_for(8)  # being sent; the others wait for their turn
    server.kill()
    attempts = len(receiver.deliveries)
    receiver.otherwise = Answer(200)
    server.restart()
    receiver.wait_for(attempts + 10)
    told = [delivery.json["data"]["payment_id"] for delivery in receiver.deliveries[attempts:]]
    assert sorted(told) == sorted(payments)


@pytest.mark.parametrize("answer", [Answer(200, "x" * 100_000, drip_s=0.005),
                                    Answer(200, "x" * 1000, cut_after=200),
                                    Answer(raw=b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"
                                               b"Transfer-Encoding: chunked\r\n\r\nnonsense")],
                         ids=["trickles", "is cut", "is malformed"])
def test_a_status_that_came_in_time_decides_whatever_becomes_of_the_body(start_server, nghttpx, receiver, answer):
    server = start_server(**nghttpx.settings, webhook_schedule="1,1,1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(answer)
    payment = merchant.pay()
    merchant.refund(payment)
    receiver.wait_for(2, timeout=10)  # the second waits for the first
    wait_until(lambda: [(log["status"], log["attempts"]) for log in
                        merchant.api.get("/v1/webhooks/logs", expect=200).data] == [("delivered", 1)] * 2)


def test_a_server_that_is_asked_to_end_leaves_the_rest_to_the_next(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_timeout="1s")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(hang=True))
    payment = merchant.pay()
    receiver.wait_for(1)
    server.restart()
    again = receiver.wait_for(2)[1]
    assert again.json["data"]["payment_id"] == payment["id"]


def test_without_a_url_events_wait_for_one(merchant, receiver):
    payments = {merchant.pay()["id"] for _ in range(3)}
    merchant.use_webhook(receiver.url)
    assert {delivery.json["data"]["payment_id"] for delivery in receiver.wait_for(3)} == payments


def test_after_a_410_nothing_is_sent_until_the_url_is_set_again(merchant, receiver):
    secret = merchant.use_webhook(receiver.url)
    receiver.answer_next(Answer(410))
    first = merchant.pay()
    receiver.wait_for(1)
    merchant.server.wait_for_log(message="the webhook endpoint answered 410, its events wait for a new URL",
                                 merchant_id=merchant.id)
    second = merchant.pay()
    # Meanwhile a later event is delivered.
    other = new_merchant(merchant.server, receiver.url)
    third = other.pay()
    receiver.wait_for(lambda delivery: delivery.json["data"]["payment_id"] == third["id"])
    assert len(receiver.deliveries) == 2
    merchant.api.put("/v1/merchant/webhook", {"webhook_url": receiver.url}, expect=200)
    told = [delivery.json["data"]["payment_id"] for delivery in receiver.wait_for(4)[2:]]
    assert sorted(told) == sorted([first["id"], second["id"]])
    assert_signed(receiver.deliveries[2], secret)


def test_an_attempt_goes_to_the_url_of_its_time(start_server, nghttpx, receiver, another_receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1,1,1")
    merchant = new_merchant(server, receiver.url)
    receiver.otherwise = Answer(500)
    merchant.pay()
    receiver.wait_for(1)
    secret = merchant.webhook_secret
    new_secret = merchant.use_webhook(another_receiver.url)
    delivery = another_receiver.wait_for("payment.completed")
    assert_signed(delivery, new_secret, secret)


def test_a_replaced_secret_signs_together_with_the_new_one(merchant, receiver):
    old = merchant.use_webhook(receiver.url)
    new = merchant.api.put("/v1/merchant/webhook", {"webhook_url": receiver.url, "rotate_secret": True},
                           expect=200).data["webhook_secret"]
    assert new != old
    merchant.pay()
    assert_signed(receiver.wait_for("payment.completed"), new, old)


def test_a_replaced_secret_signs_for_24_hours_and_no_longer(merchant, receiver):
    old = merchant.use_webhook(receiver.url)
    new = merchant.api.put("/v1/merchant/webhook", {"webhook_url": receiver.url, "rotate_secret": True},
                           expect=200).data["webhook_secret"]
    merchant.server.secrets.add(new)
    with open_database(merchant.server) as database:
        row = (uuid.UUID(merchant.id).bytes,)
        (overlap_us,), = database.execute(
            "SELECT webhook_secret_old_until_us - updated_us FROM merchants WHERE id = ?", row).fetchall()
        assert overlap_us == 24 * 3600 * 1000000
        database.execute("UPDATE merchants SET webhook_secret_old_until_us = updated_us WHERE id = ?", row)
    merchant.pay()
    assert_signed(receiver.wait_for("payment.completed"), new)


def test_a_redirect_is_not_followed(start_server, nghttpx, receiver, another_receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(307, headers={"Location": another_receiver.url}))
    merchant.pay()
    receiver.wait_for(2)
    assert another_receiver.deliveries == []
    server.wait_for_log(message=FAILED, status=307,
                        error="the endpoint answered 307; redirects are not followed")


def test_a_long_answer_counts_by_its_status(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(200, body="x" * 1000000))
    merchant.pay()
    receiver.wait_for(1)
    wait_until(lambda: 'payments_deliveries_total{result="delivered"} 1' in
               server.api().get("/metrics").body.decode())
    assert len(receiver.deliveries) == 1


@pytest.mark.parametrize("answer", [
    Answer(200, "x" * 200, drip_s=0.05),
    Answer(raw=b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" * 4000), Answer(raw=b"HTTP/0.9 200\r\n"),
    Answer(raw=b"200 OK"), Answer(raw=b"HTTP/1.1 999999 OK\r\n\r\n"), Answer(200, cut_after=20)],
    ids=["a byte at a time", "interim answers without an end", "an old version",
         "no HTTP", "no status", "cut in the head"])
def test_an_answer_that_never_comes_whole_is_a_failed_attempt_and_bounded(start_server, nghttpx, receiver, answer):
    server = start_server(**nghttpx.settings, webhook_schedule="1", webhook_timeout="1s", log_level="debug")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(answer)
    merchant.pay()
    server.wait_for_log(message=FAILED, merchant_id=merchant.id)
    server.wait_for_log(message="webhook delivered", merchant_id=merchant.id)
    assert len(receiver.deliveries) == 2 and not receiver.deliveries[0].header("Accept-Encoding")


def test_headers_without_an_end_count_by_the_status_before_them(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1", log_level="debug")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-Any: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 4000))
    merchant.pay()
    server.wait_for_log(message="webhook delivered", merchant_id=merchant.id)
    assert len(receiver.deliveries) == 1


@pytest.mark.parametrize("kind", ["gzip", "br", "deflate, gzip", "nothing"])
def test_a_compressed_answer_is_not_unpacked(start_server, nghttpx, receiver, kind):
    server = start_server(**nghttpx.settings, webhook_schedule="1", log_level="debug")
    merchant = new_merchant(server, receiver.url)
    receiver.answer_next(Answer(200, gzip.compress(bytes(10_000_000)), {"Content-Encoding": kind}))
    merchant.pay()
    server.wait_for_log(message="webhook delivered", merchant_id=merchant.id)
    assert len(receiver.deliveries) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "10.0.0.1", "0.0.0.0",
                                  "169.254.169.254", "2130706433", "0x7f.1", "127.1", "[64:ff9b::7f00:1]"])
def test_a_private_address_is_refused_as_a_url(server_that_allows_nothing, host):
    merchant = Merchant(server_that_allows_nothing)
    answer = merchant.api.put("/v1/merchant/webhook", {"webhook_url": f"https://{host}:8443/hooks"}, expect=422)
    assert answer.fields == {"webhook_url"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_reached_though_it_was_allowed_when_the_url_was_set(start_server, nghttpx, receiver, host):
    server = start_server(**nghttpx.settings, webhook_allow="127.0.0.1,::1")
    merchant = new_merchant(server, receiver.url.replace("127.0.0.1", host))
    del server.settings["webhook_allow"]
    server.restart()
    merchant.pay()
    server.wait_for_log(message=FAILED, merchant_id=merchant.id, error="address not allowed")
    assert receiver.deliveries == []


def test_http_is_not_sent_to_once_the_operator_forbids_it(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings)
    merchant = new_merchant(server, receiver.url)
    server.settings["webhook_allow_http"] = False
    server.restart()
    merchant.pay()
    server.wait_for_log(message=FAILED, merchant_id=merchant.id, error="http is not allowed")
    assert receiver.deliveries == []


def test_no_log_line_shows_a_webhooks_query_secret_or_body(start_server, nghttpx, receiver):
    server = start_server(**nghttpx.settings, webhook_schedule="1", log_level="debug")
    merchant = new_merchant(server, receiver.url + "?token=hidden-in-the-query")
    receiver.answer_next(Answer(500))
    merchant.pay(description="a-description-in-the-body")
    server.wait_for_log(message=FAILED, merchant_id=merchant.id)
    server.wait_for_log(message="webhook delivered", merchant_id=merchant.id)
    log = json.dumps(server.log())
    for hidden in ("hidden-in-the-query", merchant.webhook_secret, "a-description-in-the-body"):
        assert hidden not in log


def test_a_hanging_endpoint_does_not_delay_another_of_the_same_host(start_server, nghttpx):
    arrived = []

    def respond(request):
        arrived.append(request.path)
        return Answer(hang=request.path == "/slow")

    host = HttpListener(respond)
    try:
        server = start_server(**nghttpx.settings)
        slow, good = new_merchant(server, host.url + "/slow"), new_merchant(server, host.url + "/good")
        for _ in range(10):
            slow.pay()
        wait_until(lambda: arrived.count("/slow") == 8)
        good.pay()
        wait_until(lambda: "/good" in arrived, timeout=5)
    finally:
        host.close()
