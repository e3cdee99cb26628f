"""Refunds whose outcome stays unknown for longer than Stripe surely keeps an idempotency key (24 hours). Sending one again
could refund twice by then, so it is looked up first. The tests do not wait: they make the operation older in the
database."""
import pytest

from support.database import open_database
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import SENT_AGAIN

REFUND = ("POST", "/v1/refunds")
LIST = ("GET", "/v1/refunds")
HOUR_US = 3600 * 1_000_000


def let_pass(server, hours):
    """The service, which has ended, starts again so many hours later, as far as its open operations tell."""
    with open_database(server) as database:
        changed = database.execute("UPDATE operations SET created_us = created_us - ?, next_attempt_us = 1"
                                   " WHERE kind <> 'events'", (hours * HOUR_US,)).rowcount
    assert changed == 1
    server.vouch()
    server.start()


def status_of(shop, refund):
    return shop.api.get(f"/v1/refunds/{refund['id']}", expect=200).data["status"]


@pytest.fixture
def payment(impatient_shop):
    return impatient_shop.pay("10.00")


def test_within_23_hours_it_is_sent_again_under_its_key(impatient_shop, stub_stripe, payment):
    stub_stripe.answer_always(*REFUND, executed(cut_after=0))
    refund = impatient_shop.refund(payment, "4.00")
    impatient_shop.server.terminate()
    stub_stripe.behave()
    let_pass(impatient_shop.server, 22)
    wait_until(lambda: status_of(impatient_shop, refund) == "completed", what="the refund to be completed")
    assert not stub_stripe.calls(*LIST) and len(stub_stripe.objects("refund")) == 1


def test_after_23_hours_one_that_was_made_is_found_and_not_sent_again(impatient_shop, stub_stripe, payment):
    stub_stripe.answer_always(*REFUND, executed(cut_after=0))
    refund = impatient_shop.refund(payment, "4.00")
    impatient_shop.server.terminate()
    sent = len(stub_stripe.calls(*REFUND))
    let_pass(impatient_shop.server, 24)
    wait_until(lambda: status_of(impatient_shop, refund) == "completed", what="the refund to be completed")
    assert len(stub_stripe.calls(*REFUND)) == sent and len(stub_stripe.objects("refund")) == 1
    assert stub_stripe.calls(*LIST)[0].query["payment_intent"] == payment["provider_ref"]


def test_one_that_was_never_made_is_sent_anew_once_its_key_is_surely_forgotten(impatient_shop, stub_stripe, payment):
    stub_stripe.answer_always(*REFUND, SENT_AGAIN["503"])
    refund = impatient_shop.refund(payment, "4.00")
    impatient_shop.server.terminate()
    sent = len(stub_stripe.calls(*REFUND))
    let_pass(impatient_shop.server, 24)
    stub_stripe.wait_for(*LIST)
    assert status_of(impatient_shop, refund) == "pending" and len(stub_stripe.calls(*REFUND)) == sent
    impatient_shop.api.post("/v1/refunds", {"payment_id": payment["id"], "amount": "6.01"}, expect=422)
    impatient_shop.server.terminate()
    stub_stripe.behave()
    let_pass(impatient_shop.server, 2)
    wait_until(lambda: status_of(impatient_shop, refund) == "completed", what="the refund to be completed")
    at_stripe, = stub_stripe.objects("refund")
    assert at_stripe["metadata"]["refund_id"] == refund["id"]
    assert {call.header("Idempotency-Key") for call in stub_stripe.calls(*REFUND)} == {f"ref_{refund['id']}"}
