"""Stripe refuses the key that an open payment was begun with. The payment stays open until the next key of that account
finds its outcome, or until its merchant ends it."""
import pytest

from stub_fixture import CHARGE, LIST, pay, pay_in_vain, wait_for_status
from support.database import history, open_database
from support.events import event, send_event
from support.http_listener import Answer
from support.shape import refused
from support.stripe_model import stripe_error
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import SENT_AGAIN

# A start may also fetch events, which says nothing of a payment.
ANY_INTENT = ("*", "/v1/payment_intents*")


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_refused_while_an_attempt_is_unresolved_says_nothing_of_the_payment(impatient_shop, stub_stripe, status):
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, Answer(status, stripe_error(code="api_key_expired")))
    payment = pay_in_vain(impatient_shop).data
    alert = impatient_shop.server.wait_for_log(level="error", subject_id=payment["id"])
    assert alert["status"] == status
    assert impatient_shop.payment(payment["id"])["status"] == "pending"
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    wait_for_status(impatient_shop, payment, "completed")
    assert stub_stripe.charged_minor(payment["id"]) == 1000


def replace_key(shop, stub_stripe, same_account=True):
    """The secret key is revoked at Stripe, and the merchant gives another: of the same account or of another one."""
    old_key = shop.stripe_key
    stub_stripe.model.revoked.add(old_key)
    shop.use_stripe()
    if same_account:
        stub_stripe.model.accounts[shop.stripe_key] = stub_stripe.model.accounts[old_key]


def pay_unfinished(shop, capture_method):
    """A payment that its payer has still to authenticate, or that is to be captured."""
    if capture_method == "manual":
        return pay(shop, capture_method="manual").data
    return pay(shop, payment_method="pm_card_authenticationRequired", return_url="https://shop.example/").data


def forget_replaced_keys(server):
    with open_database(server) as database:
        changed = database.execute("UPDATE credential_versions SET secret_key = NULL WHERE id NOT IN"
                                   " (SELECT version_id FROM credentials)").rowcount
    assert changed > 0


@pytest.mark.parametrize("charged", [True, False], ids=["charged", "never arrived"])
def test_a_charge_whose_key_was_revoked_is_looked_for_with_the_next_key_of_that_account(impatient_shop, stub_stripe, charged):
    known = pay(impatient_shop).data
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0) if charged else SENT_AGAIN["503"])
    payment = pay_in_vain(impatient_shop, key="order-2").data
    replace_key(impatient_shop, stub_stripe)
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    if charged:
        wait_for_status(impatient_shop, payment, "completed")
    else:
        new = [call for call in stub_stripe.wait_for(*LIST)
               if call.header("Authorization") == f"Bearer {impatient_shop.stripe_key}"]
        assert new and impatient_shop.payment(payment["id"])["status"] == "pending"
        impatient_shop.server.restart_making_due(absent_older_us=600_000_000)
        failed = wait_for_status(impatient_shop, payment, "failed")
        assert failed["failure"]["code"] == "provider_unavailable"
    asked = stub_stripe.calls("GET", f"/v1/payment_intents/{known['provider_ref']}")
    assert {call.header("Authorization") for call in asked} == {f"Bearer {impatient_shop.stripe_key}"}
    assert stub_stripe.charged_minor(payment["id"]) == (1000 if charged else 0)
    assert {call.header("Authorization") for call in stub_stripe.calls(*CHARGE)} != {f"Bearer {impatient_shop.stripe_key}"}


def test_the_key_of_another_account_settles_no_charge(impatient_shop, stub_stripe):
    known = pay(impatient_shop).data
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["503"])
    payment = pay_in_vain(impatient_shop, key="order-2").data
    replace_key(impatient_shop, stub_stripe, same_account=False)
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    stub_stripe.wait_for("GET", f"/v1/payment_intents/{known['provider_ref']}")
    impatient_shop.server.restart_making_due(absent_older_us=600_000_000)
    stub_stripe.wait_for("GET", f"/v1/payment_intents/{known['provider_ref']}", 2)
    assert impatient_shop.payment(payment["id"])["status"] == "pending"
    assert not stub_stripe.calls(*LIST)


LACKING = Answer(403, stripe_error(message="The provided key 'rk_test_****1234' does not have the required permissions for this "
                                   "endpoint on account 'acct_1'. Having the 'rak_payment_intent_write' permission would "
                                   "allow this request to continue."))


def test_the_permission_that_a_restricted_key_lacks_is_shown(impatient_shop, stub_stripe):
    stub_stripe.answer_next(*CHARGE, LACKING)
    failure = pay(impatient_shop).data["failure"]
    assert failure["code"] == "provider_auth_failed" and "rak_payment_intent_write" in failure["message"]
    assert "rk_test_" not in failure["message"]
    stub_stripe.answer_next("POST", "/v1/customers", LACKING)
    answer = impatient_shop.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=422)
    assert answer.codes == ["PROVIDER_AUTH_FAILED"] and "rak_payment_intent_write" in answer.errors[0]["message"]


def test_the_log_names_the_permission_that_an_open_payment_lacks(impatient_shop, stub_stripe):
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, LACKING)
    payment = pay_in_vain(impatient_shop).data
    alert = impatient_shop.server.wait_for_log(level="error", subject_id=payment["id"])
    assert "rak_payment_intent_write" in alert["reason"]


@pytest.mark.parametrize("after", ["the key was revoked", "another account's key was given"])
def test_a_charge_that_no_key_can_look_up_can_be_ended_by_its_merchant(impatient_shop, stub_stripe, receiver, after):
    impatient_shop.use_webhook(receiver.url)
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    payment = pay_in_vain(impatient_shop).data
    refused(impatient_shop.end(payment, "cancel", expect=None), 409, "CONFLICT")
    if after == "the key was revoked":
        stub_stripe.model.revoked.add(impatient_shop.stripe_key)
    else:
        replace_key(impatient_shop, stub_stripe, same_account=False)
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    impatient_shop.server.wait_for_log(level="error", subject_id=payment["id"])
    ended = wait_until(lambda: (answer := impatient_shop.end(payment, "cancel", expect=None)).status == 200 and answer)
    assert (ended.data["status"], ended.data["failure"]["code"]) == ("failed", "outcome_unknown")
    assert ended.data == impatient_shop.payment(payment["id"])
    assert receiver.wait_for("payment.failed").json["data"]["failure"] == ended.data["failure"]
    assert "canceled, outcome unknown" in [what for what, *_ in history(impatient_shop.server, payment)]
    refused(impatient_shop.end(payment, "cancel", expect=None), 409, "CONFLICT")
    asked = len(stub_stripe.calls(*ANY_INTENT))
    impatient_shop.server.restart()
    assert impatient_shop.payment(payment["id"])["status"] == "failed" and len(stub_stripe.calls(*ANY_INTENT)) == asked
    made, = stub_stripe.objects("payment_intent")  # Stripe says so after all
    send_event(impatient_shop.server, event("payment_intent.succeeded", made), impatient_shop.stripe_webhook_secret)
    assert impatient_shop.payment(payment["id"])["status"] == "completed"


def test_deleted_credentials_still_verify_the_event_of_a_charge_that_its_merchant_ended(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.model.revoked.add(impatient_shop.stripe_key)
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    impatient_shop.server.wait_for_log(level="error", subject_id=payment["id"])
    wait_until(lambda: impatient_shop.end(payment, "cancel", expect=None).status == 200)
    impatient_shop.api.delete("/v1/merchant/providers/stripe", expect=200)
    made, = stub_stripe.objects("payment_intent")
    send_event(impatient_shop.server, event("payment_intent.succeeded", made), impatient_shop.stripe_webhook_secret)
    assert impatient_shop.payment(payment["id"])["status"] == "completed"


@pytest.mark.parametrize("capture_method", ["automatic", "manual"])
@pytest.mark.parametrize("old_key", ["is revoked", "is not kept any more"])
def test_a_payment_of_another_account_than_the_present_one_is_ended_by_its_merchant(
        impatient_shop, stub_stripe, receiver, old_key, capture_method):
    impatient_shop.use_webhook(receiver.url)
    payment = pay_unfinished(impatient_shop, capture_method)
    replace_key(impatient_shop, stub_stripe, same_account=False)
    if old_key == "is not kept any more":
        impatient_shop.server.terminate()
        forget_replaced_keys(impatient_shop.server)
        impatient_shop.server.start()
    ended = impatient_shop.end(payment, "cancel")
    assert (ended.data["status"], ended.data["failure"]["code"]) == ("failed", "outcome_unknown")
    assert ended.data == impatient_shop.payment(payment["id"])
    assert receiver.wait_for("payment.failed").json["data"]["failure"] == ended.data["failure"]
    assert "canceled, outcome unknown" in [what for what, *_ in history(impatient_shop.server, payment)]
    asked = len(stub_stripe.calls(*ANY_INTENT))
    impatient_shop.server.restart()
    assert impatient_shop.payment(payment["id"])["status"] == "failed" and len(stub_stripe.calls(*ANY_INTENT)) == asked
    made, = stub_stripe.objects("payment_intent")  # Stripe says so after all
    paid = made | {"status": "succeeded", "amount_received": 1000, "next_action": None}
    send_event(impatient_shop.server, event("payment_intent.succeeded", paid), impatient_shop.stripe_webhook_secret)
    assert impatient_shop.payment(payment["id"])["status"] == "completed"


@pytest.mark.parametrize("capture_method", ["automatic", "manual"])
def test_a_payment_whose_key_was_revoked_is_canceled_with_the_next_key_of_that_account(
        impatient_shop, stub_stripe, capture_method):
    payment = pay_unfinished(impatient_shop, capture_method)
    replace_key(impatient_shop, stub_stripe)
    impatient_shop.end(payment, "cancel", expect=None)
    assert wait_for_status(impatient_shop, payment, "failed")["failure"]["code"] == "canceled"
    made, = stub_stripe.objects("payment_intent")
    assert made["status"] == "canceled"


def test_a_new_key_is_tried_at_once(impatient_shop, stub_stripe):
    pay(impatient_shop)
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    payment = pay_in_vain(impatient_shop, key="order-2").data
    old_key = impatient_shop.stripe_key
    stub_stripe.model.revoked.add(old_key)
    stub_stripe.behave()
    impatient_shop.server.wait_for_log(level="error", subject_id=payment["id"])
    stub_stripe.model.accounts["sk_test_next"] = stub_stripe.model.accounts[old_key]
    impatient_shop.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {"secret_key": "sk_test_next"}}, expect=200)
    wait_for_status(impatient_shop, payment, "completed")
