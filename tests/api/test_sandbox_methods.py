"""PaymentMethods that are made and changed at the sandbox, and those of one customer, through Stripe's own SDK."""
import pytest
import stripe


METHODS = "/v1/payment_methods"


def make(account, token="tok_visa", **params):
    return stripe.PaymentMethod.create(type="card", card={"token": token}, **account.options, **params)


def change(account, method, **params):
    return stripe.PaymentMethod.modify(method.id, **account.options, **params)


def refused(call, kind=stripe.error.InvalidRequestError):
    with pytest.raises(kind) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("token, brand, last4", [("tok_visa", "visa", "4242"), ("tok_mastercard", "mastercard", "4444"),
                                                 ("tok_amex", "amex", "0005")])
def test_a_card_is_made_of_a_test_token(account, token, brand, last4):
    method = make(account, token, metadata={"our": "7"}, allow_redisplay="always",
                  billing_details={"name": "Jo", "email": "jo@example.com", "address": {"city": "Nairobi"}})
    assert method.id.startswith("pm_1") and (method.type, method.customer) == ("card", None)
    assert (method.card.brand, method.card.last4) == (brand, last4)
    assert (method.allow_redisplay, method.metadata.our) == ("always", "7")
    details = method.billing_details
    assert (details.name, details.email, details.phone, details.address.city, details.address.line1) == (
        "Jo", "jo@example.com", None, "Nairobi", None)
    assert stripe.PaymentMethod.retrieve(method.id, **account.options) == method
    assert account.create(payment_method=method.id).status == "succeeded"


def test_a_card_of_a_token_behaves_as_its_test_card_does(account):
    assert account.declined(payment_method=make(account, "tok_visa_chargeDeclined").id).code == "card_declined"
    assert account.create(payment_method=make(account, "tok_threeDSecure2Required").id).status == "requires_action"


def test_a_token_that_is_no_test_token_is_refused(account):
    for token in ("tok_unknown", "pm_card_visa", "visa"):
        error = refused(lambda: make(account, token))
        assert (error.http_status, error.code, error.param) == (400, "resource_missing", "card[token]")
    assert refused(lambda: stripe.PaymentMethod.create(type="card", **account.options)).param == "card"
    assert refused(lambda: stripe.PaymentMethod.create(card={"token": "tok_visa"}, **account.options)).param == "type"


def test_a_card_number_is_refused_and_not_repeated(account):
    answer = account.post(METHODS, {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "1",
                                    "card[exp_year]": "2040", "card[cvc]": "123"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (402, "invalid_request_error")
    assert "test token" in answer.json()["error"]["message"] and "4242" not in answer.text


def test_an_attached_card_can_be_changed(account):
    method = account.attach()
    year = method.card.exp_year + 1
    changed = change(account, method, card={"exp_month": 3, "exp_year": year}, metadata={"a": "1"},
                     billing_details={"name": "Jo", "address": {"country": "KE"}}, allow_redisplay="limited")
    assert (changed.card.exp_month, changed.card.exp_year, changed.card.last4) == (3, year, "4242")
    assert (changed.billing_details.name, changed.billing_details.address.country) == ("Jo", "KE")
    assert (changed.metadata.a, changed.allow_redisplay) == ("1", "limited")
    assert stripe.PaymentMethod.retrieve(method.id, **account.options) == changed
    event = account.last_event("payment_method.updated")
    assert event.data.object == changed
    assert event.data.previous_attributes == {
        "allow_redisplay": "unspecified", "card": {"exp_month": 12, "exp_year": year - 1}, "metadata": {"a": None},
        "billing_details": {"name": None, "address": {"country": None}}}
    cleared = change(account, method, billing_details={"name": "", "address": ""})
    assert cleared.billing_details.name is None and cleared.billing_details.address.country is None


@pytest.mark.parametrize("field, value", [("exp_month", 13), ("exp_month", 0), ("exp_year", 2020), ("exp_year", 3000)])
def test_an_invalid_expiry_is_refused(account, field, value):
    method = account.attach()
    error = refused(lambda: change(account, method, card={field: value}), stripe.error.CardError)
    assert (error.http_status, error.code, error.param) == (402, f"invalid_{field.replace('exp', 'expiry')}", field)
    assert stripe.PaymentMethod.retrieve(method.id, **account.options) == method


def test_only_an_attached_card_can_be_changed(account):
    error = refused(lambda: change(account, make(account), metadata={"a": "1"}))
    assert error.http_status == 400 and "save this PaymentMethod to a customer" in error.user_message
    unknown = refused(lambda: stripe.PaymentMethod.modify("pm_unknown", metadata={"a": "1"}, **account.options))
    assert (unknown.http_status, unknown.code) == (404, "resource_missing")


def test_a_customers_cards_are_listed_below_the_customer(account):
    customer = account.customer().id
    made = [account.attach(name, customer).id for name in ("pm_card_visa", "pm_card_amex", "pm_card_jcb")]
    account.attach()
    page = stripe.Customer.list_payment_methods(customer, limit=2, type="card", **account.options)
    assert [one.id for one in page.data] == made[:0:-1] and page.has_more
    assert page.url == f"/v1/customers/{customer}/payment_methods"
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]
    one = stripe.Customer.retrieve_payment_method(customer, made[0], **account.options)
    assert (one.id, one.customer) == (made[0], customer)


def test_another_customers_card_is_not_found_below_a_customer(account):
    customer, other = account.customer().id, account.attach()
    error = refused(lambda: stripe.Customer.retrieve_payment_method(customer, other.id, **account.options))
    assert (error.http_status, error.code) == (404, "resource_missing")
    error = refused(lambda: stripe.Customer.list_payment_methods("cus_unknown", **account.options))
    assert (error.http_status, error.code) == (404, "resource_missing")
