"""The limiter: which calls Stripe gets and when, each account's pace, and a Stripe that is unreachable."""
import concurrent.futures

import pytest

from stub_fixture import CHARGE, pay, wait_for_status
from support.http_listener import Answer
from support.merchant import Merchant
from support.stripe_model import stripe_error
from support.waiting import wait_until

FAILURES = 10  # in a row, of as many payments: Stripe counts as unreachable


def pay_all(shop, keys):
    with concurrent.futures.ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(lambda key: pay(shop, key=key), keys))


def refused(shop, keys):
    """One of these that are sent at once that is refused, and its key: one may be let through, to see if Stripe is
    back."""
    answers = zip(keys, pay_all(shop, keys))
    return next((key, answer) for key, answer in answers if answer.status != 201)


def assert_overloaded(answer):
    assert (answer.status, answer.codes) == (503, ["OVERLOADED"]) and int(answer.headers["Retry-After"]) >= 1


UNREACHABLE = {"nobody listens": None, "503": Answer(503, stripe_error("api_error")),
               "409": Answer(409, stripe_error("api_error")), "424": Answer(424, stripe_error("api_error")),
               "something else answers 404": Answer(404, {"message": "no Route matched with those values"})}


@pytest.mark.parametrize("how", UNREACHABLE)
def test_while_stripe_is_unreachable_nothing_new_is_recorded_and_all_goes_on_when_it_is_back(start_shop, stub_stripe, how):
    shop = start_shop(patience="300ms")
    if UNREACHABLE[how] is None:
        stub_stripe.close()
    else:
        stub_stripe.answer_always(*CHARGE, UNREACHABLE[how])
    open_ones = [answer.data for answer in pay_all(shop, [f"open-{n}" for n in range(FAILURES)])]
    wait_until(lambda: shop.server.metric("provider_circuit_open"))
    key, answer = refused(shop, [f"late-{n}" for n in range(5)])
    assert_overloaded(answer)
    known = shop.api.get("/v1/payments?page_size=100").data
    assert key not in {payment["idempotency_key"] for payment in known}

    if UNREACHABLE[how] is None:
        stub_stripe.come_back()
    else:
        stub_stripe.behave()
    wait_until(lambda: not shop.server.metric("provider_circuit_open"))
    for payment in open_ones:
        wait_for_status(shop, payment, "completed")
        assert stub_stripe.charged_minor(payment["id"]) == 1000
    again = pay(shop, key=key)
    assert (again.status, again.replayed) == (201, False)
    assert wait_for_status(shop, again.data, "completed")
    assert shop.server.metric("provider_circuit_opened_total") >= 1


def test_an_answer_that_is_not_stripes_is_logged_once_for_each_account(start_shop, stub_stripe):
    shop = start_shop(patience="300ms", reconcile_interval="100ms")
    stub_stripe.answer_always(*CHARGE, UNREACHABLE["something else answers 404"])
    other = Merchant.with_stripe(shop.server)
    payment = pay(shop).data
    pay(other)
    wait_until(lambda: len(stub_stripe.calls(*CHARGE)) > 5)
    warned = [entry for entry in shop.server.log() if entry["message"] ==
              "an answer did not come from the provider: check its address and the proxy"]
    assert [entry["level"] for entry in warned] == ["warn", "warn"]
    assert {entry["merchant_id"] for entry in warned} == {shop.id, other.id}
    assert shop.api.get(f"/v1/payments/{payment['id']}").data["status"] == "pending"
    stub_stripe.behave()
    wait_for_status(shop, payment, "completed")


def test_payments_whose_own_keys_are_in_use_open_nothing(start_shop, stub_stripe):
    shop = start_shop(patience="300ms")
    stub_stripe.answer_always(*CHARGE, Answer(409, stripe_error("idempotency_error", code="idempotency_key_in_use")))
    answers = pay_all(shop, [f"busy-{n}" for n in range(2 * FAILURES)])
    assert {answer.data["status"] for answer in answers} == {"pending"}
    assert shop.server.metric("provider_circuit_opened_total") == 0


def test_a_merchants_broken_key_opens_nothing(start_shop, stub_stripe):
    shop = start_shop()
    stub_stripe.answer_always(*CHARGE, Answer(401, stripe_error(code="api_key_expired")))
    answers = pay_all(shop, [f"broken-{n}" for n in range(2 * FAILURES)])
    assert {answer.data["status"] for answer in answers} == {"failed"}
    assert shop.server.metric("provider_circuit_opened_total") == 0
    stub_stripe.behave()
    assert pay(shop, key="order-2").data["status"] == "completed"


def test_a_share_that_is_used_up_is_a_503_and_the_same_key_is_served_later(start_shop, stub_stripe):
    shop = start_shop(stripe_rate="1,1")
    stub_stripe.answer_always(*CHARGE, Answer(hang=True))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(pay, shop, key=f"first-{n}") for n in range(5)]  # five seconds' worth
        wait_until(lambda: shop.server.metric("operations_callers_waiting") == 5)
        late = pay(shop, key="late")
        assert_overloaded(late)
        assert shop.server.metric("provider_refused_total") == 1
        stub_stripe.behave()
        assert all(answer.result().status == 201 for answer in waiting)
    again = wait_until(lambda: (answer := pay(shop, key="late")).status == 201 and answer)
    assert not again.replayed and len(stub_stripe.objects("payment_intent")) == 6


def test_a_flood_of_one_merchant_does_not_delay_anothers_payment(start_shop, stub_stripe):
    shop = start_shop(stripe_rate="1,1", patience="30s")
    other = Merchant.with_stripe(shop.server)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        flood = [pool.submit(pay, shop, key=f"flood-{n}") for n in range(5)]
        wait_until(lambda: shop.server.metric("provider_calls_queued") > 0)
        first = pay(other).data
        flooded = {f"Bearer {shop.stripe_key}"}
        sent = [request.header("Authorization") for request in stub_stripe.calls(*CHARGE)]
        assert first["status"] == "completed" and sum(key in flooded for key in sent) < 5, sent
        assert {answer.result().data["status"] for answer in flood} == {"completed"}


def test_an_account_that_is_told_to_slow_down_pauses_alone(start_shop, stub_stripe):
    shop = start_shop()
    other = Merchant.with_stripe(shop.server)
    limited = Answer(429, stripe_error(code="rate_limit"), {"Retry-After": "3"})
    stub_stripe.answer_next(*CHARGE, limited)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(pay, shop)
        wait_until(lambda: shop.server.metric("provider_limited_total") == 1)
        assert_overloaded(pay(shop, key="order-2"))
        assert pay(other).data["status"] == "completed"
        assert first.result().data["status"] == "completed"
    assert pay(shop, key="order-2").data["status"] == "completed"


def test_a_bad_rate_is_refused_at_the_start(start_server, stub_stripe):
    with pytest.raises(AssertionError, match="stripe-rate: must be the requests per second"):
        start_server(stub_stripe.url, stripe_rate="25")
