"""The outcomes of a refund: Stripe refuses it, does not say, takes its time or takes it back, or the refund was made at its
dashboard. A payment always shows the sum of its completed refunds."""
import contextlib
import http.client
import threading

import pytest
import requests

from stub_fixture import wait_for_status
from support.at_stripe import AtStripe
from support.events import charge_of, event, send_event, stripe_id
from support.http_listener import Answer
from support.background import InBackground
from support.stripe_model import PENDING_REFUND, stripe_error
from support.stub import executed, lying
from support.waiting import wait_until
from unknown_outcomes import LOOKED_UP, SENT_AGAIN, by_name

REFUND = ("POST", "/v1/refunds")
LIST = ("GET", "/v1/refunds")
# Taken for another refund, since its amount is another.
NO_STATUS = "a success without a status"


def refund_now(merchant, refund):
    return merchant.api.get(f"/v1/refunds/{refund['id']}", expect=200).data


def wait_for_refund(merchant, refund, status):
    return wait_until(lambda: (found := refund_now(merchant, refund))["status"] == status and found,
                      what=f"the refund to be {status}")


def call_stripe(sandbox, merchant, path, **form):
    """The JSON of Stripe's answer to the merchant's own call."""
    return AtStripe(sandbox, merchant).call("POST", path, data=form)


def at_dashboard(sandbox, merchant, payment, **form):
    return call_stripe(sandbox, merchant, "/v1/refunds", payment_intent=payment["provider_ref"], **form)


def bank_decides(sandbox, refund, status):
    answer = requests.post(f"{sandbox.url}/_sandbox/refunds/{refund['provider_ref']}", json={"status": status},
                           timeout=10)
    assert answer.status_code == 200, answer.text


def told_of(receiver, event_type, condition=lambda data: True):
    """The data of the first such event."""
    def wanted(delivery):
        return delivery.json["type"] == event_type and condition(delivery.json["data"])
    return receiver.wait_for(wanted).json["data"]


# Stripe does not say

@by_name({name: answer for name, answer in SENT_AGAIN.items() if name != NO_STATUS})
def test_an_unknown_outcome_is_pending_and_settles_under_its_own_key(impatient_shop, stub_stripe, answer):
    payment = impatient_shop.pay("10.00")
    stub_stripe.answer_always(*REFUND, answer)
    first = impatient_shop.api.post("/v1/refunds", {"payment_id": payment["id"], "amount": "4.00"}, idempotency_key="r",
                                expect=201)
    refund = first.data
    assert (refund["status"], refund["provider_ref"], refund["failure"]) == ("pending", None, None)
    assert impatient_shop.payment(payment["id"])["amount_refunded"] == "0.00"
    impatient_shop.api.post("/v1/refunds", {"payment_id": payment["id"], "amount": "6.01"}, expect=422)
    stub_stripe.behave()
    completed = wait_for_refund(impatient_shop, refund, "completed")
    at_stripe, = stub_stripe.objects("refund")
    assert (completed["provider_ref"], at_stripe["amount"]) == (at_stripe["id"], 400)
    calls = stub_stripe.calls(*REFUND)
    assert len({call.body for call in calls}) == 1
    assert {call.header("Idempotency-Key") for call in calls} == {f"ref_{refund['id']}"}
    assert impatient_shop.payment(payment["id"])["amount_refunded"] == "4.00"
    again = impatient_shop.api.post("/v1/refunds", {"payment_id": payment["id"], "amount": "4.00"}, idempotency_key="r")
    assert (again.status, again.body) == (201, first.body)


@by_name(LOOKED_UP)
def test_a_refund_that_sending_again_cannot_settle_is_looked_up_in_the_list(shop, stub_stripe, answer):
    payment = shop.pay("10.00")
    stub_stripe.answer_next(*REFUND, lambda made: Answer(answer.status, answer.body, answer.headers))
    refund = shop.refund(payment, "4.00")
    completed = wait_for_refund(shop, refund, "completed")
    at_stripe, = stub_stripe.objects("refund")
    assert completed["provider_ref"] == at_stripe["id"]
    assert len(stub_stripe.calls(*REFUND)) == 1 and stub_stripe.calls(*LIST)


def bare(stub_stripe):
    """The one refund there is, which says nothing of who asked for it from now on."""
    made, = wait_until(lambda: stub_stripe.objects("refund"))
    made.pop("metadata", None)
    return dict(made)


def test_a_refund_without_metadata_whose_event_comes_before_our_answer_is_ours(start_shop, stub_stripe, receiver):
    shop = start_shop(stripe_timeout="10s")
    shop.use_webhook(receiver.url)
    payment = shop.pay("10.00")
    gate = threading.Event()
    stub_stripe.answer_next(*REFUND, executed(gate=gate))
    refunding = InBackground(shop.refund, payment)
    made = bare(stub_stripe)
    send_event(shop.server, event("refund.created", made), shop.stripe_webhook_secret)
    send_event(shop.server, event("charge.refunded", charge_of(payment, 1000)), shop.stripe_webhook_secret)
    stub_stripe.wait_for(*LIST)
    pending, = shop.api.get("/v1/refunds", query={"payment_id": payment["id"]}, expect=200).data
    assert (pending["status"], pending["provider_ref"]) == ("pending", None)
    gate.set()
    refund = refunding.result()
    assert (refund["id"], refund["status"], refund["provider_ref"]) == (pending["id"], "completed", made["id"])
    shop.server.restart_making_due()
    stub_stripe.wait_for(*LIST, 2)
    listed, = shop.api.get("/v1/refunds", query={"payment_id": payment["id"]}, expect=200).data
    assert listed["id"] == refund["id"]
    told_of(receiver, "payment.refunded")
    assert len(receiver.events("payment.refunded")) == 1
    assert shop.payment(payment["id"])["amount_refunded"] == "10.00"


def test_a_dashboard_refund_at_the_time_of_ours_is_taken_over_once_ours_is_known(start_shop, stub_stripe):
    shop = start_shop(stripe_timeout="10s")
    payment = shop.pay("10.00")
    account, gate = stub_stripe.model.accounts[shop.stripe_key], threading.Event()
    stub_stripe.answer_next(*REFUND, executed(gate=gate))
    refunding = InBackground(shop.refund, payment, "4.00")
    ours, = wait_until(lambda: stub_stripe.objects("refund"))
    theirs = account.add("re_", "refund", **{name: value for name, value in ours.items() if name in (
        "amount", "currency", "status", "payment_intent", "charge", "reason", "failure_reason")}, metadata={})
    send_event(shop.server, event("refund.created", theirs), shop.stripe_webhook_secret)
    stub_stripe.wait_for(*LIST)
    gate.set()
    assert refunding.result()["provider_ref"] == ours["id"]
    shop.server.restart_making_due()
    wait_until(lambda: shop.payment(payment["id"])["amount_refunded"] == "8.00", what="both to be refunded")
    listed = shop.api.get("/v1/refunds", query={"payment_id": payment["id"]}, expect=200).data
    assert {one["provider_ref"] for one in listed} == {ours["id"], theirs["id"]}


def test_a_refund_without_metadata_is_found_when_it_is_looked_for(shop, stub_stripe):
    payment = shop.pay("10.00")

    def stored_fault(made):
        bare(stub_stripe)
        return Answer(500, stripe_error("api_error"), {"Idempotent-Replayed": "true"})
    stub_stripe.answer_next(*REFUND, stored_fault)
    refund = shop.refund(payment, "4.00")
    at_stripe, = stub_stripe.objects("refund")
    assert wait_for_refund(shop, refund, "completed")["provider_ref"] == at_stripe["id"]


@pytest.mark.parametrize("done", [True, False], ids=["done", "never arrived"])
def test_a_refund_whose_key_was_revoked_is_looked_for_with_the_next_key_of_that_account(impatient_shop, stub_stripe, done):
    payment = impatient_shop.pay("10.00")
    stub_stripe.answer_always(*REFUND, executed(cut_after=0) if done else Answer(503, stripe_error("api_error")))
    refund = impatient_shop.refund(payment, "4.00")
    old_key = impatient_shop.stripe_key
    stub_stripe.model.revoked.add(old_key)
    impatient_shop.use_stripe()
    stub_stripe.model.accounts[impatient_shop.stripe_key] = stub_stripe.model.accounts[old_key]
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    if done:
        wait_for_refund(impatient_shop, refund, "completed")
    else:
        listed = stub_stripe.wait_for(*LIST)
        assert {call.header("Authorization") for call in listed} == {f"Bearer {impatient_shop.stripe_key}"}
        assert refund_now(impatient_shop, refund)["status"] == "pending"
    assert len(stub_stripe.objects("refund")) == done


def test_a_refund_that_a_crash_cut_off_is_made_once(shop, stub_stripe):
    payment = shop.pay("10.00")
    stub_stripe.answer_next(*REFUND, executed(hang=True))
    refunding = InBackground(shop.api.post, "/v1/refunds", {"payment_id": payment["id"]})
    stub_stripe.wait_for(*REFUND)
    shop.server.kill()
    with contextlib.suppress(OSError, http.client.HTTPException):
        refunding.result()
    shop.server.start()
    wait_for_status(shop, payment, "refunded")
    at_stripe, = stub_stripe.objects("refund")
    calls = stub_stripe.wait_for(*REFUND, 2)
    assert len({call.header("Idempotency-Key") for call in calls}) == 1
    assert refund_now(shop, {"id": at_stripe["metadata"]["refund_id"]})["provider_ref"] == at_stripe["id"]


@pytest.mark.parametrize("answer", [lying(amount=999), lying(currency="eur"), SENT_AGAIN[NO_STATUS]],
                         ids=["amount", "currency", NO_STATUS])
def test_an_answer_about_another_refund_is_not_believed(impatient_shop, stub_stripe, answer):
    payment = impatient_shop.pay("10.00")
    stub_stripe.answer_always(*REFUND, answer)
    refund = impatient_shop.refund(payment, "4.00")
    assert (refund["status"], refund["provider_ref"]) == ("pending", None)
    assert impatient_shop.payment(payment["id"])["amount_refunded"] == "0.00"
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    assert wait_for_refund(impatient_shop, refund, "completed")["amount"] == "4.00"
    assert len(stub_stripe.objects("refund")) == 1


# Stripe refuses

@pytest.mark.parametrize("answer, code", [
    (Answer(400, stripe_error(code="charge_disputed")), "charge_disputed"),
    (Answer(400, stripe_error(code="charge_already_refunded")), "charge_already_refunded"),
    (Answer(402, stripe_error("card_error", code="insufficient_funds")), "insufficient_funds"),
    (Answer(401, stripe_error()), "provider_auth_failed")], ids=lambda value: value if isinstance(value, str) else "")
def test_a_refund_that_stripe_refuses_failed_and_its_amount_is_free_again(shop, stub_stripe, receiver, answer, code):
    shop.use_webhook(receiver.url)
    payment = shop.pay("10.00")
    stub_stripe.answer_next(*REFUND, answer)
    failed = shop.refund(payment)
    assert (failed["status"], failed["provider_ref"], failed["failure"]["code"]) == ("failed", None, code)
    assert failed["failure"]["message"]
    now = shop.payment(payment["id"])
    assert (now["status"], now["amount_refunded"]) == ("completed", "0.00")
    told = told_of(receiver, "refund.failed")
    assert (told["refund"], told["status"]) == (failed, "completed")
    assert shop.refund(payment)["status"] == "completed"
    assert shop.payment(payment["id"])["status"] == "refunded"


def test_a_disputed_payment_is_not_refunded_and_the_dispute_has_its_event(listening, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay("10.00", payment_method="pm_card_createDispute")
    told = told_of(receiver, "payment.disputed")
    assert (told["id"], told["dispute"]["reason"], told["dispute"]["amount"]) == (payment["id"], "fraudulent", "10.00")
    failed = listening.refund(payment)
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "charge_disputed")


# Stripe takes its time, or takes it back

def test_a_refund_that_is_pending_at_stripe_holds_its_amount_and_settles(listening, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay("10.00", payment_method="pm_card_pendingRefund")
    refund = listening.refund(payment, "4.00")
    assert refund["status"] == "pending" and refund["provider_ref"].startswith("re_")
    now = listening.payment(payment["id"])
    assert (now["status"], now["amount_refunded"]) == ("completed", "0.00")
    listening.api.post("/v1/refunds", {"payment_id": payment["id"], "amount": "6.01"}, expect=422)
    assert wait_for_refund(listening, refund, "completed")["provider_ref"] == refund["provider_ref"]
    told = told_of(receiver, "payment.refunded")
    assert (told["refund"]["id"], told["status"], told["amount_refunded"]) == (refund["id"], "completed", "4.00")


def test_a_refund_that_is_pending_at_stripe_is_looked_up_if_no_event_comes(shop, stub_stripe):
    payment = shop.pay("10.00", payment_method=PENDING_REFUND)
    refund = shop.refund(payment)
    assert refund["status"] == "pending"
    at_stripe, = stub_stripe.objects("refund")
    at_stripe["status"] = "succeeded"
    shop.server.restart_making_due()
    wait_for_refund(shop, refund, "completed")
    assert shop.payment(payment["id"])["status"] == "refunded"


@pytest.mark.parametrize("by_itself", [True, False], ids=["soon", "weeks later"])
def test_a_refund_that_fails_late_gives_the_payment_back(listening, sandbox, receiver, by_itself):
    listening.use_webhook(receiver.url)
    payment = listening.pay("10.00", payment_method="pm_card_refundFail" if by_itself else "pm_card_visa")
    refund = listening.refund(payment)
    assert refund["status"] == "completed"
    if not by_itself:
        bank_decides(sandbox, refund, "failed")
    failed = wait_for_refund(listening, refund, "failed")
    assert failed["failure"]["code"] and failed["provider_ref"] == refund["provider_ref"]
    now = listening.payment(payment["id"])
    assert (now["status"], now["amount_refunded"]) == ("completed", "0.00")
    told = told_of(receiver, "refund.failed")
    assert (told["refund"], told["status"], told["amount_refunded"]) == (failed, "completed", "0.00")
    assert [event["type"] for event in receiver.events()] == ["payment.completed", "payment.refunded", "refund.failed"]
    assert listening.refund(payment, "5.00")["status"] == "completed"


def test_an_outcome_that_only_a_look_up_can_find_is_found(merchant):
    payment = merchant.pay("10.00", payment_method="pm_sandbox_refundServerError")
    refund = merchant.refund(payment, "4.00")
    assert wait_for_refund(merchant, refund, "completed")["provider_ref"]
    assert merchant.payment(payment["id"])["amount_refunded"] == "4.00"


# At Stripe's dashboard

def test_a_refund_made_at_the_dashboard_appears_with_its_event(listening, sandbox, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay("10.00")
    made = at_dashboard(sandbox, listening, payment, reason="duplicate")
    told = told_of(receiver, "payment.refunded")
    assert (told["status"], told["amount_refunded"]) == ("refunded", "10.00")
    refund = refund_now(listening, told["refund"])
    assert refund == told["refund"]
    assert (refund["provider_ref"], refund["amount"], refund["reason"], refund["status"]) == \
        (made["id"], "10.00", "duplicate", "completed")
    assert listening.payment(payment["id"])["status"] == "refunded"


def test_a_part_refunded_at_the_dashboard_leaves_the_payment_completed(listening, sandbox, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay("10.00")
    at_dashboard(sandbox, listening, payment, amount=300)
    told = told_of(receiver, "payment.refunded")
    assert (told["refund"]["amount"], told["status"], told["amount_refunded"]) == ("3.00", "completed", "3.00")
    assert listening.payment(payment["id"])["amount_refunded"] == "3.00"
    assert listening.refund(payment)["amount"] == "7.00"
    told_of(receiver, "payment.refunded", lambda data: data["status"] == "refunded")
    assert len(receiver.events("payment.refunded")) == 2


def test_a_refund_of_more_than_was_captured_is_ignored_and_holds_no_amount(shop):
    payment = shop.pay("10.00")
    shop.refund(payment, "7.00")
    too_much = {"id": stripe_id("re_"), "object": "refund", "amount": 301, "currency": "usd", "status": "succeeded",
                "payment_intent": payment["provider_ref"], "reason": None, "metadata": {}}
    send_event(shop.server, event("refund.created", too_much), shop.stripe_webhook_secret)
    assert shop.payment(payment["id"])["amount_refunded"] == "7.00"
    assert shop.refund(payment)["amount"] == "3.00"
    assert shop.payment(payment["id"])["status"] == "refunded"


def test_a_dashboard_refund_is_known_at_the_latest_when_stripe_refuses_ours(merchant, sandbox):
    payment = merchant.pay("10.00")  # nobody sends its events here
    at_dashboard(sandbox, merchant, payment, amount=300)
    failed = merchant.refund(payment)
    assert failed["status"] == "failed" and failed["failure"]["code"]
    assert merchant.refund(payment, "7.00")["status"] == "completed"


def test_the_rest_that_a_partial_capture_released_is_no_refund(listening, sandbox, receiver):
    listening.use_webhook(receiver.url)
    payment = listening.pay("10.00", capture_method="manual")
    call_stripe(sandbox, listening, f"/v1/payment_intents/{payment['provider_ref']}/capture", amount_to_capture=600)
    captured = wait_for_status(listening, payment, "completed")
    assert (captured["amount_captured"], captured["amount_refunded"]) == ("6.00", "0.00")
    at_dashboard(sandbox, listening, payment, amount=100)
    told = told_of(receiver, "payment.refunded")
    assert (told["refund"]["amount"], told["amount_refunded"], told["status"]) == ("1.00", "1.00", "completed")
    listening.api.post("/v1/refunds", {"payment_id": payment["id"], "amount": "5.01"}, expect=422)
    assert listening.refund(payment)["amount"] == "5.00"
    told_of(receiver, "payment.refunded", lambda data: data["status"] == "refunded")
    now = listening.payment(payment["id"])
    assert (now["status"], now["amount_refunded"]) == ("refunded", "6.00")
    assert len(receiver.events("payment.refunded")) == 2


def test_a_charge_that_two_payments_claim_belongs_to_one_and_blocks_nothing(shop, stub_stripe):
    """Stripe lists no refunds, so the charge stands for them."""
    first, second = shop.pay("10.00"), shop.pay("10.00")
    for listed, payment in enumerate((first, second), start=1):
        sent = event("charge.refunded", charge_of(payment, 1000, id="ch_1"))
        send_event(shop.server, sent, shop.stripe_webhook_secret)
        stub_stripe.wait_for(*LIST, listed)
        wait_until(lambda: shop.server.metric("operations_in_flight") == 0,
                   what="nothing to be under way")
    assert (shop.payment(first["id"])["status"], shop.payment(first["id"])["amount_refunded"]) == ("refunded", "10.00")
    assert (shop.payment(second["id"])["status"], shop.payment(second["id"])["amount_refunded"]) == ("completed", "0.00")
    assert shop.server.metric("operations_settle_retries_total") == 0
