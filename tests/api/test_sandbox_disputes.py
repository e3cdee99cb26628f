"""Disputes of the sandbox, and other changes that happen without a call by the merchant."""
import pytest
import requests
import stripe

from sandbox_fixture import RETURN_URL, Account
from support.waiting import wait_until


def disputes(account, intent):
    return stripe.Dispute.list(payment_intent=intent.id, **account.options).data


def disputed(account, method="pm_card_createDispute", **params):
    """A payment and its dispute, which comes a while after."""
    intent = account.create(payment_method=method, **params)
    wait_until(lambda: disputes(account, intent), what="the dispute to come")
    return intent, disputes(account, intent)[0]


def retrieve(account, dispute):
    return stripe.Dispute.retrieve(dispute.id, **account.options)


def happen(account, path, **wanted):
    return requests.post(account.url + "/_sandbox/" + path, json=wanted, timeout=10)


@pytest.mark.parametrize("method, reason, status, events", [
    ("pm_card_createDispute", "fraudulent", "needs_response",
     ["charge.dispute.created", "charge.dispute.funds_withdrawn"]),
    ("pm_card_createDisputeProductNotReceived", "product_not_received", "needs_response",
     ["charge.dispute.created", "charge.dispute.funds_withdrawn"]),
    ("pm_card_createDisputeInquiry", "fraudulent", "warning_needs_response", ["charge.dispute.created"])])
def test_a_dispute_follows_the_charge(account, method, reason, status, events):
    intent, dispute = disputed(account, method)
    assert dispute.id.startswith("dp_") and dispute.object == "dispute"
    assert (dispute.payment_intent, dispute.charge) == (intent.id, intent.latest_charge)
    assert (dispute.amount, dispute.currency, dispute.reason, dispute.status) == (1000, "usd", reason, status)
    assert dispute.evidence_details.due_by > dispute.created
    assert account.charge_of(intent).disputed is True
    assert account.event_types()[3:] == events
    assert retrieve(account, dispute) == dispute
    assert account.last_event("charge.dispute.created").data.object == dispute


def test_a_payment_that_is_captured_later_is_disputed_then(account):
    intent = account.create(payment_method="pm_card_createDispute", capture_method="manual")
    assert disputes(account, intent) == []
    stripe.PaymentIntent.capture(intent.id, amount_to_capture=600, **account.options)
    wait_until(lambda: disputes(account, intent), what="the dispute to come")
    assert disputes(account, intent)[0].amount == 600


def test_a_disputed_charge_is_not_refunded(account):
    intent, dispute = disputed(account)
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        account.refund(intent)
    assert (caught.value.http_status, caught.value.code) == (400, "charge_disputed")
    happen(account, f"disputes/{dispute.id}", status="won")
    assert account.refund(intent).status == "succeeded"


def test_an_inquiry_does_not_stand_against_a_refund(account):
    intent, dispute = disputed(account, "pm_card_createDisputeInquiry")
    assert dispute.is_charge_refundable is True
    assert account.refund(intent).status == "succeeded"


@pytest.mark.parametrize("status, events", [
    ("won", ["charge.dispute.closed", "charge.dispute.funds_reinstated"]), ("lost", ["charge.dispute.closed"])])
def test_a_dispute_is_decided(account, status, events):
    _, dispute = disputed(account)
    answer = happen(account, f"disputes/{dispute.id}", status=status)
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert account.event_types()[5:] == events
    event = account.last_event("charge.dispute.closed")
    assert event.data.object.status == status and event.data.previous_attributes == {"status": "needs_response"}
    again = happen(account, f"disputes/{dispute.id}", status="won")
    assert again.status_code == 400 and retrieve(account, dispute).status == status


def test_a_dispute_under_review_is_still_open(account):
    _, dispute = disputed(account)
    happen(account, f"disputes/{dispute.id}", status="under_review")
    assert account.event_types()[-1] == "charge.dispute.updated"
    assert happen(account, f"disputes/{dispute.id}", status="lost").status_code == 200


@pytest.mark.parametrize("method, status", [("pm_card_createDispute", "lost"),
                                            ("pm_card_createDisputeInquiry", "warning_closed")])
def test_closing_a_dispute_gives_in_to_it(account, method, status):
    _, dispute = disputed(account, method)
    assert stripe.Dispute.close(dispute.id, **account.options).status == status
    assert account.event_types()[-1] == "charge.dispute.closed"
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Dispute.close(dispute.id, **account.options)
    assert caught.value.http_status == 400


def test_an_unknown_dispute_is_missing(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Dispute.retrieve("dp_unknown", **account.options)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_a_payment_refunded_before_is_no_longer_disputed(account):
    intent = account.create(payment_method="pm_card_createDispute")
    account.refund(intent)
    other, _ = disputed(account)  # its dispute comes later than the first one's would have
    assert disputes(account, intent) == [] and len(disputes(account, other)) == 1


def test_a_dispute_comes_after_a_restart(start_sandbox, tmp_path):
    data = tmp_path / "state"
    first = start_sandbox("--data", data)
    account = Account(first)
    intent = account.create(payment_method="pm_card_createDispute")
    first.close()
    account = Account(start_sandbox("--data", data), key=account.key)
    wait_until(lambda: disputes(account, intent), what="the dispute to come")


def test_a_bank_replaces_a_card(account):
    method = account.attach()
    answer = happen(account, f"payment_methods/{method.id}/update", exp_month=1, exp_year=2040, last4="1881",
                    brand="mastercard")
    assert answer.status_code == 200
    card = stripe.PaymentMethod.retrieve(method.id, **account.options).card
    assert (card.exp_month, card.exp_year, card.last4, card.brand) == (1, 2040, "1881", "mastercard")
    event = account.last_event("payment_method.automatically_updated")
    assert (event.data.object.id, event.data.object.card.last4) == (method.id, "1881")
    assert event.data.previous_attributes.card == {"exp_month": 12, "exp_year": method.card.exp_year, "last4": "4242",
                                                   "brand": "visa"}
    assert event["request"]["id"] is None


def test_an_expired_card_is_declined_until_its_bank_replaces_it(account):
    method = account.attach()
    saved = {"customer": method.customer, "payment_method": method.id}
    happen(account, f"payment_methods/{method.id}/update", exp_year=2020)
    assert account.declined(off_session=True, **saved).code == "expired_card"
    with pytest.raises(stripe.error.CardError) as caught:
        stripe.SetupIntent.create(confirm=True, return_url=RETURN_URL, **saved, **account.options)
    assert caught.value.code == "expired_card"
    happen(account, f"payment_methods/{method.id}/update", exp_year=2040)
    assert account.create(off_session=True, **saved).status == "succeeded"


@pytest.mark.parametrize("wanted", [{}, {"exp_month": 13}, {"exp_year": "2040"}, {"last4": "42"}, {"brand": ""},
                                    {"number": "4242424242424242"}])
def test_a_value_that_no_card_has_is_refused(account, wanted):
    method = account.attach()
    assert happen(account, f"payment_methods/{method.id}/update", **wanted).status_code == 400
    assert stripe.PaymentMethod.retrieve(method.id, **account.options) == method


def test_any_refund_can_fail_weeks_later(account):
    intent = account.create()
    refund = account.refund(intent, amount=400)
    assert happen(account, f"refunds/{refund.id}", status="failed").json()["status"] == "failed"
    assert account.charge_of(intent).amount_refunded == 0
    assert account.last_event("refund.failed").data.object.failure_reason == "expired_or_canceled_card"
    assert happen(account, f"refunds/{refund.id}", status="succeeded").status_code == 400


def test_a_pending_refund_that_failed_early_stays_so(account):
    intent = account.create(payment_method="pm_card_pendingRefund")
    refund = account.refund(intent)
    happen(account, f"refunds/{refund.id}", status="failed")
    later = account.refund(intent)
    wait_until(lambda: stripe.Refund.retrieve(later.id, **account.options).status == "succeeded",
               what="the later refund to succeed")
    assert stripe.Refund.retrieve(refund.id, **account.options).status == "failed"


def test_nothing_happens_to_what_does_not_exist(account):
    for path in ("disputes/dp_unknown", "refunds/re_unknown", "payment_methods/pm_unknown/update", "disputes/"):
        assert happen(account, path, status="won").status_code == 404
    dispute = f"{account.url}/_sandbox/disputes/dp_1"
    assert requests.get(dispute, timeout=10).status_code == 405
