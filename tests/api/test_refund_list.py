"""The list of refunds: what it shows, its filters, its pages and whose refunds they are."""
import uuid

import pytest

from support.merchant import Merchant
from support.shape import refused, succeeded


@pytest.fixture(scope="module")
def known(server):
    """A merchant with refunds of three payments, one of them live, oldest first in `refunds`."""
    merchant = Merchant(server)
    merchant.use_stripe("test")
    merchant.test = merchant.client(mode="test")
    merchant.payments = [merchant.pay("50.00") for _ in range(2)]
    merchant.use_stripe("live")
    merchant.payments.append(merchant.pay("50.00"))
    assert merchant.payments[2]["livemode"]
    merchant.refunds = [merchant.refund(payment, amount) for amount in ("1.00", "2.00") for payment in merchant.payments]
    merchant.refunds.append(merchant.refund(merchant.payments[0], "3.00"))
    return merchant


def listed(api, **query):
    return api.get("/v1/refunds", query=query, expect=200).data


def newest_first(refunds):
    return list(reversed(refunds))


def test_it_shows_every_refund_as_it_is_newest_first(known):
    answer = known.api.get("/v1/refunds", expect=200)
    assert answer.data == newest_first(known.refunds)
    assert answer.meta == {"page": 1, "page_size": 50, "has_more": False, "next_cursor": None}


def test_the_list_is_filtered_by_payment(known):
    for payment in known.payments:
        expected = [refund for refund in known.refunds if refund["payment_id"] == payment["id"]]
        assert listed(known.api, payment_id=payment["id"]) == newest_first(expected)
    assert listed(known.api, payment_id=str(uuid.uuid4())) == []
    assert len(listed(known.api, payment_id=known.payments[0]["id"], status="completed")) == 3
    assert listed(known.api, payment_id=known.payments[0]["id"], status="failed") == []


def test_the_list_is_filtered_by_status_and_time(known):
    assert len(listed(known.api, status="completed", since="2025-01-01T00:00:00Z", until="2999-01-01")) == 7
    for query in ({"status": "pending"}, {"status": "failed"}, {"since": "2999-01-01"}, {"until": "2025-01-01"}):
        assert listed(known.api, **query) == []


def test_the_list_is_filtered_by_mode_and_a_test_key_sees_its_own(known):
    live = [refund for refund in known.refunds if refund["livemode"]]
    test = [refund for refund in known.refunds if not refund["livemode"]]
    assert len(live) == 2
    assert listed(known.api, livemode="true") == newest_first(live)
    assert listed(known.api, livemode="false") == listed(known.test) == newest_first(test)
    assert listed(known.test, livemode="true") == []
    assert listed(known.test, payment_id=known.payments[2]["id"]) == []


def test_pages_by_number_and_by_cursor_are_the_same_list(known):
    first = known.api.get("/v1/refunds?page_size=3", expect=200)
    second = known.api.get("/v1/refunds", query={"page_size": 3, "cursor": first.meta["next_cursor"]}, expect=200)
    third = known.api.get("/v1/refunds", query={"page_size": 3, "cursor": second.meta["next_cursor"]}, expect=200)
    assert first.data + second.data + third.data == newest_first(known.refunds)
    assert third.meta == {"page_size": 3, "has_more": False, "next_cursor": None}
    assert listed(known.api, page=2, page_size=3) == second.data


@pytest.mark.parametrize("query, field", [
    ("payment_id=1", "payment_id"), ("status=refunded", "status"), ("since=now", "since"), ("until=now", "until"),
    ("livemode=2", "livemode"), ("amount=1", "amount"), ("cursor=x", "cursor"), ("status=failed&status=failed", "status")])
def test_a_bad_or_unknown_filter_is_named(known, query, field):
    refused(known.api.get(f"/v1/refunds?{query}"), 422, "VALIDATION_ERROR", field)


def test_no_merchant_sees_anothers(known, merchant):
    assert listed(merchant.api) == listed(merchant.api, payment_id=known.payments[0]["id"]) == []


@pytest.mark.parametrize("scope", ["refunds:read", "payments:read"])
def test_either_scope_is_enough(known, scope):
    assert len(succeeded(known.client(scope).get("/v1/refunds"))) == 7
