"""The receivers in docs/guide.md take each event that the service sends, once, and nothing else."""
import http.client
import json
import time

import pytest

from guide_fixture import INTERPRETERS
from support.client import Api
from support.process import Process, environment
from support.receiver import payments_signature, standard_signature
from support.waiting import scaled, wait_until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class ExampleReceiver:
    def __init__(self, language, folder, secret):
        self.process = Process([INTERPRETERS[language], f"receiver.{language}", "0"],
                               environment(WEBHOOK_SECRET=secret), folder)
        said = self.process.out.wait_for(lambda line: line.startswith("listening on ") and line)
        assert said, self.process.err.all()
        self.port = int(said.rpartition(":")[2])

    def send(self, headers, body):
        """Answers the status."""
        return Api(f"http://127.0.0.1:{self.port}").post("/webhooks/payments", body, headers=headers).status

    def forward(self, delivery):
        """Hands it what the service sent elsewhere, as it was sent."""
        return self.send(dict(delivery.headers), delivery.body)

    def told(self):
        """The lines that it printed about events."""
        return self.process.out.all()[1:]


@pytest.fixture
def start_example(language, folder):
    """start_example(secret): one of the guide's receivers."""
    started = []

    def start(secret=SECRET):
        started.append(ExampleReceiver(language, folder, secret))
        return started[-1]

    yield start
    for example in started:
        example.process.kill()


class Signed:
    """An event as whoever has the secret sends it at the time given."""

    def __init__(self, body, secret=SECRET, at=None, event_id="e1"):
        self.body = body
        stamp = str(int(time.time()) if at is None else at)
        self.headers = {"webhook-id": event_id, "webhook-timestamp": stamp, "X-Payments-Timestamp": stamp}
        self.headers |= {"X-Payments-Signature": payments_signature(secret, self),
                         "webhook-signature": standard_signature(secret, self)}

    def header(self, name):
        return self.headers[name]


def event_of(name="order-1", event_id="01942189-3988-7a1b-8c2d-3e4f5a6b7c8d"):
    return json.dumps({"id": event_id, "type": "payment.completed", "data": {
        "idempotency_key": name, "status": "completed", "updated_at": "2025-01-01T12:00:00Z"}}).encode()


def test_a_receiver_takes_what_the_service_sends_and_takes_it_once(merchant, receiver, start_example):
    example = start_example(merchant.use_webhook(receiver.url))
    merchant.pay(idempotency_key="order-1")
    merchant.pay(idempotency_key="order-2", payment_method="pm_card_visa_chargeDeclined")
    merchant.api.post("/v1/merchant/webhook/test", expect=201)
    deliveries = sorted(receiver.wait_for(3), key=lambda delivery: delivery.json["id"])
    assert [example.forward(delivery) for delivery in deliveries + deliveries] == [204] * 6
    wait_until(lambda: len(example.told()) == 3)
    assert example.told()[:2] == ["payment.completed order-1 completed", "payment.failed order-2 failed"]
    assert example.send(**vars(Signed(event_of("last"), merchant.webhook_secret))) == 204
    wait_until(lambda: example.told()[-1] == "payment.completed last completed")
    assert len(example.told()) == 4


def test_a_receiver_that_was_started_again_knows_what_it_took(start_example):
    for _ in range(2):
        example = start_example()
        assert example.send(**vars(Signed(event_of()))) == 204
        assert example.send(**vars(Signed(event_of(f"last-{example.port}", f"e{example.port}")))) == 204
        told = wait_until(lambda: any("last-" in line for line in example.told()) and example.told())
        example.process.kill()
    assert [line.split("-")[0] for line in told] == ["payment.completed last"]


def test_a_receiver_survives_the_replacement_of_its_secret(merchant, receiver, start_example):
    old = merchant.use_webhook(receiver.url)
    new = merchant.api.put("/v1/merchant/webhook", {"webhook_url": receiver.url, "rotate_secret": True},
                           expect=200).data["webhook_secret"]
    merchant.pay()
    delivery = receiver.wait_for("payment.completed")
    assert delivery.header("X-Payments-Signature").count(",") == delivery.header("webhook-signature").count(" ") == 1
    assert [start_example(secret).forward(delivery) for secret in (old, new, SECRET)] == [204, 204, 400]


FORGERIES = {
    "another secret": lambda: Signed(event_of(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    "stale": lambda: Signed(event_of(), at=int(time.time()) - 310),
    "from the future": lambda: Signed(event_of(), at=int(time.time()) + 310),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_receiver_refuses_what_is_forged_or_stale(start_example, forgery):
    example = start_example()
    assert example.send(**vars(FORGERIES[forgery]())) == 400
    assert example.send(**vars(Signed(event_of()))) == 204


def test_a_receiver_refuses_whatever_else_was_signed(start_example):
    example = start_example()
    good = Signed(event_of())
    assert example.send(good.headers, event_of("another order")) == 400
    # Either signature by itself: one that is wrong, too long a time, or none of it.
    stamps, signatures = ("X-Payments-Timestamp", "webhook-timestamp"), ("X-Payments-Signature", "webhook-signature")
    other = {"webhook-id": "e2", "X-Payments-Signature": "sha256=" + "0" * 64, "webhook-signature": "v1,AAAA"}
    wrong = other | {name: value for name in stamps for value in ["1"]}
    for name, value in wrong.items():
        assert example.send(good.headers | {name: value}, good.body) == 400, name
        assert example.send({n: v for n, v in good.headers.items() if n != name}, good.body) == 400, name
    for name in stamps:
        for value in ("", "soon", "-1", "1e9", "9" * 5000):
            assert example.send(good.headers | {name: value}, good.body) == 400, (name, value)
    for name in signatures:
        for value in ("", ",", " ", "\u00e9", "v1", good.headers[name][:-1], good.headers[name] + "0"):
            assert example.send(good.headers | {name: value}, good.body) == 400, (name, value)
    assert example.send(good.headers, b"") == 400
    assert example.told() == []
    assert example.send(good.headers, good.body) == 204


def test_a_receiver_outlives_bodies_that_end_early_or_never(start_example):
    example = start_example()
    connection = http.client.HTTPConnection("127.0.0.1", example.port, timeout=scaled(10))
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"{")
    connection.close()
    try:
        assert example.send({}, b"x" * ((1 << 20) + 1)) == 413
    except (OSError, http.client.HTTPException):
        pass  # it hung up instead of reading on
    assert example.send(**vars(Signed(event_of()))) == 204
