"""Refunds as merchants ask for them: answers and refusals, and that all of them together never exceed the payment."""
import concurrent.futures
import json
import re
import threading
import urllib.request
import uuid

import pytest

from support.database import open_database, request_hash
from support.merchant import Merchant
from support.shape import TIME, UUID7, assert_shape, refused, succeeded
from support.stripe_model import AUTHENTICATE, DECLINE
from support.stub import executed
from support.waiting import wait_until

REFUND = ("POST", "/v1/refunds")
STRIPE_REFUND = re.compile(r"re_[A-Za-z0-9]+")
REFUND_SHAPE = {
    "id": UUID7, "payment_id": UUID7, "status": "completed", "provider_ref": STRIPE_REFUND, "amount": "25.00",
    "created_at": TIME,
    # The walk-through's answer does not show these; the API's description does.
    "currency": "USD", "reason": None, "livemode": False, "failure": None, "updated_at": TIME,
}


def ask(merchant, payment, amount=None, api=None, key=None, **fields):
    """The Answer to POST /v1/refunds."""
    body = {"payment_id": payment["id"]} | ({} if amount is None else {"amount": amount}) | fields
    return (api or merchant.api).post("/v1/refunds", body, idempotency_key=key)


def refunds_at(sandbox, payment):
    """The ledger's refunds of a payment."""
    with urllib.request.urlopen(sandbox.url + "/_sandbox/ledger", timeout=10) as answer:
        refunds = json.load(answer)["refunds"]
    return [refund for refund in refunds if refund["payment_intent"] == payment["provider_ref"]]


# As the walk-through has it

@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "application/json"])
def test_the_request_of_the_walk_through_is_answered_with_every_field(merchant, content_type):
    payment = merchant.pay("50.00")
    text = '{\n  "payment_id": "%s",\n  "amount": 25.00\n}' % payment["id"]
    answer = merchant.api.post("/v1/refunds", text, headers={"Content-Type": content_type}, expect=201)
    assert_shape(answer.json, {"success": True, "data": REFUND_SHAPE | {"payment_id": payment["id"]}})
    read = merchant.api.get(f"/v1/refunds/{answer.data['id']}", expect=200)
    assert read.json == answer.json


def test_a_refund_without_an_amount_takes_all(merchant, sandbox, receiver):
    merchant.use_webhook(receiver.url)
    payment = merchant.pay("50.00")
    refund = merchant.refund(payment)
    assert_shape(refund, REFUND_SHAPE | {"amount": "50.00"})
    now = merchant.payment(payment["id"])
    assert (now["status"], now["amount_refunded"], now["amount_captured"]) == ("refunded", "50.00", "50.00")
    at_stripe, = refunds_at(sandbox, payment)
    assert (at_stripe["id"], at_stripe["amount"]) == (refund["provider_ref"], 5000)
    told = receiver.wait_for("payment.refunded").json["data"]
    assert (told["refund"], told["status"], told["amount_refunded"]) == (refund, "refunded", "50.00")


def test_parts_sum_up_to_the_cent(merchant, sandbox, receiver):
    merchant.use_webhook(receiver.url)
    payment = merchant.pay("10.00")
    for amount, refunded, status in [("3.33", "3.33", "completed"), ("3.33", "6.66", "completed"),
                                     ("3.34", "10.00", "refunded")]:
        assert merchant.refund(payment, amount)["amount"] == amount
        now = merchant.payment(payment["id"])
        assert (now["status"], now["amount_refunded"]) == (status, refunded)
    refused(ask(merchant, payment, "0.01"), 409, "CONFLICT")
    assert [refund["amount"] for refund in refunds_at(sandbox, payment)] == [333, 333, 334]
    receiver.wait_for(4)
    assert [told["data"]["status"] for told in receiver.events("payment.refunded")] == \
        ["completed", "completed", "refunded"]


def test_all_that_is_left_is_what_was_not_refunded_before(merchant):
    payment = merchant.pay("10.00")
    merchant.refund(payment, "9.99")
    assert merchant.refund(payment)["amount"] == "0.01"
    assert merchant.payment(payment["id"])["status"] == "refunded"


@pytest.mark.parametrize("reason", ["duplicate", "fraudulent", "requested_by_customer", None])
def test_a_reason_is_passed_on_and_shown(observed, reason):
    refund = observed.refund(observed.pay(), reason=reason)
    assert refund["reason"] == reason
    assert refund_calls(observed)[-1].form.get("reason") == reason


@pytest.mark.parametrize("currency, amount, part, shown, rest, wrong", [
    ("JPY", 500, 200, "200", "300", "0.5"), ("JPY", "500", "200.00", "200", "300", 1.01),
    ("KWD", "1.500", "0.250", "0.250", "1.250", "0.005"), ("KWD", "1.500", 1.49, "1.490", "0.010", "0.0001"),
    ("USD", "0.50", "0.010", "0.01", "0.49", "0.001"), ("ISK", "500", "120", "120", "380", "0.5"),
    ("UGX", 500, "120.0", "120", "380", "1.01")])
def test_amounts_have_the_payments_own_decimals(merchant, currency, amount, part, shown, rest, wrong):
    payment = merchant.pay(amount, currency)
    refused(ask(merchant, payment, wrong), 422, "VALIDATION_ERROR", "amount")
    refund = merchant.refund(payment, part)
    assert (refund["amount"], refund["currency"]) == (shown, currency)
    assert merchant.payment(payment["id"])["amount_refunded"] == shown
    assert merchant.refund(payment)["amount"] == rest


# The requests to Stripe

def refund_calls(merchant):
    return [request for request in merchant.stripe.calls(*REFUND)
            if request.header("Authorization") == f"Bearer {merchant.stripe_key}"]


def wait_for_refund_call(merchant):
    return wait_until(lambda: refund_calls(merchant), what="Stripe to be asked for the refund")


def test_stripe_is_asked_for_just_this_refund_under_its_own_key(observed):
    payment = observed.pay("10.00")
    refund = observed.refund(payment, "4.00")
    call, = refund_calls(observed)
    assert call.form == {
        "payment_intent": payment["provider_ref"], "amount": "400", "metadata[refund_id]": refund["id"],
        "metadata[payment_id]": payment["id"], "metadata[merchant_id]": observed.id}
    assert call.header("Idempotency-Key") == f"ref_{refund['id']}"


def test_the_key_and_the_hash_of_the_request_go_with_the_refund(observed):
    payment = observed.pay("10.00")
    observed.refund(payment, "4.00", idempotency_key="refund-1")
    call, = refund_calls(observed)
    assert call.form["metadata[paymentsd_key]"] == "refund-1"
    assert call.form["metadata[paymentsd_hash]"] == request_hash(observed.server, observed, "refund-1").hex()


def test_a_refund_after_the_secret_key_was_changed_goes_under_the_present_one(observed):
    payment, accounts, before = observed.pay(), observed.stripe.model.accounts, observed.stripe_key
    observed.use_stripe()
    accounts[observed.stripe_key] = accounts[before]
    assert observed.refund(payment)["status"] == "completed"
    assert len(refund_calls(observed)) == 1


# Refusals

def test_a_cent_too_much_is_refused_and_nothing_is_recorded(merchant, sandbox):
    payment = merchant.pay("10.00")
    refused(ask(merchant, payment, "10.01"), 422, "REFUND_EXCEEDS_PAYMENT")
    merchant.refund(payment, "6.00")
    answer = refused(ask(merchant, payment, "4.01"), 422, "REFUND_EXCEEDS_PAYMENT")
    assert "4.00 USD" in answer.errors[0]["message"]
    assert merchant.payment(payment["id"])["amount_refunded"] == "6.00"
    merchant.refund(payment, "4.00")
    assert [refund["amount"] for refund in refunds_at(sandbox, payment)] == [600, 400]


@pytest.mark.parametrize("fields, status", [
    ({"payment_method": DECLINE}, "failed"),
    ({"payment_method": AUTHENTICATE, "return_url": "https://shop.example/return"}, "pending"),
    ({"capture_method": "manual"}, "pending")], ids=["failed", "pending", "authorised"])
def test_only_a_completed_payment_can_be_refunded(merchant, sandbox, fields, status):
    payment = merchant.pay(**fields)
    assert payment["status"] == status
    refused(ask(merchant, payment), 409, "CONFLICT")
    refused(ask(merchant, payment, "1.00"), 409, "CONFLICT")
    assert refunds_at(sandbox, payment) == []


def test_a_payment_that_is_not_there_or_another_merchants_cannot_be_refunded(server, merchant, sandbox):
    other = Merchant.with_stripe(server)
    theirs = other.pay()
    refused(ask(merchant, theirs), 404, "NOT_FOUND")
    refused(ask(merchant, {"id": str(uuid.uuid4())}), 404, "NOT_FOUND")
    assert refunds_at(sandbox, theirs) == []
    refund = other.refund(theirs)
    refused(merchant.api.get(f"/v1/refunds/{refund['id']}"), 404, "NOT_FOUND")
    for name in (uuid.uuid4(), "none", "1", theirs["id"]):
        refused(merchant.api.get(f"/v1/refunds/{name}"), 404, "NOT_FOUND")


def test_a_test_key_neither_refunds_nor_sees_what_is_live(server):
    merchant = Merchant(server)
    merchant.use_stripe("live")
    payment, tester = merchant.pay(), merchant.client(mode="test")
    refused(ask(merchant, payment, api=tester), 404, "NOT_FOUND")
    refund = merchant.refund(payment)
    assert refund["livemode"] is True
    refused(tester.get(f"/v1/refunds/{refund['id']}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("changes, field", [
    ({"payment_id": None}, "payment_id"), ({"payment_id": "1"}, "payment_id"), ({"payment_id": 1}, "payment_id"),
    ({"payment_id": ""}, "payment_id"), ({"amount": None}, "amount"), ({"amount": "0"}, "amount"),
    ({"amount": 0}, "amount"), ({"amount": "0.000"}, "amount"), ({"amount": -1}, "amount"),
    ({"amount": "1e1"}, "amount"), ({"amount": "ten"}, "amount"), ({"amount": ""}, "amount"),
    ({"amount": True}, "amount"), ({"amount": ["1"]}, "amount"), ({"amount": "1.001"}, "amount"),
    ({"reason": "other"}, "reason"), ({"reason": 1}, "reason"), ({"reason": ""}, "reason"),
    ({"currency": "USD"}, "currency"), ({"metadata": {}}, "metadata")])
def test_a_field_that_is_wrong_is_named(merchant, changes, field):
    payment = merchant.pay()
    refused(merchant.api.post("/v1/refunds", {"payment_id": payment["id"]} | changes), 422, "VALIDATION_ERROR", field)


def test_every_bad_field_is_named_in_one_answer(merchant):
    refused(merchant.api.post("/v1/refunds", {"amount": "x", "reason": "x", "y": 1}), 422, "VALIDATION_ERROR",
            "payment_id", "amount", "reason", "y")
    refused(merchant.api.post("/v1/refunds?z=1", {"payment_id": str(uuid.uuid4())}), 422, "VALIDATION_ERROR", "z")
    refused(merchant.api.post("/v1/refunds", {"card": "x"}), 422, "CARD_DATA_REFUSED", "card")


def test_a_merchant_that_removed_its_credentials_refunds_nothing(merchant, sandbox):
    payment, key = merchant.pay(), f"refund-{uuid.uuid4()}"
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    refused(ask(merchant, payment, key=key), 422, "PROVIDER_NOT_CONFIGURED")
    assert refunds_at(sandbox, payment) == []


# Side by side

def test_concurrent_refunds_never_exceed_their_payment(merchant, sandbox):
    payment = merchant.pay("10.00")
    start = threading.Barrier(64)

    def refund(_):
        start.wait()
        return ask(merchant, payment, "0.31")

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(refund, range(64)))
    made = [answer.data for answer in answers if answer.status == 201]
    for answer in answers:
        assert answer.status == 201 or answer.codes == ["REFUND_EXCEEDS_PAYMENT"], repr(answer)
    assert [refund["status"] for refund in made] == ["completed"] * 32, "as many as fit into it"
    at_stripe = refunds_at(sandbox, payment)
    assert sorted(refund["id"] for refund in at_stripe) == sorted(refund["provider_ref"] for refund in made)
    assert sum(refund["amount"] for refund in at_stripe) == 992
    assert merchant.payment(payment["id"])["amount_refunded"] == "9.92"
    assert merchant.refund(payment)["amount"] == "0.08"


def test_a_refund_under_way_holds_its_amount(observed):
    payment, gate = observed.pay("10.00"), threading.Event()
    observed.stripe.answer_next(*REFUND, executed(gate=gate))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(ask, observed, payment, "7.00")
        wait_for_refund_call(observed)
        refused(ask(observed, payment, "3.01"), 422, "REFUND_EXCEEDS_PAYMENT")
        assert observed.refund(payment)["amount"] == "3.00"
        refused(ask(observed, payment), 422, "REFUND_EXCEEDS_PAYMENT")
        gate.set()
        assert first.result().data["status"] == "completed"
    assert observed.payment(payment["id"])["status"] == "refunded"


# Again under the same key

def test_the_same_request_again_refunds_nothing_more(merchant, sandbox):
    payment, key = merchant.pay("10.00"), f"refund-{uuid.uuid4()}"
    first = ask(merchant, payment, "4.00", key=key)
    assert first.status == 201 and not first.replayed
    for amount in ("4.00", 4, "4.0", "4"):
        again = ask(merchant, payment, amount, key=key)
        assert (again.status, again.body, again.replayed) == (201, first.body, True)
    merchant.refund(payment)
    again = ask(merchant, payment, "4.00", key=key)
    assert (again.body, again.replayed) == (first.body, True), "whatever became of the payment"
    assert [refund["amount"] for refund in refunds_at(sandbox, payment)] == [400, 600]


def test_the_same_key_for_another_refund_is_refused(merchant):
    payment, key = merchant.pay("10.00"), f"refund-{uuid.uuid4()}"
    succeeded(ask(merchant, payment, "10.00", key=key), 201)
    for body in ({"amount": "4.00"}, {}, {"amount": "10.00", "reason": "duplicate"}):
        refused(merchant.api.post("/v1/refunds", {"payment_id": payment["id"]} | body, idempotency_key=key), 422,
                "IDEMPOTENCY_KEY_REUSED")
    refused(ask(merchant, merchant.pay("10.00"), "10.00", key=key), 422, "IDEMPOTENCY_KEY_REUSED")


def test_idempotency_keys_of_refunds_are_separate_from_those_of_payments_and_other_merchants(server, merchant):
    key = f"order-{uuid.uuid4()}"
    payment = merchant.pay(idempotency_key=key)
    assert not ask(merchant, payment, key=key).replayed
    other = Merchant.with_stripe(server)
    assert not ask(other, other.pay(), key=key).replayed


def test_a_refusal_leaves_the_key_free(merchant):
    payment, key = merchant.pay("10.00"), f"refund-{uuid.uuid4()}"
    refused(ask(merchant, payment, "10.01", key=key), 422, "REFUND_EXCEEDS_PAYMENT")
    refused(ask(merchant, {"id": str(uuid.uuid4())}, key=key), 404, "NOT_FOUND")
    refused(ask(merchant, merchant.pay(payment_method=DECLINE), key=key), 409, "CONFLICT")
    first = ask(merchant, payment, key=key)
    assert first.status == 201 and not first.replayed


def test_while_the_first_is_under_way_the_same_request_is_answered_409(observed):
    payment, key, gate = observed.pay(), f"refund-{uuid.uuid4()}", threading.Event()
    observed.stripe.answer_next(*REFUND, executed(gate=gate))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(ask, observed, payment, key=key)
        wait_for_refund_call(observed)
        refused(ask(observed, payment, key=key), 409, "IDEMPOTENCY_IN_PROGRESS")
        refused(ask(observed, payment, "1.00", key=key), 422, "IDEMPOTENCY_KEY_REUSED")
        gate.set()
        answer = first.result()
    again = ask(observed, payment, key=key)
    assert (again.body, again.replayed) == (answer.body, True)


def test_after_the_first_answer_was_pruned_the_refund_is_shown_as_it_is(start_server, stub_stripe):
    merchant = Merchant.with_stripe(start_server(stub_stripe.url))
    payment = merchant.pay("10.00")
    refund = ask(merchant, payment, "4.00", key="k").data
    merchant.server.terminate()
    with open_database(merchant.server) as database:
        assert database.execute("DELETE FROM replies").rowcount == 2
    merchant.server.start()
    again = ask(merchant, payment, "4.00", key="k")
    assert (again.status, again.data, again.replayed) == (201, refund, True)
    assert len(stub_stripe.objects("refund")) == 1


def test_a_service_that_has_no_room_refunds_nothing(start_server, stub_stripe):
    merchant = Merchant.with_stripe(start_server(stub_stripe.url, operations=1))
    payment, gate = merchant.pay("10.00"), threading.Event()
    stub_stripe.answer_next(*REFUND, executed(gate=gate))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(ask, merchant, payment, "1.00")
        stub_stripe.wait_for(*REFUND)
        refused(ask(merchant, payment, "1.00", key="k"), 503, "OVERLOADED")
        gate.set()
        assert first.result().status == 201
    assert not ask(merchant, payment, "1.00", key="k").replayed
    assert len(stub_stripe.objects("refund")) == 2
