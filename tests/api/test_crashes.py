"""A process may end at any moment. What was answered stays answered, what was begun is ended by the next process, and
nobody pays twice: the books are compared with Stripe's."""
import http.client
import random
import signal
import threading
import time
import uuid

import pytest
import requests

from sandbox_fixture import own_sandbox, set_faults, start_sandbox  # noqa: F401
from shop_fixture import (CHARGE, SENT_AGAIN, assert_the_same_request, pay, start_shop,  # noqa: F401
                          wait_for_status)
from support.books import Books, Told, minor
from support.events import event, intent_of, send_event
from support.http_listener import Answer
from support.meanwhile import InBackground
from support.merchant import Merchant
from support.stripe_model import AUTHENTICATE
from support.stub import executed
from support.waiting import wait_until

# What a caller sees when the service ends under it.
LOST = (OSError, http.client.HTTPException)


@pytest.fixture
def shop(start_shop):
    return start_shop(stripe_timeout="10s")


def lose(paying):
    """The request has ended without an answer."""
    with pytest.raises(LOST):
        paying.result()


# At a given moment

@pytest.mark.parametrize("answer", [Answer(hang=True), executed(hang=True)], ids=["not charged", "charged"])
def test_a_payment_under_way_is_ended_by_the_next_process(start_shop, stub_stripe, receiver, answer):
    shop = start_shop(stripe_timeout="30s")
    shop.use_webhook(receiver.url)
    stub_stripe.answer_next(*CHARGE, answer)
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    shop.server.kill()
    lose(paying)
    shop.server.start()
    told = receiver.wait_for("payment.completed").json["data"]
    again = pay(shop)
    assert (again.status, again.replayed) == (201, True)
    assert (again.data["id"], again.data["status"]) == (told["id"], "completed")
    assert_the_same_request(stub_stripe.wait_for(*CHARGE, count=2), shop, told)
    assert stub_stripe.charged_minor(told["id"]) == 1000 and len(receiver.deliveries) == 1


def test_the_next_process_uses_the_credentials_of_the_first(start_shop, stub_stripe):
    shop = start_shop(patience="300ms")
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["503"])
    payment = pay(shop).data
    old_key = shop.stripe_key
    shop.use_stripe()
    shop.server.kill()
    stub_stripe.behave()
    shop.server.start()
    wait_for_status(shop, payment, "completed")
    shop.stripe_key = old_key
    assert_the_same_request(stub_stripe.calls(*CHARGE), shop, payment)


def test_what_was_answered_is_there_afterwards(shop):
    for number in range(10):
        answer = pay(shop, key=f"order-{number}")
        shop.server.kill()
        shop.server.start()
        assert shop.payment(answer.data["id"]) == answer.data
        again = pay(shop, key=f"order-{number}")
        assert (again.body, again.replayed) == (answer.body, True)


def test_a_pending_answer_stays_the_answer_over_a_kill(start_shop, stub_stripe):
    shop = start_shop(patience="300ms")
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["500"])
    first = pay(shop)
    shop.server.kill()
    stub_stripe.behave()
    shop.server.start()
    wait_for_status(shop, first.data, "completed")
    assert first.data["status"] == "pending" and pay(shop).body == first.body


def test_an_event_that_was_answered_is_applied_and_stays_known(shop, receiver):
    shop.use_webhook(receiver.url)
    payment = shop.pay(payment_method=AUTHENTICATE, return_url="https://shop.example/return")
    said = event("payment_intent.payment_failed", intent_of(payment, "requires_payment_method"))
    send_event(shop.server, said, shop.stripe_webhook_secret)
    shop.server.kill()
    shop.server.start()
    assert shop.payment(payment["id"])["status"] == "failed"
    send_event(shop.server, event("payment_intent.succeeded", intent_of(payment)), shop.stripe_webhook_secret)
    send_event(shop.server, said, shop.stripe_webhook_secret)
    assert shop.payment(payment["id"])["status"] == "completed"
    wait_until(lambda: "payment.completed" in Told(receiver).types(payment))
    assert Told(receiver).types(payment) == ["payment.failed", "payment.completed"]


def test_a_kill_at_any_point_of_a_payment_leaves_one_charge(shop, stub_stripe):
    """The kill comes ever later: before the request is there, while Stripe works, while the answer is written."""
    stub_stripe.answer_always(*CHARGE, executed(delay_s=0.02))
    for number in range(16):
        key = f"order-{number}"
        killing = threading.Timer(number * 0.003, shop.server.process.signal, [signal.SIGKILL])
        killing.start()
        try:
            pay(shop, key=key)
        except LOST:
            pass
        killing.join()
        shop.server.kill()
        shop.server.start()
        wait_until(lambda: pay(shop, key=key).status == 201)
    payments = [pay(shop, key=f"order-{number}").data for number in range(16)]
    assert len({payment["id"] for payment in payments}) == 16
    for payment in payments:
        wait_for_status(shop, payment, "completed")
        assert stub_stripe.charged_minor(payment["id"]) == 1000
    assert len(stub_stripe.objects("payment_intent")) == 16


# At random moments, in a bad network

METHODS = [("pm_card_visa", 10), ("pm_card_declined", 2), ("pm_sandbox_serverError", 1), (AUTHENTICATE, 1),
           ("pm_sandbox_processing", 1), ("pm_sandbox_processingFails", 1), ("manual", 1)]
FAULTS = {"latency_ms": 20, "error_rate": 0.1, "error_status": 503, "drop_before_rate": 0.1, "drop_after_rate": 0.15,
          "duplicate_events_rate": 0.2, "reorder_events_rate": 0.2}


class Crowd:
    """Payers side by side, each of whom repeats a payment until it is answered, as the API asks them to."""

    def __init__(self, sandbox, merchant, keys, dice):
        self.sandbox = sandbox
        self.merchant = merchant
        self.answers = {}  # the first answer to each key
        weighted = [method for method, weight in METHODS for _ in range(weight)]
        self._orders = {key: self._order(dice.choice(weighted), dice.randrange(100, 100_000)) for key in keys}
        # Who gives back, and one of how many parts.
        self._given_back = {key: (dice.choice([self._refund, self._refund_at_stripe]), dice.choice([1, 2]))
                            for key in keys if dice.random() < 0.3}
        self._left = list(keys)
        self._payers = [InBackground(self._pay_all) for _ in range(8)]

    @staticmethod
    def _order(method, cents):
        order = {"amount": f"{cents // 100}.{cents % 100:02}", "currency": "USD", "provider": "stripe",
                 "payment_method": method, "return_url": "https://shop.example/return"}
        return order | ({"payment_method": "pm_card_visa", "capture_method": "manual"} if method == "manual" else {})

    def _pay_all(self):
        while self._left:
            key = self._left.pop()
            answer = wait_until(lambda: self.repeat(key), timeout=60, what=f"an answer to {key}")
            self.answers[key] = answer
            if key in self._given_back and answer.data["status"] == "completed":
                refund, parts = self._given_back[key]
                amount = minor(answer.data["amount"]) // parts
                wait_until(lambda: refund(key, answer.data, amount), timeout=60, what=f"a refund of {key}")

    def _refund(self, key, payment, amount):
        sent = {"payment_id": payment["id"], "amount": f"{amount // 100}.{amount % 100:02}"}
        try:
            answer = self.merchant.api.post("/v1/refunds", sent, idempotency_key=f"refund-{key}")
        except LOST:
            return False
        assert answer.status in (201, 409, 503), answer
        return answer.status == 201

    def _refund_at_stripe(self, key, payment, amount):
        """At the dashboard."""
        try:
            return requests.post(f"{self.sandbox.url}/v1/refunds", timeout=10,
                                 data={"payment_intent": payment["provider_ref"], "amount": amount},
                                 headers={"Authorization": f"Bearer {self.merchant.stripe_key}",
                                          "Idempotency-Key": f"dashboard-{key}"}).ok
        except requests.ConnectionError:
            return False

    def repeat(self, key):
        """The answer to the payment; None where there is none yet."""
        try:
            answer = self.merchant.api.post("/v1/payments", self._orders[key], idempotency_key=key)
        except LOST:
            return None
        assert answer.status in (201, 409, 503), answer
        return answer if answer.status == 201 else None

    @property
    def over(self):
        return all(payer.over for payer in self._payers)

    def join(self):
        for payer in self._payers:
            payer.result(timeout=120)


def listen_to_stripe(sandbox, merchant):
    form = {"url": f"{merchant.server.url}/v1/webhooks/stripe/{merchant.id}", "enabled_events[]": "*",
            "secret": merchant.stripe_webhook_secret}
    requests.post(f"{sandbox.url}/v1/webhook_endpoints", data=form, timeout=10,
                  headers={"Authorization": f"Bearer {merchant.stripe_key}"}).raise_for_status()


def act(sandbox, merchant, payment):
    """What payer and merchant have still to do for a payment to end."""
    if payment["next_action"] is not None:
        action = "complete" if payment["amount"] < "500" else "fail"
        requests.post(payment["next_action"]["redirect_url"], data={"action": action}, allow_redirects=False, timeout=10)
    elif payment["capturable"]:
        requests.post(f"{sandbox.url}/v1/payment_intents/{payment['provider_ref']}/capture", timeout=10,
                      headers={"Authorization": f"Bearer {merchant.stripe_key}"})


def settled_books(sandbox, merchant):
    """The books once every payment has come to its end."""
    def settled():
        books = Books(sandbox, merchant)
        for payment in books.open:
            act(sandbox, merchant, merchant.payment(payment["id"]))
        return not books.open and books
    return wait_until(settled, timeout=60, what="every payment to end")


@pytest.fixture
def busy_shop(own_sandbox, start_server, receiver):
    server = start_server(own_sandbox.url, patience="1s", stripe_timeout="2s", reconcile_interval="300ms",
                          webhook_schedule=",".join(["1"] * 20))
    merchant = Merchant(server)
    merchant.use_stripe()
    merchant.use_webhook(receiver.url)
    listen_to_stripe(own_sandbox, merchant)
    return merchant


def check_everything(sandbox, merchant, receiver, crowd):
    books = settled_books(sandbox, merchant)
    books.check()
    assert sorted(payment["idempotency_key"] for payment in books.payments.values()) == sorted(crowd.answers)
    for key, first in crowd.answers.items():
        again = crowd.repeat(key)
        assert (again.body, again.replayed) == (first.body, True)
        assert books.payments[first.data["id"]]["idempotency_key"] == key

    wait_until(lambda: all(map(Told(receiver).has_all_of, books.payments.values())), timeout=30,
               what="every payment's end to be told")
    told = Told(receiver)
    for payment in books.payments.values():
        paid = ["payment.completed"] if payment["status"] != "failed" else ["payment.failed"]
        refund = ["payment.refunded"] if payment["amount_refunded"] != "0.00" else []
        types = told.types(payment)
        if payment["capture_method"] == "manual" and types[0] == "payment.capturable":
            types = types[1:]
        assert types == paid + refund, (types, payment)


def test_killed_again_and_again_in_a_bad_network_the_books_are_stripes(busy_shop, own_sandbox, receiver):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    set_faults(own_sandbox, seed=seed + 1, **FAULTS)
    receiver.answer_next(*(Answer(dice.choice([200, 200, 200, 500])) for _ in range(100)))
    crowd = Crowd(own_sandbox, busy_shop, [f"order-{uuid.uuid4()}" for _ in range(200)], dice)
    kills = 0
    while not crowd.over and kills < 8:
        time.sleep(dice.uniform(0.05, 0.6))  # when, does not matter
        busy_shop.server.kill()
        busy_shop.server.start()
        kills += 1
    crowd.join()
    assert kills >= 3
    set_faults(own_sandbox, **dict.fromkeys(FAULTS, 0))
    busy_shop.server.kill()
    busy_shop.server.start()
    check_everything(own_sandbox, busy_shop, receiver, crowd)


def test_without_any_kill_a_bad_network_is_got_through_as_well(busy_shop, own_sandbox, receiver):
    dice = random.Random(7)
    set_faults(own_sandbox, seed=7, **FAULTS)
    crowd = Crowd(own_sandbox, busy_shop, [f"order-{uuid.uuid4()}" for _ in range(60)], dice)
    crowd.join()
    set_faults(own_sandbox, **dict.fromkeys(FAULTS, 0))
    check_everything(own_sandbox, busy_shop, receiver, crowd)


# Asked to end

def test_callers_are_answered_before_it_ends(shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, executed(delay_s=0.5))
    paying = [InBackground(pay, shop, key=f"order-{number}") for number in range(5)]
    stub_stripe.wait_for(*CHARGE, count=5)
    shop.server.terminate()
    assert [one.result().data["status"] for one in paying] == ["completed"] * 5


def test_callers_are_answered_even_where_stripe_does_not_answer(start_shop, stub_stripe):
    shop = start_shop(patience="60s", stripe_timeout="60s", drain_timeout="2s")
    stub_stripe.answer_next(*CHARGE, executed(hang=True))
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    started = time.monotonic()
    shop.server.terminate()
    assert time.monotonic() - started < 4
    first = paying.result()
    assert (first.status, first.data["status"]) == (201, "pending")
    shop.server.start()
    wait_for_status(shop, first.data, "completed")
    assert pay(shop).body == first.body
    assert stub_stripe.charged_minor(first.data["id"]) == 1000


def test_nobody_is_let_in_while_it_ends(shop, stub_stripe):
    gate = threading.Event()
    stub_stripe.answer_next(*CHARGE, executed(gate=gate))
    paying = InBackground(pay, shop)
    stub_stripe.wait_for(*CHARGE)
    shop.server.process.signal(signal.SIGTERM)
    shop.server.wait_for_log(message="stopping")
    with pytest.raises(ConnectionError):
        pay(shop, key="order-2")
    gate.set()
    assert paying.result().data["status"] == "completed"
    assert shop.server.process.wait() == 0
    assert len(stub_stripe.calls(*CHARGE)) == 1


def test_a_second_service_on_the_same_data_is_refused_in_one_line(shop):
    second = shop.server.command("serve", "--listen", "127.0.0.1:0", check=False)
    assert second.returncode != 0 and second.stdout == ""
    line, = second.stderr.splitlines()
    assert "another paymentsd is serving this database" in line
    assert pay(shop).data["status"] == "completed"
