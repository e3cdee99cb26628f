"""A publishable key at the sandbox, through Stripe's own SDK."""
import pytest
import stripe

from sandbox_fixture import Account


def publishable(account):
    return account.options | {"api_key": "pk" + account.key[2:]}


def refused(kind, call):
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def test_it_retrieves_an_intent_by_its_client_secret(account):
    intent = account.create(metadata={"order": "7"}, customer=account.customer().id)
    seen = stripe.PaymentIntent.retrieve(intent.id, client_secret=intent.client_secret, **publishable(account))
    assert (seen.id, seen.status, seen.amount, seen.currency) == (intent.id, "succeeded", 1000, "usd")
    assert seen.client_secret == intent.client_secret and seen.payment_method == intent.payment_method
    for hidden in ("metadata", "customer", "latest_charge", "amount_received", "payment_method_options"):
        assert hidden in intent and hidden not in seen


def test_an_expansion_does_not_show_it(account):
    intent = account.create()
    seen = stripe.PaymentIntent.retrieve(intent.id, client_secret=intent.client_secret,
                                         expand=["payment_method", "latest_charge"], **publishable(account))
    assert seen.payment_method.card.last4 == "4242" and seen.get("latest_charge") is None


def test_it_needs_the_client_secret(account):
    intent = account.create()
    error = refused(stripe.error.InvalidRequestError,
                    lambda: stripe.PaymentIntent.retrieve(intent.id, **publishable(account)))
    assert (error.http_status, error.code, error.param) == (400, "parameter_missing", "client_secret")


@pytest.mark.parametrize("key", ["secret", "publishable"])
def test_a_wrong_client_secret_is_refused_with_every_key(account, key):
    intent, other = account.create(), account.create()
    options = account.options if key == "secret" else publishable(account)
    error = refused(stripe.error.InvalidRequestError, lambda: stripe.PaymentIntent.retrieve(
        intent.id, client_secret=other.client_secret, **options))
    assert (error.http_status, error.code, error.param) == (400, "payment_intent_invalid_parameter", "client_secret")


def test_it_retrieves_a_setup_intent_too(account):
    setup = stripe.SetupIntent.create(payment_method="pm_card_visa", metadata={"order": "7"}, **account.options)
    seen = stripe.SetupIntent.retrieve(setup.id, client_secret=setup.client_secret, **publishable(account))
    assert (seen.id, seen.status, seen.usage, seen.payment_method) == (setup.id, setup.status, setup.usage,
                                                                       setup.payment_method)
    assert "metadata" in setup and "metadata" not in seen and "amount" not in seen
    error = refused(stripe.error.InvalidRequestError, lambda: stripe.SetupIntent.retrieve(
        setup.id, client_secret="seti_1_secret_2", **publishable(account)))
    assert (error.http_status, error.code, error.param) == (400, "setup_intent_invalid_parameter", "client_secret")


def test_it_does_not_reach_another_account(sandbox, account):
    intent = account.create()
    error = refused(stripe.error.InvalidRequestError, lambda: stripe.PaymentIntent.retrieve(
        intent.id, client_secret=intent.client_secret, **publishable(Account(sandbox))))
    assert (error.http_status, error.param) == (404, "intent")


@pytest.mark.parametrize("call", [
    lambda options: stripe.PaymentIntent.create(amount=1000, currency="usd", **options),
    lambda options: stripe.PaymentIntent.list(**options),
    lambda options: stripe.Customer.create(**options),
    lambda options: stripe.Refund.create(payment_intent="pi_1", **options)])
def test_every_other_call_needs_a_secret_key(account, call):
    error = refused(stripe.error.AuthenticationError, lambda: call(publishable(account)))
    assert (error.http_status, error.json_body["error"]["code"]) == (401, "secret_key_required")


def test_its_mode_is_that_of_its_prefix(sandbox):
    account = Account(sandbox, "live")
    intent = account.create()
    seen = stripe.PaymentIntent.retrieve(intent.id, client_secret=intent.client_secret, **publishable(account))
    assert seen.livemode is True
