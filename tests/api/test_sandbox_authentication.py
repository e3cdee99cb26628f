"""3-D Secure at the sandbox: the payer's page and its outcomes."""
import html
import re
import urllib.parse
import uuid

import pytest
import requests
import stripe

from sandbox_fixture import RETURN_URL, wait_for_status

CHALLENGED = "pm_card_authenticationRequired"


def page_of(intent):
    assert intent.status == "requires_action" and intent.next_action.type == "redirect_to_url"
    return intent.next_action.redirect_to_url.url


def press(url, action):
    return requests.post(url, data={"action": action}, allow_redirects=False, timeout=10)


@pytest.mark.parametrize("method", [CHALLENGED, "pm_card_threeDSecure2Required", "pm_card_threeDSecureRequired",
                                    "pm_card_authenticationRequiredOnSetup",
                                    "pm_card_authenticationRequiredSetupForOffSession"])
def test_a_card_that_needs_the_payer_sends_him_to_a_page(account, method):
    intent = account.create(payment_method=method)
    assert page_of(intent).startswith(account.url)
    assert intent.next_action.redirect_to_url.return_url == RETURN_URL
    assert intent.latest_charge is None and intent.amount_received == 0


def test_the_page_shows_the_payment_and_runs_no_script(account):
    intent = account.create(payment_method=CHALLENGED, description="<b>books & more</b>", amount=123456)
    page = requests.get(page_of(intent), timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "1234.56 USD" in page.text and html.escape("<b>books & more</b>") in page.text
    assert "<b>" not in page.text and "<script" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert re.findall(r'name="action" value="(\w+)"', page.text) == ["complete", "fail"]


def test_completing_charges_and_sends_the_payer_back(account):
    intent = account.create(payment_method=CHALLENGED, metadata={"order": "1"})
    answer = press(page_of(intent), "complete")
    assert answer.status_code == 303
    back = urllib.parse.urlsplit(answer.headers["Location"])
    assert (back.netloc, back.path) == ("shop.example", "/return")
    assert dict(urllib.parse.parse_qsl(back.query)) == {
        "order": "7", "payment_intent": intent.id, "payment_intent_client_secret": intent.client_secret,
        "redirect_status": "succeeded"}
    paid = account.retrieve(intent.id)
    assert (paid.status, paid.next_action, paid.amount_received) == ("succeeded", None, 1000)
    assert account.event_types() == ["payment_intent.created", "payment_intent.requires_action", "charge.succeeded",
                                     "payment_intent.succeeded"]


def test_a_charge_shows_its_authentication(account):
    intent = account.create(payment_method=CHALLENGED)
    press(page_of(intent), "complete")
    secure = account.charge_of(intent).payment_method_details.card.three_d_secure
    assert (secure.authentication_flow, secure.result, secure.result_reason) == ("challenge", "authenticated", None)
    assert (secure.electronic_commerce_indicator, secure.exemption_indicator, secure.version) == ("05", None, "2.2.0")
    assert uuid.UUID(secure.transaction_id)
    assert account.charge_of(account.create()).payment_method_details.card.three_d_secure is None


def test_an_authentication_counts_for_its_own_attempt_alone(account):
    intent = account.create(payment_method="pm_card_threeDSecureRequiredChargeDeclined")
    press(page_of(intent), "complete")
    assert account.charge_of(intent).payment_method_details.card.three_d_secure.result == "authenticated"
    stripe.PaymentIntent.confirm(intent.id, payment_method="pm_card_visa", return_url=RETURN_URL, **account.options)
    charge = account.charge_of(intent)
    assert charge.paid and charge.payment_method_details.card.three_d_secure is None


def test_failing_leaves_the_intent_without_a_method(account):
    intent = account.create(payment_method=CHALLENGED)
    answer = press(page_of(intent), "fail")
    assert "redirect_status=failed" in answer.headers["Location"]
    failed = account.retrieve(intent.id)
    assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    assert account.event_types()[-1] == "payment_intent.payment_failed"


def test_pressing_twice_charges_once(account):
    intent = account.create(payment_method=CHALLENGED)
    url = page_of(intent)
    first, second = press(url, "complete"), press(url, "fail")
    assert first.headers["Location"] == second.headers["Location"]
    assert len(stripe.Charge.list(payment_intent=intent.id, **account.options).data) == 1
    assert "already" in requests.get(url, timeout=10).text


@pytest.mark.parametrize("method, decline_code", [
    ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "insufficient_funds"),
    ("pm_card_threeDSecureRequiredChargeDeclined", "generic_decline")])
def test_a_card_may_decline_after_the_challenge(account, method, decline_code):
    intent = account.create(payment_method=method)
    assert "redirect_status=failed" in press(page_of(intent), "complete").headers["Location"]
    assert account.retrieve(intent.id).last_payment_error.decline_code == decline_code


def test_an_authorised_payment_waits_for_its_capture_after_the_challenge(account):
    intent = account.create(payment_method=CHALLENGED, capture_method="manual")
    assert "redirect_status=succeeded" in press(page_of(intent), "complete").headers["Location"]
    assert account.retrieve(intent.id).status == "requires_capture"


def test_without_a_return_url_the_action_is_the_sdks(account):
    intent = account.create(payment_method=CHALLENGED, return_url=None,
                            automatic_payment_methods={"enabled": True, "allow_redirects": "never"})
    assert intent.next_action.type == "use_stripe_sdk"
    answer = press(intent.next_action.use_stripe_sdk.stripe_js, "complete")
    assert answer.status_code == 200 and "complete" in answer.text
    assert account.retrieve(intent.id).status == "succeeded"


def test_the_sdks_action_can_be_asked_for(account):
    intent = account.create(payment_method=CHALLENGED, use_stripe_sdk=True)
    assert intent.next_action.type == "use_stripe_sdk"


def test_off_session_a_challenge_is_a_decline(account):
    error = account.declined(payment_method=CHALLENGED, off_session=True)
    assert (error.code, error.error.decline_code) == ("authentication_required", "authentication_required")
    assert error.error.payment_intent.status == "requires_payment_method"


def test_a_card_set_up_for_it_passes_off_session(account):
    assert account.create(payment_method="pm_card_authenticationRequiredSetupForOffSession",
                          off_session=True).status == "succeeded"


def test_a_challenge_can_be_ruled_out(account):
    error = account.declined(payment_method=CHALLENGED, error_on_requires_action=True)
    assert error.error.decline_code == "authentication_not_handled"


def test_a_waiting_intent_can_be_cancelled_and_its_page_is_dead(account):
    intent = account.create(payment_method=CHALLENGED)
    stripe.PaymentIntent.cancel(intent.id, **account.options)
    assert "redirect_status=failed" in press(page_of(intent), "complete").headers["Location"]
    assert account.retrieve(intent.id).status == "canceled"


def test_the_page_is_shown_to_nobody_without_its_key(account):
    url = page_of(account.create(payment_method=CHALLENGED))
    assert requests.get(url[:-1] + ("a" if url[-1] != "a" else "b"), timeout=10).status_code == 404
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 404
    assert press(url, "dance").status_code == 400


def test_a_processing_payment_settles_by_itself(account):
    intent = account.create(payment_method="pm_sandbox_processing")
    assert intent.status == "processing" and intent.latest_charge is None
    wait_for_status(account, intent, "succeeded")
    assert account.event_types() == ["payment_intent.created", "payment_intent.processing", "charge.succeeded",
                                     "payment_intent.succeeded"]


def test_a_processing_payment_may_fail(account):
    intent = account.create(payment_method="pm_sandbox_processingFails")
    wait_for_status(account, intent, "requires_payment_method")
    assert account.retrieve(intent.id).last_payment_error.code == "card_declined"
