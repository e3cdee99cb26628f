"""Payments of the sandbox that set up their card, and those for which the cardholder must come back."""
import pytest
import requests
import stripe

from sandbox_fixture import RETURN_URL
from setup_fixture import ALWAYS, UNLESS_SET_UP, card_of, press, refused

# As a service charges a card while its holder is away.
AWAY = {"off_session": True, "return_url": None,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}


def method_of(account, intent):
    return stripe.PaymentMethod.retrieve(account.retrieve(intent.id).payment_method, **account.options)


def confirm(account, intent_id, **params):
    return stripe.PaymentIntent.confirm(intent_id, **{"return_url": RETURN_URL} | account.options | params)


def declined(account, method):
    """The intent of a charge that was refused because the card's holder was away."""
    error = account.declined(**AWAY, **card_of(account, method))
    assert (error.http_status, error.code) == (402, "authentication_required")
    return account.retrieve(error.error.payment_intent.id)


def test_a_payment_that_needs_no_authentication_sets_its_card_up(account):
    customer = account.customer()
    intent = account.create(customer=customer.id, setup_future_usage="off_session")
    assert (intent.status, intent.setup_future_usage) == ("succeeded", "off_session")
    method = method_of(account, intent)
    assert method.customer == customer.id
    assert account.event_types()[1:] == ["payment_intent.created", "charge.succeeded", "payment_method.attached",
                                         "payment_intent.succeeded"]
    assert account.create(**AWAY, **card_of(account, method)).status == "succeeded"


def test_a_payment_attaches_its_card_only_after_authentication(account):
    customer = account.customer()
    intent = account.create(customer=customer.id, payment_method=UNLESS_SET_UP, setup_future_usage="off_session")
    assert intent.status == "requires_action" and method_of(account, intent).customer is None
    press(intent, "complete")
    method = method_of(account, intent)
    assert method.customer == customer.id
    assert account.create(**AWAY, **card_of(account, method)).status == "succeeded"


def test_a_payment_that_fails_authentication_attaches_nothing(account):
    customer = account.customer()
    intent = account.create(customer=customer.id, payment_method=UNLESS_SET_UP, setup_future_usage="off_session")
    press(intent, "fail")
    assert stripe.PaymentMethod.list(customer=customer.id, **account.options).data == []


def test_a_declined_payment_attaches_nothing(account):
    customer = account.customer()
    account.declined(customer=customer.id, payment_method="pm_card_chargeDeclined", setup_future_usage="off_session")
    assert stripe.PaymentMethod.list(customer=customer.id, **account.options).data == []


def test_an_authorised_payment_attaches_its_card_before_the_capture(account):
    customer = account.customer()
    intent = account.create(customer=customer.id, capture_method="manual", setup_future_usage="off_session")
    assert intent.status == "requires_capture" and method_of(account, intent).customer == customer.id


def test_a_payment_for_use_on_session_does_not_set_up_for_off_session(account):
    intent = account.create(customer=account.customer().id, payment_method=UNLESS_SET_UP,
                            setup_future_usage="on_session")
    press(intent, "complete")
    declined(account, method_of(account, intent))


def test_a_confirmation_may_ask_for_the_setup(account):
    customer = account.customer()
    intent = account.create(customer=customer.id, payment_method=UNLESS_SET_UP, confirm=None, return_url=None)
    press(confirm(account, intent.id, setup_future_usage="off_session"), "complete")
    done = account.retrieve(intent.id)
    assert (done.status, done.setup_future_usage) == ("succeeded", "off_session")
    assert account.create(**AWAY, **card_of(account, method_of(account, intent))).status == "succeeded"


@pytest.mark.parametrize("usage", ["on_session", "off_session"])
def test_nothing_is_set_up_while_the_holder_is_away(account, usage):
    method = account.attach()
    error = account.refused(**AWAY, **card_of(account, method), setup_future_usage=usage)
    assert error.http_status == 400 and "setup_future_usage" in error.user_message
    intent = account.create(**card_of(account, method), setup_future_usage=usage, confirm=None, return_url=None)
    assert refused(lambda: confirm(account, intent.id, off_session=True)).http_status == 400
    assert account.retrieve(intent.id).status == "requires_confirmation"
    assert stripe.Charge.list(**account.options).data == []


@pytest.mark.parametrize("name", [ALWAYS, UNLESS_SET_UP])
def test_the_holder_comes_back_and_pays_a_charge_that_was_refused_without_him(account, name):
    method = account.attach(name)
    intent = declined(account, method)
    assert (intent.status, intent.payment_method, intent.next_action) == ("requires_payment_method", None, None)
    error = intent.last_payment_error
    assert (error.code, error.decline_code) == ("authentication_required", "authentication_required")
    assert error.payment_method.id == method.id and error.charge == intent.latest_charge
    waiting = confirm(account, intent.id, payment_method=method.id)
    assert (waiting.id, waiting.status, waiting.last_payment_error) == (intent.id, "requires_action", None)
    assert waiting.next_action.redirect_to_url.return_url == RETURN_URL
    assert "redirect_status=succeeded" in press(waiting, "complete")
    paid = account.retrieve(intent.id)
    assert (paid.status, paid.amount_received, paid.payment_method) == ("succeeded", 1000, method.id)
    charges = stripe.Charge.list(payment_intent=intent.id, **account.options).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]
    assert charges[0].id == paid.latest_charge
    assert account.event_types()[2:] == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed",
                                         "payment_intent.requires_action", "charge.succeeded",
                                         "payment_intent.succeeded"]


def test_a_holder_who_fails_may_come_back_again(account):
    method = account.attach(ALWAYS)
    intent = declined(account, method)
    press(confirm(account, intent.id, payment_method=method.id), "fail")
    failed = account.retrieve(intent.id)
    assert (failed.status, failed.last_payment_error.code) == ("requires_payment_method",
                                                              "payment_intent_authentication_failure")
    press(confirm(account, intent.id, payment_method=method.id), "complete")
    assert account.retrieve(intent.id).status == "succeeded"


def test_the_holder_may_come_back_with_another_card(account):
    method = account.attach(ALWAYS)
    other = account.attach(customer=method.customer)
    intent = declined(account, method)
    assert confirm(account, intent.id, payment_method=other.id).status == "succeeded"


def test_a_refused_payment_needs_its_card_named_again(account):
    intent = declined(account, account.attach(ALWAYS))
    assert refused(lambda: confirm(account, intent.id)).code == "payment_intent_unexpected_state"


def test_another_attempt_without_the_holder_is_refused_again(account):
    method = account.attach(ALWAYS)
    intent = declined(account, method)
    error = refused(lambda: confirm(account, intent.id, payment_method=method.id, off_session=True),
                    stripe.error.CardError)
    assert error.code == "authentication_required"
    assert account.retrieve(intent.id).status == "requires_payment_method"


def test_a_refused_payment_can_be_cancelled(account):
    intent = declined(account, account.attach(ALWAYS))
    assert stripe.PaymentIntent.cancel(intent.id, **account.options).status == "canceled"


def test_creation_and_confirmation_have_keys_of_their_own(account):
    method = account.attach(ALWAYS)
    form = {"amount": "1000", "currency": "usd", "customer": method.customer, "payment_method": method.id,
            "confirm": "true", "off_session": "true", "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never"}
    refusal = account.post("/v1/payment_intents", form, key="pay-1")
    intent_id = refusal.json()["error"]["payment_intent"]["id"]
    path, back = f"/v1/payment_intents/{intent_id}/confirm", {"payment_method": method.id, "return_url": RETURN_URL}
    assert account.post(path, back, key="pay-1").json()["error"]["type"] == "idempotency_error"
    first = account.post(path, back, key="again-1")
    assert first.json()["status"] == "requires_action"
    requests.post(first.json()["next_action"]["redirect_to_url"]["url"], data={"action": "complete"},
                  allow_redirects=False, timeout=10)
    again = account.post(path, back, key="again-1")
    assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    assert account.post("/v1/payment_intents", form, key="pay-1").content == refusal.content
    assert account.retrieve(intent_id).status == "succeeded"
    assert account.post(path, back, key="again-2").json()["error"]["code"] == "payment_intent_unexpected_state"
