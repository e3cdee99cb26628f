"""Each test card that the sandbox sets up, and 3-D Secure on the way."""
import urllib.parse

import pytest
import requests
import stripe

from sandbox_fixture import RETURN_URL
from setup_fixture import (ALWAYS, SET_UP_ALREADY, UNLESS_SET_UP, attempts, cancel, card_of, confirm, create, press,
                           refused, retrieve, set_up)
from support.waiting import wait_until


@pytest.mark.parametrize("name", [ALWAYS, UNLESS_SET_UP, SET_UP_ALREADY, "pm_card_threeDSecure2Required"])
def test_a_card_that_needs_its_holder_sends_him_to_a_page(account, name):
    setup = create(account, payment_method=name, customer=account.customer().id)
    assert (setup.status, setup.next_action.type) == ("requires_action", "redirect_to_url")
    assert setup.next_action.redirect_to_url.return_url == RETURN_URL
    assert stripe.PaymentMethod.retrieve(setup.payment_method, **account.options).customer is None
    page = requests.get(setup.next_action.redirect_to_url.url, timeout=10)
    assert page.status_code == 200 and setup.id in page.text and "saved" in page.text
    assert account.event_types()[1:] == ["setup_intent.created", "setup_intent.requires_action"]
    assert attempts(account, setup) == ["requires_action"]


def test_completing_authentication_sets_the_card_up_and_sends_its_holder_back(account):
    customer = account.customer()
    setup = create(account, payment_method=UNLESS_SET_UP, customer=customer.id)
    back = press(setup, "complete")
    assert dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query)) == {
        "order": "7", "setup_intent": setup.id, "setup_intent_client_secret": setup.client_secret,
        "redirect_status": "succeeded"}
    assert press(setup, "fail") == back
    done = retrieve(account, setup)
    assert (done.status, done.next_action) == ("succeeded", None)
    assert stripe.PaymentMethod.retrieve(done.payment_method, **account.options).customer == customer.id
    assert account.event_types()[2:] == ["setup_intent.requires_action", "payment_method.attached",
                                         "setup_intent.succeeded"]
    assert attempts(account, setup) == ["succeeded"]


def test_failing_authentication_leaves_the_intent_without_a_method(account):
    setup = create(account, payment_method=UNLESS_SET_UP, customer=account.customer().id)
    assert "redirect_status=failed" in press(setup, "fail")
    failed = retrieve(account, setup)
    assert (failed.status, failed.payment_method, failed.next_action) == ("requires_payment_method", None, None)
    error = failed.last_setup_error
    assert (error.code, error.payment_method.id) == ("setup_intent_authentication_failure", setup.payment_method)
    assert account.event_types()[-1] == "setup_intent.setup_failed"
    assert attempts(account, setup) == ["failed"]
    again = confirm(account, setup, payment_method=setup.payment_method)
    assert (again.status, again.last_setup_error) == ("requires_action", None)
    press(again, "complete")
    assert retrieve(account, setup).status == "succeeded"
    assert attempts(account, setup) == ["succeeded", "failed"]


def test_a_waiting_intent_that_is_confirmed_again_abandons_its_attempt(account):
    setup = create(account, payment_method=ALWAYS)
    assert confirm(account, setup, payment_method="pm_card_visa").status == "succeeded"
    assert attempts(account, setup) == ["succeeded", "abandoned"]
    assert requests.post(setup.next_action.redirect_to_url.url, data={"action": "fail"}, timeout=10,
                         allow_redirects=False).status_code == 303
    assert retrieve(account, setup).status == "succeeded"


def test_without_a_return_url_the_action_is_the_sdks(account):
    setup = create(account, payment_method=ALWAYS, return_url=None,
                   automatic_payment_methods={"enabled": True, "allow_redirects": "never"})
    assert setup.next_action.type == "use_stripe_sdk"
    assert create(account, payment_method=ALWAYS, use_stripe_sdk=True).next_action.type == "use_stripe_sdk"


@pytest.mark.parametrize("name, code, decline_code", [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None)])
def test_a_card_that_the_bank_declines_is_not_set_up(account, name, code, decline_code):
    error = refused(lambda: create(account, payment_method=name, customer=account.customer().id),
                    stripe.error.CardError)
    body = error.json_body["error"]
    assert (error.http_status, body["code"], body.get("decline_code")) == (402, code, decline_code)
    setup = retrieve(account, error.error.setup_intent)
    assert (setup.status, setup.payment_method) == ("requires_payment_method", None)
    error = setup.last_setup_error
    assert (error.code, error.payment_method.id) == (code, body["payment_method"]["id"])
    assert account.event_types()[1:] == ["setup_intent.created", "setup_intent.setup_failed"]
    assert attempts(account, setup) == ["failed"]
    assert stripe.PaymentMethod.list(customer=setup.customer, **account.options).data == []


def test_a_card_may_be_declined_after_authentication(account):
    setup = create(account, payment_method="pm_card_threeDSecureRequiredChargeDeclined")
    assert "redirect_status=failed" in press(setup, "complete")
    assert retrieve(account, setup).last_setup_error.decline_code == "generic_decline"


def test_a_card_may_be_set_up_and_then_decline_every_charge(account):
    setup = create(account, payment_method="pm_card_chargeCustomerFail", customer=account.customer().id)
    assert setup.status == "succeeded"
    error = account.declined(customer=setup.customer, payment_method=setup.payment_method, off_session=True)
    assert error.error.decline_code == "generic_decline"


def test_a_card_that_is_only_attached_is_refused_while_its_holder_is_away(account):
    method = account.attach(UNLESS_SET_UP)
    error = account.declined(off_session=True, **card_of(account, method))
    assert (error.http_status, error.code) == (402, "authentication_required")


def test_a_card_that_was_set_up_is_charged_while_its_holder_is_away(account):
    method = set_up(account, UNLESS_SET_UP)
    for _ in range(2):
        assert account.create(off_session=True, **card_of(account, method)).status == "succeeded"
    assert account.create(**card_of(account, method)).status == "requires_action"


def test_a_card_that_was_set_up_to_be_used_on_session_is_not_set_up_for_off_session(account):
    method = set_up(account, UNLESS_SET_UP, usage="on_session")
    assert account.declined(off_session=True, **card_of(account, method)).code == "authentication_required"


def test_one_bank_asks_each_time_whatever_was_set_up(account):
    method = set_up(account, ALWAYS)
    assert account.declined(off_session=True, **card_of(account, method)).code == "authentication_required"


def test_a_processing_setup_ends_by_itself(account):
    setup = create(account, payment_method="pm_sandbox_processing", customer=account.customer().id)
    assert (setup.status, attempts(account, setup)) == ("processing", ["processing"])
    assert refused(lambda: cancel(account, setup)).code == "setup_intent_unexpected_state"
    wait_until(lambda: retrieve(account, setup).status == "succeeded", what="the setup to succeed")
    assert stripe.PaymentMethod.retrieve(setup.payment_method, **account.options).customer == setup.customer


def test_a_processing_setup_may_fail(account):
    setup = create(account, payment_method="pm_sandbox_processingFails")
    wait_until(lambda: retrieve(account, setup).status == "requires_payment_method", what="the setup to fail")
    assert retrieve(account, setup).last_setup_error.code == "card_declined"


def test_a_setup_may_be_done_although_the_call_answers_500(account):
    form = {"payment_method": "pm_sandbox_serverError", "confirm": "true", "return_url": RETURN_URL}
    for _ in range(2):
        assert account.post("/v1/setup_intents", form, key="set-1").status_code == 500
    assert [setup.status for setup in stripe.SetupIntent.list(**account.options).data] == ["succeeded"]


def test_the_page_of_a_cancelled_intent_is_dead(account):
    setup = create(account, payment_method=ALWAYS)
    cancel(account, setup)
    assert "redirect_status=failed" in press(setup, "complete")
    assert retrieve(account, setup).status == "canceled"


def detached(account, setup):
    stripe.PaymentMethod.detach(setup.payment_method, **account.options)


def deleted_with_its_customer(account, setup):
    stripe.Customer.delete(setup.customer, **account.options)


@pytest.mark.parametrize("gone", [detached, deleted_with_its_customer])
@pytest.mark.parametrize("name", [ALWAYS, "pm_sandbox_processing"])
def test_a_card_that_is_gone_meanwhile_is_not_set_up(account, gone, name):
    setup = create(account, **card_of(account, account.attach(name)))
    gone(account, setup)
    if setup.status == "requires_action":
        assert "redirect_status=failed" in press(setup, "complete")
    wait_until(lambda: retrieve(account, setup).status == "requires_payment_method", what="the setup to fail")
    assert retrieve(account, setup).last_setup_error.type == "invalid_request_error"
    assert stripe.PaymentMethod.retrieve(setup.payment_method, **account.options).customer is None


def test_a_card_is_set_up_for_one_of_two_customers(account):
    first = create(account, payment_method=ALWAYS, customer=account.customer().id)
    second = create(account, payment_method=first.payment_method, customer=account.customer().id)
    press(first, "complete")
    assert "redirect_status=failed" in press(second, "complete")
    assert stripe.PaymentMethod.retrieve(first.payment_method, **account.options).customer == first.customer
