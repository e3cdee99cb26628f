"""A process may end at any moment. An answer that was given stays true, the next process ends open operations, and nobody
pays twice. tests/crash does the same at every point and at random ones."""
import http.client
import signal
import threading
import time

import pytest

from stub_fixture import CHARGE, assert_the_same_request, pay, wait_for_status
from support.ledger import ReceivedEvents
from support.events import event, intent_of, send_event
from support.http_listener import Answer
from support.background import InBackground
from support.stripe_model import AUTHENTICATE
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import SENT_AGAIN

# A caller sees one of these when the service ends during its request.
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


def test_an_answered_payment_is_there_after_a_kill(shop):
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
    wait_until(lambda: "payment.completed" in ReceivedEvents(receiver).types(payment))
    assert ReceivedEvents(receiver).types(payment) == ["payment.failed", "payment.completed"]


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
