"""Errors of the sandbox, through Stripe's own SDK."""
import pytest
import stripe

from sandbox_fixture import Account


@pytest.mark.parametrize("call", [stripe.PaymentIntent.retrieve, stripe.PaymentIntent.confirm,
                                  stripe.PaymentIntent.cancel])
def test_a_missing_intent_is_named_by_stripes_word_for_its_id(account, call):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        call("pi_unknown", **account.options)
    error = caught.value
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "intent")
    assert "No such payment_intent: 'pi_unknown'" in str(error)


def test_a_missing_object_of_another_kind_is_named_id(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Charge.retrieve("ch_unknown", **account.options)
    assert caught.value.param == "id"


@pytest.mark.parametrize("mode, path", [("test", "test/logs"), ("live", "logs")])
def test_an_error_says_where_its_request_is_logged(sandbox, mode, path):
    for error in (Account(sandbox, mode).refused(amount=1), Account(sandbox, mode).declined(
            payment_method="pm_card_visa_chargeDeclined")):
        assert error.error.request_log_url.startswith(
            f"https://dashboard.stripe.com/{path}/{error.headers['Request-Id']}?t=")


def test_a_stored_decline_has_no_log(account):
    intent = account.declined(payment_method="pm_card_visa_chargeDeclined").error.payment_intent
    assert "request_log_url" not in intent.last_payment_error


def test_a_refused_key_has_no_log(sandbox):
    with pytest.raises(stripe.error.AuthenticationError) as caught:
        Account(sandbox, key="sk_test_invalid_1").create()
    assert "request_log_url" not in caught.value.json_body["error"]
