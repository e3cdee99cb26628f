"""Disputes: what is shown of them as Stripe reports them, the list's filters and pages, and whose disputes they are."""
import time
import uuid

import pytest
import requests

from support.events import dispute_of, event, send_event, stripe_id
from support.merchant import Merchant
from support.shape import refused, succeeded
from support.waiting import wait_until

CREATED_S = int(time.time())


def report(merchant, payment, kind, status, *, ref, at_s=0, **fields):
    """Sends a Stripe event about a dispute of the payment, made so many seconds after the others."""
    sent = event(f"charge.dispute.{kind}", dispute_of(payment, status, id=ref, **fields), created=CREATED_S + at_s)
    send_event(merchant.server, sent, merchant.stripe_webhook_secret, path=f"/v1/webhooks/stripe/{merchant.id}")


def listed(api, **query):
    return api.get("/v1/disputes", query=query, expect=200).data


def shown(merchant, payment):
    found = listed(merchant.api, payment_id=payment["id"])
    assert len(found) <= 1
    return found[0] if found else None


# One dispute

def wait_for_status(merchant, payment, status):
    return wait_until(lambda: (found := shown(merchant, payment)) and found["status"] == status and found,
                      what=f"a dispute to be {status}")


def decide(sandbox, dispute, status):
    answer = requests.post(f"{sandbox.url}/_sandbox/disputes/{dispute['provider_ref']}", json={"status": status}, timeout=10)
    assert answer.status_code == 200, answer.text


def test_a_dispute_is_shown_as_stripe_reports_it_until_it_is_decided(listening, sandbox, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay("12.34", payment_method="pm_card_createDisputeProductNotReceived")
    opened = wait_for_status(listening, payment, "needs_response")
    assert opened["provider_ref"].startswith("dp_") and opened["evidence_due_by"] > opened["created_at"]
    assert opened == opened | {"payment_id": payment["id"], "reason": "product_not_received", "amount": "12.34",
                               "currency": "USD", "livemode": False, "updated_at": opened["created_at"]}
    assert listening.api.get(f"/v1/disputes/{opened['id']}", expect=200).data == opened
    shared = ("status", "reason", "amount", "currency", "evidence_due_by")
    told = receiver.wait_for("payment.disputed").json["data"]["dispute"]
    assert told == {"id": opened["provider_ref"]} | {name: opened[name] for name in shared}
    decide(sandbox, opened, "under_review")
    reviewed = wait_for_status(listening, payment, "under_review")
    assert reviewed == opened | {"status": "under_review", "updated_at": reviewed["updated_at"]}
    decide(sandbox, opened, "lost")
    lost = wait_for_status(listening, payment, "lost")
    assert lost == opened | {"status": "lost", "updated_at": lost["updated_at"]}
    assert lost["updated_at"] >= reviewed["updated_at"] >= opened["updated_at"]
    assert receiver.wait_for("payment.dispute_closed").json["data"]["dispute"]["status"] == "lost"
    now = listening.payment(payment["id"])
    assert (now["status"], now["amount_refunded"]) == ("completed", "0.00")


def test_an_older_event_that_comes_later_changes_nothing(merchant):
    merchant.use_stripe()
    payment, ref = merchant.pay(), stripe_id("dp_")
    report(merchant, payment, "closed", "won", ref=ref, at_s=20)
    won = shown(merchant, payment)
    assert (won["status"], won["provider_ref"]) == ("won", ref)
    report(merchant, payment, "created", "needs_response", ref=ref, amount=999)
    report(merchant, payment, "updated", "under_review", ref=ref, at_s=20)
    assert shown(merchant, payment) == won
    report(merchant, payment, "closed", "lost", ref=ref, at_s=21)
    assert shown(merchant, payment)["status"] == "lost"


def test_what_stripe_does_not_say_is_null(merchant):
    merchant.use_stripe()
    payment = merchant.pay()
    report(merchant, payment, "created", "a_new_status", ref=stripe_id("du_"), amount=None, currency=None, reason=None,
           evidence_details=None)
    found = shown(merchant, payment)
    assert found == found | {"status": "a_new_status", "reason": None, "amount": None, "currency": None,
                             "evidence_due_by": None}


def test_a_dispute_of_a_payment_that_is_not_here_is_not_listed(merchant):
    merchant.use_stripe()
    report(merchant, {"provider_ref": stripe_id("pi_"), "livemode": False}, "created", "needs_response", ref=stripe_id("dp_"))
    assert listed(merchant.api) == []


@pytest.mark.parametrize("dispute_id", ["0194218b-0a60-7e8f-b1c2-3d4e5f607182", "dp_1"])
def test_an_unknown_dispute_is_not_found(merchant, dispute_id):
    refused(merchant.api.get(f"/v1/disputes/{dispute_id}"), 404, "NOT_FOUND")


# The list

@pytest.fixture(scope="module")
def known(server):
    """A merchant with disputes of three payments, one of them live, oldest first in `disputes`."""
    merchant = Merchant(server)
    merchant.use_stripe("test")
    merchant.test = merchant.client(mode="test")
    merchant.payments = [merchant.pay() for _ in range(2)]
    test_secret = merchant.stripe_webhook_secret
    for payment, status in zip(merchant.payments * 2, ("needs_response", "lost", "won", "warning_closed"), strict=True):
        report(merchant, payment, "created", status, ref=stripe_id("dp_"))
    merchant.use_stripe("live")
    merchant.payments.append(merchant.pay())
    assert merchant.payments[2]["livemode"] and merchant.stripe_webhook_secret != test_secret
    report(merchant, merchant.payments[2], "created", "needs_response", ref=stripe_id("dp_"))
    merchant.disputes = listed(merchant.api)[::-1]
    assert len(merchant.disputes) == 5
    return merchant


def matching(known, **fields):
    """Newest first."""
    return [dispute for dispute in reversed(known.disputes) if dispute.items() >= fields.items()]


def test_the_list_is_filtered_by_payment_status_and_id_at_stripe(known):
    for payment in known.payments:
        assert listed(known.api, payment_id=payment["id"]) == matching(known, payment_id=payment["id"])
    for status, count in {"needs_response": 2, "lost": 1, "won": 1, "warning_closed": 1, "under_review": 0, "prevented": 0,
                          "warning_needs_response": 0, "warning_under_review": 0}.items():
        assert listed(known.api, status=status) == matching(known, status=status)
        assert len(matching(known, status=status)) == count
    for dispute in known.disputes:
        assert listed(known.api, provider_ref=dispute["provider_ref"]) == [dispute]
    assert listed(known.api, provider_ref="dp_none") == listed(known.api, payment_id=str(uuid.uuid4())) == []
    assert listed(known.api, payment_id=known.payments[0]["id"], status="lost") == []


def test_the_list_is_filtered_by_time(known):
    assert listed(known.api, since="2025-01-01", until="2999-01-01") == known.disputes[::-1]
    for query in ({"since": "2999-01-01"}, {"until": "2025-01-01"}):
        assert listed(known.api, **query) == []


def test_the_list_is_filtered_by_mode_and_a_test_key_sees_its_own(known):
    live, = matching(known, livemode=True)
    assert listed(known.api, livemode="true") == [live]
    assert listed(known.api, livemode="false") == listed(known.test) == matching(known, livemode=False)
    assert listed(known.test, livemode="true") == listed(known.test, payment_id=live["payment_id"]) == []
    refused(known.test.get(f"/v1/disputes/{live['id']}"), 404, "NOT_FOUND")


def test_pages_by_number_and_by_cursor_are_the_same_list(known):
    first = known.api.get("/v1/disputes?page_size=2&count=true", expect=200)
    second = known.api.get("/v1/disputes", query={"page_size": 2, "cursor": first.meta["next_cursor"]}, expect=200)
    third = known.api.get("/v1/disputes", query={"page_size": 2, "cursor": second.meta["next_cursor"]}, expect=200)
    assert first.data + second.data + third.data == known.disputes[::-1]
    assert first.meta["total"] == 5
    assert third.meta == {"page_size": 2, "has_more": False, "next_cursor": None}
    assert listed(known.api, page=2, page_size=2) == second.data


@pytest.mark.parametrize("query, field", [
    ("payment_id=1", "payment_id"), ("status=open", "status"), ("since=now", "since"), ("until=now", "until"),
    ("livemode=2", "livemode"), ("reason=general", "reason"), ("cursor=x", "cursor"), ("provider_ref=", "provider_ref")])
def test_a_bad_or_unknown_filter_is_named(known, query, field):
    refused(known.api.get(f"/v1/disputes?{query}"), 422, "VALIDATION_ERROR", field)


def test_no_merchant_sees_anothers(known, merchant):
    assert listed(merchant.api) == listed(merchant.api, payment_id=known.payments[0]["id"]) == []
    assert listed(merchant.api, provider_ref=known.disputes[0]["provider_ref"]) == []
    refused(merchant.api.get(f"/v1/disputes/{known.disputes[0]['id']}"), 404, "NOT_FOUND")


def test_who_may_read_payments_may_read_disputes(known):
    assert len(succeeded(known.client("payments:read").get("/v1/disputes"))) == 5
    refused(known.client("refunds:read").get("/v1/disputes"), 403, "AUTH_INSUFFICIENT_SCOPE")
