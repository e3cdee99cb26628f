"""A payment's history: what changed, when and why."""
import uuid

import pytest

from stub_fixture import CHARGE, pay_in_vain, wait_for_status
from support.events import event, intent_of, send_event
from support.merchant import Merchant
from support.shape import TIME, UUID7, assert_shape, refused, succeeded
from support.stripe_model import AUTHENTICATE, DECLINE
from support.stub import executed

ITEM = {"id": UUID7, "what": str, "status": str, "cause": str, "cause_ref": object, "created_at": TIME}


def events_of(api, payment, **query):
    return api.get(f"/v1/payments/{payment['id']}/events", query=query, expect=200)


def said(answer):
    return [(item["what"], item["status"], item["cause"], item["cause_ref"]) for item in answer.data]


def tell(merchant, payment, event_type, status, **fields):
    """Has Stripe tell of the payment's intent; answers the event's id."""
    sent = event(event_type, intent_of(payment, status, **fields))
    send_event(merchant.server, sent, merchant.stripe_webhook_secret)
    return sent["id"]


def test_a_payment_that_is_made_at_once_was_created_and_completed_by_its_request(merchant):
    made = merchant.api.post("/v1/payments", {"amount": 10, "currency": "USD", "provider": "stripe",
                                              "payment_method": "pm_card_visa"},
                             idempotency_key="order-1", headers={"X-Request-Id": "checkout-1001"}, expect=201)
    answer = events_of(merchant.api, made.data)
    completed, created = said(answer)
    assert created == ("created", "pending", "api", "checkout-1001")
    assert completed[:3] == ("completed", "completed", "api") and completed[3].startswith("req_")
    assert answer.meta == {"page": 1, "page_size": 50, "has_more": False, "next_cursor": None}
    for item in answer.data:
        assert item.keys() == ITEM.keys()
        assert_shape(item | {"cause_ref": None}, ITEM | {"cause_ref": None})
    assert answer.data[1]["created_at"] == made.data["created_at"]


def test_a_declined_payment_failed_by_its_request(merchant):
    assert [line[:3] for line in said(events_of(merchant.api, merchant.pay(payment_method=DECLINE)))] == [
        ("failed", "failed", "api"), ("created", "pending", "api")]


def test_a_change_by_an_event_shows_the_events_id(merchant):
    payment = merchant.pay(payment_method=AUTHENTICATE)
    told = tell(merchant, payment, "payment_intent.succeeded", "succeeded")
    newest = said(events_of(merchant.api, payment))[0]
    assert newest == ("completed", "completed", "event", told)


def test_an_ignored_event_is_in_the_history_too(merchant):
    payment = merchant.pay()
    told = tell(merchant, payment, "payment_intent.payment_failed", "requires_payment_method")
    what, status, cause, ref = said(events_of(merchant.api, payment))[0]
    assert what.startswith("ignored") and (status, cause, ref) == ("completed", "event", told)
    assert merchant.payment(payment["id"])["status"] == "completed"


def test_a_change_that_the_service_found_by_itself_has_the_cause_recovery(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.behave()
    wait_for_status(impatient_shop, payment, "completed")
    assert said(events_of(impatient_shop.api, payment))[0][:3] == ("completed", "completed", "recovery")


def test_a_long_history_is_paged_newest_first(merchant):
    payment = merchant.pay()
    told = [tell(merchant, payment, "payment_intent.payment_failed", "requires_payment_method") for _ in range(12)]
    whole = events_of(merchant.api, payment, count="true")
    assert [item["cause_ref"] for item in whole.data][:12] == told[::-1]
    assert whole.meta["total"] == 14
    pages, query = [], {"page_size": 5}
    while query.get("cursor", "first"):
        page = events_of(merchant.api, payment, **query)
        pages += page.data
        query["cursor"] = page.meta["next_cursor"]
    assert pages == whole.data
    assert events_of(merchant.api, payment, page=2, page_size=5).data == whole.data[5:10]


@pytest.mark.parametrize("query, field", [("status=failed", "status"), ("page=0", "page"), ("cursor=x", "cursor")])
def test_the_history_has_pages_and_no_filters(merchant, query, field):
    payment = merchant.pay()
    refused(merchant.api.get(f"/v1/payments/{payment['id']}/events?{query}"), 422, "VALIDATION_ERROR", field)


def test_another_merchants_history_is_not_found(server, merchant):
    payment = merchant.pay()
    other = Merchant(server)
    for path in (payment["id"], str(uuid.uuid4()), "x"):
        refused(other.api.get(f"/v1/payments/{path}/events"), 404, "NOT_FOUND")


def test_a_test_key_finds_no_live_history(server):
    merchant = Merchant(server)
    merchant.use_stripe("live")
    payment = merchant.pay()
    assert payment["livemode"]
    succeeded(merchant.api.get(f"/v1/payments/{payment['id']}/events"))
    refused(merchant.client(mode="test").get(f"/v1/payments/{payment['id']}/events"), 404, "NOT_FOUND")


def test_it_needs_the_scope_to_read_payments(merchant):
    payment = merchant.pay()
    path = f"/v1/payments/{payment['id']}/events"
    succeeded(merchant.client("payments:read").get(path))
    refused(merchant.client("payments:write,webhooks:read").get(path), 403, "AUTH_INSUFFICIENT_SCOPE")
