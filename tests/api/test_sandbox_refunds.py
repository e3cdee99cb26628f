"""Refunds of the sandbox, through Stripe's own SDK."""
import pytest
import requests
import stripe

from sandbox_fixture import Account, set_faults
from support.waiting import wait_until


def retrieve(account, refund):
    return stripe.Refund.retrieve(refund.id, **account.options)


def refused(account, intent=None, **params):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        account.refund(intent, **params)
    assert caught.value.http_status == 400
    return caught.value


def figures(charge):
    return charge.amount_captured, charge.amount_refunded, charge.refunded


def ledger_refunds(sandbox, intent):
    refunds = requests.get(sandbox.url + "/_sandbox/ledger", timeout=10).json()["refunds"]
    return [refund for refund in refunds if refund["payment_intent"] == intent.id]


def wait_for_status(account, refund, status):
    wait_until(lambda: retrieve(account, refund).status == status, what=f"{refund.id} to be {status}")
    return retrieve(account, refund)


def test_a_refund_without_an_amount_takes_all(account):
    intent = account.create()
    refund = account.refund(intent, reason="requested_by_customer", metadata={"refund_id": "7"})
    assert refund.id.startswith("re_") and refund.object == "refund"
    assert (refund.status, refund.amount, refund.currency) == ("succeeded", 1000, "usd")
    assert (refund.payment_intent, refund.charge) == (intent.id, intent.latest_charge)
    assert (refund.reason, refund.metadata.refund_id) == ("requested_by_customer", "7")
    assert figures(account.charge_of(intent)) == (1000, 1000, True)
    assert account.retrieve(intent.id).status == "succeeded"
    assert retrieve(account, refund) == refund


def test_a_charge_is_refunded_by_its_own_id_too(account):
    intent = account.create()
    assert account.refund(charge=intent.latest_charge).payment_intent == intent.id


def test_parts_sum_up_and_never_beyond_what_was_captured(account):
    intent = account.create()
    account.refund(intent, amount=300)
    assert figures(account.charge_of(intent)) == (1000, 300, False)
    error = refused(account, intent, amount=701)
    assert (error.param, error.code) == ("amount", None)
    assert "is greater than unrefunded amount on charge (7.00 usd)" in error.user_message
    assert account.refund(intent).amount == 700
    assert figures(account.charge_of(intent)) == (1000, 1000, True)
    assert refused(account, intent, amount=1).code == "charge_already_refunded"


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_of_nothing_is_refused(account, amount):
    error = refused(account, account.create(), amount=amount)
    assert (error.param, error.code) == ("amount", "parameter_invalid_integer")


def test_a_refund_keeps_the_currencys_last_digit(account):
    intent = account.create(amount=10000, currency="kwd")
    assert refused(account, intent, amount=5).param == "amount"
    assert account.refund(intent, amount=10).amount == 10


@pytest.mark.parametrize("params, param, code", [
    ({}, "payment_intent", "parameter_missing"),
    ({"payment_intent": "pi_unknown"}, "payment_intent", "resource_missing"),
    ({"charge": "ch_unknown"}, "charge", "resource_missing"),
    ({"charge": "ch_unknown", "payment_intent": "pi_unknown"}, "payment_intent", None),
    ({"payment_intent": "pi_unknown", "reason": "because"}, "reason", None),
    ({"payment_intent": "pi_unknown", "speed": "fast"}, "speed", "parameter_unknown")])
def test_a_refund_of_nothing_known_is_refused(account, params, param, code):
    error = refused(account, **params)
    assert (error.param, error.code) == (param, code)


@pytest.mark.parametrize("state", ["declined", "open", "authorised", "canceled"])
def test_a_payment_without_a_successful_charge_is_not_refunded(account, state):
    if state == "declined":
        intent = stripe.PaymentIntent.retrieve(
            account.declined(payment_method="pm_card_declined").json_body["error"]["payment_intent"]["id"],
            **account.options)
    elif state == "open":
        intent = account.create(confirm=None, return_url=None)
    else:
        intent = account.create(capture_method="manual")
        if state == "canceled":
            stripe.PaymentIntent.cancel(intent.id, **account.options)
    assert "does not have a successful charge to refund" in refused(account, intent).user_message


def test_charges_that_failed_or_are_not_captured_are_not_refunded(account):
    error = account.declined(payment_method="pm_card_declined").json_body["error"]
    assert refused(account, charge=error["charge"]).code == "charge_not_refundable"
    authorised = account.create(capture_method="manual")
    assert "Cancel its PaymentIntent" in refused(account, charge=authorised.latest_charge).user_message


def test_a_refund_has_its_events(account):
    intent = account.create()
    refund = account.refund(intent, amount=400)
    assert account.event_types()[-2:] == ["refund.created", "charge.refunded"]
    assert account.last_event("refund.created").data.object == refund
    event = account.last_event("charge.refunded")
    assert (event.data.object.object, event.data.object.payment_intent) == ("charge", intent.id)
    assert (event.data.object.amount_refunded, event.data.object.refunded) == (400, False)
    assert event.data.previous_attributes == {"amount_refunded": 0}
    account.refund(intent)
    event = account.last_event("charge.refunded")
    assert (event.data.object.amount_refunded, event.data.object.refunded) == (1000, True)
    assert event.data.previous_attributes == {"amount_refunded": 400, "refunded": False}


def test_a_pending_refund_counts_at_once_and_succeeds_later(account):
    intent = account.create(payment_method="pm_card_pendingRefund")
    refund = account.refund(intent, amount=600)
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert figures(account.charge_of(intent)) == (1000, 600, False)
    assert refused(account, intent, amount=401).param == "amount"
    done = wait_for_status(account, refund, "succeeded")
    assert "pending_reason" not in done
    assert figures(account.charge_of(intent)) == (1000, 600, False)
    assert account.event_types()[-2:] == ["charge.refund.updated", "refund.updated"]
    assert account.last_event("refund.updated").data.previous_attributes == {"status": "pending"}


def test_a_refund_that_fails_later_gives_the_balance_back(account):
    intent = account.create(payment_method="pm_card_refundFail")
    refund = account.refund(intent)
    assert refund.status == "succeeded" and figures(account.charge_of(intent)) == (1000, 1000, True)
    failed = wait_for_status(account, refund, "failed")
    assert failed.failure_reason == "expired_or_canceled_card"
    assert failed.failure_balance_transaction.startswith("txn_")
    assert figures(account.charge_of(intent)) == (1000, 0, False)
    assert account.event_types()[-3:] == ["charge.refund.updated", "refund.updated", "refund.failed"]
    assert account.last_event("charge.refund.updated").data.object == failed
    assert account.refund(intent).id != refund.id


def test_a_refund_that_waits_for_the_payer_can_be_canceled(account):
    intent = account.create(payment_method="pm_sandbox_refundRequiresAction")
    refund = account.refund(intent)
    assert (refund.status, refund.next_action.type) == ("requires_action", "display_details")
    canceled = stripe.Refund.cancel(refund.id, **account.options)
    assert canceled.status == "canceled" and "next_action" not in canceled
    assert figures(account.charge_of(intent)) == (1000, 0, False)
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Refund.cancel(refund.id, **account.options)
    assert caught.value.http_status == 400


def test_a_refund_that_succeeded_cannot_be_canceled(account):
    refund = account.refund(account.create())
    with pytest.raises(stripe.error.InvalidRequestError):
        stripe.Refund.cancel(refund.id, **account.options)
    assert retrieve(account, refund).status == "succeeded"


def test_a_refund_may_be_made_although_its_answer_is_an_error(account):
    intent = account.create(payment_method="pm_sandbox_refundServerError")
    form = {"payment_intent": intent.id}
    first = account.post("/v1/refunds", form, key="ref-1")
    again = account.post("/v1/refunds", form, key="ref-1")
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (500, 500, "true")
    page = stripe.Refund.list(payment_intent=intent.id, **account.options)
    assert [refund.status for refund in page.data] == ["succeeded"]


def test_one_key_refunds_once(account):
    intent = account.create()
    first = account.post("/v1/refunds", {"payment_intent": intent.id, "amount": 100}, key="ref-1")
    again = account.post("/v1/refunds", {"payment_intent": intent.id, "amount": 100}, key="ref-1")
    assert again.json() == first.json() and figures(account.charge_of(intent)) == (1000, 100, False)
    other = account.post("/v1/refunds", {"payment_intent": intent.id, "amount": 200}, key="ref-1")
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")


def test_a_refusal_that_depends_on_the_charge_is_kept_under_its_key(account):
    intent = account.create()
    account.refund(intent, amount=900)
    form = {"payment_intent": intent.id, "amount": 200}
    first = account.post("/v1/refunds", form, key="ref-1")
    again = account.post("/v1/refunds", form, key="ref-1")
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (400, 400, "true")
    assert again.json() == first.json()


def test_a_refusal_of_the_request_alone_is_not_kept(account):
    intent = account.create()
    for form in ({"payment_intent": intent.id, "amount": 0}, {"payment_intent": "pi_unknown"}):
        assert account.post("/v1/refunds", form, key="ref-1").status_code == 400
    assert account.post("/v1/refunds", {"payment_intent": intent.id}, key="ref-1").status_code == 200


def test_a_refund_whose_answer_is_lost_is_found_again(own_sandbox):
    account = Account(own_sandbox)
    intent = account.create()
    set_faults(own_sandbox, drop_after_rate=1)
    with pytest.raises(requests.ConnectionError):
        account.post("/v1/refunds", {"payment_intent": intent.id, "metadata[refund_id]": "7"}, key="ref-1")
    set_faults(own_sandbox, drop_after_rate=0)
    page = stripe.Refund.list(payment_intent=intent.id, **account.options)
    assert [refund.metadata.refund_id for refund in page.data] == ["7"]


def test_refunds_are_listed_by_payment_and_by_pages(account):
    one, other = account.create(), account.create()
    made = [account.refund(one, amount=100).id for _ in range(3)]
    account.refund(other)
    page = stripe.Refund.list(payment_intent=one.id, limit=2, **account.options)
    assert [refund.id for refund in page.data] == made[:0:-1] and page.has_more
    page = stripe.Refund.list(payment_intent=one.id, starting_after=made[1], **account.options)
    assert [refund.id for refund in page.data] == made[:1] and not page.has_more
    assert len(stripe.Refund.list(charge=other.latest_charge, **account.options).data) == 1
    assert len(stripe.Refund.list(**account.options).data) == 4
    assert stripe.Refund.list(payment_intent="pi_unknown", **account.options).data == []


def test_a_refunds_metadata_can_be_changed(account):
    refund = account.refund(account.create(), metadata={"a": "1"})
    changed = stripe.Refund.modify(refund.id, metadata={"b": "2"}, **account.options)
    assert changed.metadata == {"a": "1", "b": "2"}
    assert account.event_types()[-2:] == ["charge.refund.updated", "refund.updated"]


def test_a_refund_expands_what_it_belongs_to(account):
    refund = account.refund(account.create(), expand=["charge", "payment_intent"])
    assert (refund.charge.object, refund.payment_intent.object) == ("charge", "payment_intent")


def test_a_cancellation_releases_the_money_as_a_refund_does(account, sandbox):
    intent = account.create(capture_method="manual")
    canceled = stripe.PaymentIntent.cancel(intent.id, cancellation_reason="abandoned", **account.options)
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    charge = account.charge_of(intent)
    assert (charge.captured, *figures(charge)) == (False, 0, 1000, True)
    assert account.event_types()[-3:] == ["refund.created", "charge.refunded", "payment_intent.canceled"]
    assert [refund["amount"] for refund in ledger_refunds(sandbox, intent)] == [1000]


def test_a_partial_capture_releases_the_rest_as_a_refund_does(account, sandbox):
    intent = account.create(capture_method="manual")
    captured = stripe.PaymentIntent.capture(intent.id, amount_to_capture=700, **account.options)
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 700, 0)
    assert figures(account.charge_of(intent)) == (700, 300, False)
    assert account.last_event("charge.captured").data.object.amount_refunded == 300
    assert refused(account, intent, amount=701).param == "amount"
    assert account.refund(intent).amount == 700
    assert figures(account.charge_of(intent)) == (700, 1000, True)
    assert [refund["amount"] for refund in ledger_refunds(sandbox, intent)] == [300, 700]
    assert [refund["balance_transaction"] is None for refund in ledger_refunds(sandbox, intent)] == [True, False]


def test_a_whole_capture_releases_nothing(account, sandbox):
    intent = account.create(capture_method="manual")
    stripe.PaymentIntent.capture(intent.id, **account.options)
    assert figures(account.charge_of(intent)) == (1000, 0, False)
    assert ledger_refunds(sandbox, intent) == []


@pytest.mark.parametrize("call, status", [
    (stripe.PaymentIntent.capture, "succeeded"), (stripe.PaymentIntent.cancel, "succeeded"),
    (stripe.PaymentIntent.confirm, "succeeded")])
def test_a_wrong_state_is_refused_with_the_intent_in_it(account, call, status):
    intent = account.create()
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        call(intent.id, **account.options)
    error = caught.value.json_body["error"]
    assert (caught.value.http_status, error["code"]) == (400, "payment_intent_unexpected_state")
    assert (error["payment_intent"]["id"], error["payment_intent"]["status"]) == (intent.id, status)


def test_refunds_go_on_after_a_restart(start_sandbox, tmp_path):
    data = tmp_path / "state"
    first = start_sandbox("--data", data)
    account = Account(first)
    intent = account.create(payment_method="pm_card_refundFail")
    refund = account.refund(intent)
    first.close()
    account = Account(start_sandbox("--data", data), key=account.key)
    wait_for_status(account, refund, "failed")
    assert figures(account.charge_of(intent)) == (1000, 0, False)
