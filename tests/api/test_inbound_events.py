"""Stripe's events, and what became of them: applied, kept or ignored, the list's filters and pages, and who may read it."""
import uuid

import pytest

from support.database import open_database
from support.events import charge_of, event, intent_of, send_event, stripe_id
from support.merchant import Merchant
from support.shape import refused, succeeded
from support.waiting import wait_until


def send(merchant, event_type, obj):
    """Answers the id of the event."""
    sent = event(event_type, obj)
    send_event(merchant.server, sent, merchant.stripe_webhook_secret, path=f"/v1/webhooks/stripe/{merchant.id}")
    return sent["id"]


def listed(api, **query):
    return api.get("/v1/events/inbound", query=query, expect=200).data


def shown(merchant, ref):
    found = listed(merchant.api, provider_ref=ref)
    assert len(found) <= 1
    return found[0] if found else None


def unknown_payment(merchant):
    return {"id": str(uuid.uuid4()), "merchant_id": merchant.id, "amount": "10.00", "currency": "USD",
            "provider_ref": stripe_id("pi_"), "livemode": False}


# One event

def test_an_event_that_was_applied_is_shown_so(merchant):
    merchant.use_stripe()
    payment = merchant.pay()
    ref = send(merchant, "payment_intent.succeeded", intent_of(payment))
    found = shown(merchant, ref)
    assert found == {"id": found["id"], "provider_ref": ref, "event_type": "payment_intent.succeeded",
                     "payment_id": payment["id"], "livemode": False, "outcome": "applied", "reason": None,
                     "received_at": found["received_at"]}
    assert found["received_at"] >= payment["created_at"]


def test_an_event_that_does_not_fit_is_shown_as_ignored(merchant):
    merchant.use_stripe()
    payment = merchant.pay()
    ref = send(merchant, "charge.refunded", charge_of(payment, 100, payment_intent=stripe_id("pi_")))
    found = shown(merchant, ref)
    assert (found["outcome"], found["reason"], found["payment_id"]) == ("ignored", "does_not_fit", payment["id"])


def test_an_event_is_kept_until_it_can_be_looked_at_again(server, merchant):
    merchant.use_stripe()
    payment = merchant.pay()
    absent = uuid.uuid4()
    ref = send(merchant, "payment_intent.succeeded", intent_of(unknown_payment(merchant) | {"id": str(absent)}))
    kept = shown(merchant, ref)
    assert (kept["outcome"], kept["reason"], kept["payment_id"]) == ("kept", "awaits_payment", str(absent))
    with open_database(server) as database:  # as if the payment had come; the event itself names another
        database.execute("UPDATE inbox SET payment_id = ? WHERE event_id = ?", (uuid.UUID(payment["id"]).bytes, ref))
        database.commit()
    wait_until(lambda: shown(merchant, ref)["outcome"] == "ignored", what="the kept event to be looked at")
    assert shown(merchant, ref) == kept | {"outcome": "ignored", "reason": "payment_unknown", "payment_id": payment["id"]}


def test_an_event_about_nothing_of_this_service_is_not_listed(merchant):
    merchant.use_stripe()
    send(merchant, "payment_intent.succeeded", intent_of(unknown_payment(merchant), metadata={}))
    send(merchant, "invoice.paid", {"id": "in_1", "object": "invoice", "livemode": False})
    assert listed(merchant.api) == []


# The list

@pytest.fixture(scope="module")
def known(server):
    """A merchant with events of three payments, one of them live, and one of a payment that is not here."""
    merchant = Merchant(server)
    merchant.use_stripe("test")
    merchant.test = merchant.client(mode="test")
    merchant.payments = [merchant.pay() for _ in range(2)]
    for payment in merchant.payments:
        send(merchant, "payment_intent.succeeded", intent_of(payment))
        send(merchant, "charge.refunded", charge_of(payment, 100, payment_intent=stripe_id("pi_")))
    send(merchant, "payment_intent.succeeded", intent_of(unknown_payment(merchant)))
    merchant.use_stripe("live")
    merchant.payments.append(merchant.pay())
    send(merchant, "payment_intent.succeeded", intent_of(merchant.payments[2]))
    merchant.events = listed(merchant.api)[::-1]
    assert len(merchant.events) == 6
    return merchant


def matching(known, **fields):
    """Newest first."""
    return [item for item in reversed(known.events) if item.items() >= fields.items()]


def test_the_list_is_filtered(known):
    for outcome, count in {"applied": 3, "kept": 1, "ignored": 2}.items():
        assert listed(known.api, outcome=outcome) == matching(known, outcome=outcome)
        assert len(matching(known, outcome=outcome)) == count
    for event_type, count in {"payment_intent.succeeded": 4, "charge.refunded": 2, "charge.dispute.created": 0}.items():
        assert listed(known.api, event_type=event_type) == matching(known, event_type=event_type)
        assert len(matching(known, event_type=event_type)) == count
    for payment in known.payments:
        assert listed(known.api, payment_id=payment["id"]) == matching(known, payment_id=payment["id"]) != []
    assert listed(known.api, payment_id=known.payments[0]["id"], outcome="ignored", event_type="charge.refunded") == \
        matching(known, payment_id=known.payments[0]["id"], outcome="ignored")
    for item in known.events:
        assert listed(known.api, provider_ref=item["provider_ref"]) == [item]
    assert listed(known.api, provider_ref="evt_none") == listed(known.api, payment_id=str(uuid.uuid4())) == []


def test_the_list_is_filtered_by_time(known):
    assert listed(known.api, since=known.events[0]["received_at"], until="2999-01-01") == known.events[::-1]
    assert listed(known.api, since="2025-01-01T00:00:00.000001Z", until="2999-01-01T00:00:00.000001Z") == known.events[::-1]
    for query in ({"since": "2999-01-01"}, {"until": "2025-01-01"}):
        assert listed(known.api, **query) == []


def test_the_list_is_filtered_by_mode_and_a_test_key_sees_its_own(known):
    live, = matching(known, livemode=True)
    assert listed(known.api, livemode="true") == [live]
    assert listed(known.api, livemode="false") == listed(known.test) == matching(known, livemode=False)
    assert listed(known.test, livemode="true") == listed(known.test, provider_ref=live["provider_ref"]) == []


def test_pages_by_number_and_by_cursor_are_the_same_list(known):
    first = known.api.get("/v1/events/inbound?page_size=2&count=true", expect=200)
    second = known.api.get("/v1/events/inbound", query={"page_size": 2, "cursor": first.meta["next_cursor"]}, expect=200)
    third = known.api.get("/v1/events/inbound", query={"page_size": 2, "cursor": second.meta["next_cursor"]}, expect=200)
    assert first.data + second.data + third.data == known.events[::-1]
    assert first.meta["total"] == 6
    assert third.meta == {"page_size": 2, "has_more": False, "next_cursor": None}
    assert listed(known.api, page=2, page_size=2) == second.data


@pytest.mark.parametrize("query, field", [
    ("payment_id=1", "payment_id"), ("outcome=failed", "outcome"), ("since=now", "since"), ("until=now", "until"),
    ("livemode=2", "livemode"), ("reason=no_room", "reason"), ("cursor=x", "cursor"), ("provider_ref=", "provider_ref"),
    ("event_type=", "event_type")])
def test_a_bad_or_unknown_filter_is_named(known, query, field):
    refused(known.api.get(f"/v1/events/inbound?{query}"), 422, "VALIDATION_ERROR", field)


def test_no_merchant_sees_anothers(known, merchant):
    assert listed(merchant.api) == listed(merchant.api, payment_id=known.payments[0]["id"]) == []
    assert listed(merchant.api, provider_ref=known.events[0]["provider_ref"]) == []


def test_who_may_read_webhooks_may_read_it(known):
    assert len(succeeded(known.client("webhooks:read").get("/v1/events/inbound"))) == 6
    refused(known.client("payments:read").get("/v1/events/inbound"), 403, "AUTH_INSUFFICIENT_SCOPE")
