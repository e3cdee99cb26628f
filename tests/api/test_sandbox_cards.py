"""PaymentMethods of the sandbox that are saved, through Stripe's own SDK."""
import pytest
import requests
import stripe

from sandbox_fixture import Account, set_faults


def retrieve(account, method_id):
    return stripe.PaymentMethod.retrieve(method_id, **account.options)


def detach(account, method_id):
    return stripe.PaymentMethod.detach(method_id, **account.options)


def refused(call):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        call()
    return caught.value


def test_attaching_a_test_card_answers_an_id_of_its_own(account):
    customer = account.customer()
    method = account.attach("pm_card_visa", customer.id)
    assert method.id.startswith("pm_1") and (method.customer, method.type) == (customer.id, "card")
    card = method.card
    assert (card.brand, card.last4, card.exp_month, card.funding, card.country) == ("visa", "4242", 12, "credit", "US")
    assert card.fingerprint and card.checks.cvc_check == "pass" and card.exp_year > 2000
    assert retrieve(account, method.id) == method
    assert account.last_event("payment_method.attached").data.object == method


def test_one_card_attached_twice_has_one_fingerprint(account):
    one, other = account.attach(), account.attach()
    assert one.id != other.id and one.card.fingerprint == other.card.fingerprint


def test_attaching_under_one_key_attaches_once(account):
    customer = account.customer()
    form = {"customer": customer.id}
    first = account.post("/v1/payment_methods/pm_card_visa/attach", form, key="att-1")
    assert account.post("/v1/payment_methods/pm_card_visa/attach", form, key="att-1").json() == first.json()
    assert len(stripe.PaymentMethod.list(customer=customer.id, type="card", **account.options).data) == 1


@pytest.mark.parametrize("name, code, decline_code", [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds")])
def test_a_card_that_the_bank_declines_is_not_attached(account, name, code, decline_code):
    customer = account.customer()
    with pytest.raises(stripe.error.CardError) as caught:
        account.attach(name, customer.id)
    error = caught.value.json_body["error"]
    assert (caught.value.http_status, error["code"], error.get("decline_code")) == (402, code, decline_code)
    assert stripe.PaymentMethod.list(customer=customer.id, **account.options).data == []


def test_a_card_may_attach_and_then_decline_every_charge(account):
    method = account.attach("pm_card_chargeCustomerFail")
    for _ in range(2):
        error = account.declined(customer=method.customer, payment_method=method.id)
        assert error.json_body["error"]["decline_code"] == "generic_decline"


def test_attaching_wants_a_customer_that_exists(account):
    assert refused(lambda: stripe.PaymentMethod.attach("pm_card_visa", **account.options)).code == "parameter_missing"
    missing = refused(lambda: account.attach("pm_card_visa", "cus_unknown"))
    assert (missing.http_status, missing.code, missing.param) == (400, "resource_missing", "customer")


def test_attaching_what_does_not_exist_is_missing(account):
    missing = refused(lambda: account.attach("pm_unknown"))
    assert (missing.http_status, missing.code) == (404, "resource_missing")


def test_an_attached_card_stays_with_its_customer(account):
    method = account.attach()
    assert account.attach(method.id, method.customer) == method
    assert "already been attached" in refused(lambda: account.attach(method.id)).user_message


def test_a_detached_card_is_gone_for_good(account):
    method = account.attach()
    gone = detach(account, method.id)
    assert gone.id == method.id and gone.customer is None
    event = account.last_event("payment_method.detached")
    assert event.data.object.id == method.id and event.data.previous_attributes == {"customer": method.customer}
    again = refused(lambda: detach(account, method.id))
    assert again.http_status == 400 and "not attached to a customer so detachment is impossible" in again.user_message
    for use in (lambda: account.attach(method.id, method.customer),
                lambda: account.create(customer=method.customer, payment_method=method.id),
                lambda: account.create(payment_method=method.id)):
        assert "may not be used again" in refused(use).user_message


def test_a_card_used_once_without_a_customer_is_used_up(account):
    used = account.create().payment_method
    assert "may not be used again" in account.refused(payment_method=used).user_message
    assert "may not be used again" in refused(lambda: account.attach(used)).user_message


def test_a_saved_card_is_charged_again_and_again(account):
    method = account.attach()
    for _ in range(2):
        intent = account.create(customer=method.customer, payment_method=method.id, off_session=True,
                                expand=["latest_charge", "customer"])
        assert (intent.status, intent.customer.id) == ("succeeded", method.customer)
        assert (intent.latest_charge.customer, intent.payment_method) == (method.customer, method.id)
    page = stripe.PaymentIntent.list(customer=method.customer, **account.options)
    assert len(page.data) == 2


@pytest.mark.parametrize("customer", ["none", "another"])
def test_a_saved_card_is_charged_for_its_customer_alone(account, customer):
    method = account.attach()
    params = {} if customer == "none" else {"customer": account.customer().id}
    error = account.refused(payment_method=method.id, **params)
    assert (error.http_status, error.param) == (400, "payment_method")
    assert stripe.PaymentIntent.list(**account.options).data == []


def test_a_customer_given_later_makes_its_card_good(account):
    method = account.attach()
    intent = account.create(confirm=None, return_url=None, payment_method=None)
    stripe.PaymentIntent.modify(intent.id, customer=method.customer, payment_method=method.id, **account.options)
    done = stripe.PaymentIntent.confirm(intent.id, return_url="https://shop.example/", **account.options)
    assert (done.status, done.customer) == ("succeeded", method.customer)


def test_a_customer_of_an_intent_cannot_be_changed(account):
    intent = account.create(confirm=None, return_url=None, customer=account.customer().id)
    error = refused(lambda: stripe.PaymentIntent.modify(intent.id, customer=account.customer().id, **account.options))
    assert error.param == "customer"


@pytest.mark.parametrize("name", ["pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup",
                                  "pm_card_threeDSecure2Required"])
def test_authentication_is_refused_while_the_payer_is_away(account, name):
    method = account.attach(name)
    error = account.declined(customer=method.customer, payment_method=method.id, off_session=True)
    body = error.json_body["error"]
    assert (body["code"], body["decline_code"]) == ("authentication_required", "authentication_required")
    intent = account.retrieve(body["payment_intent"]["id"])
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "authentication_required")
    assert account.create(customer=method.customer, payment_method=method.id).status == "requires_action"


def test_a_card_that_is_set_up_needs_no_payer_afterwards(account):
    method = account.attach("pm_card_authenticationRequiredSetupForOffSession")
    assert account.create(customer=method.customer, payment_method=method.id, off_session=True).status == "succeeded"


def test_a_payment_sets_a_card_up_for_later(account):
    method = account.attach("pm_card_authenticationRequiredOnSetup")
    intent = account.create(customer=method.customer, payment_method=method.id, setup_future_usage="off_session")
    requests.post(intent.next_action.redirect_to_url.url, data={"action": "complete"}, timeout=10,
                  allow_redirects=False)
    assert account.retrieve(intent.id).status == "succeeded"
    assert account.create(customer=method.customer, payment_method=method.id, off_session=True).status == "succeeded"
    assert account.create(customer=method.customer, payment_method=method.id).status == "requires_action"


def test_a_card_to_be_used_again_is_attached_by_its_payment(account):
    customer = account.customer()
    intent = account.create(customer=customer.id, setup_future_usage="on_session")
    assert retrieve(account, intent.payment_method).customer == customer.id
    assert account.create(customer=customer.id, payment_method=intent.payment_method).status == "succeeded"
    assert "payment_method.attached" in account.event_types()


def test_a_customers_cards_are_listed_newest_first(account):
    customer = account.customer()
    made = [account.attach(name, customer.id).id for name in ("pm_card_visa", "pm_card_amex", "pm_card_jcb")]
    account.attach()
    account.create(customer=customer.id)
    detach(account, made[1])
    page = stripe.PaymentMethod.list(customer=customer.id, type="card", **account.options)
    assert [method.id for method in page.data] == [made[2], made[0]]
    page = stripe.PaymentMethod.list(customer=customer.id, limit=1, **account.options)
    assert [method.id for method in page.data] == [made[2]] and page.has_more


def test_a_list_of_an_unknown_customers_cards_is_refused(account):
    error = refused(lambda: stripe.PaymentMethod.list(customer="cus_unknown", type="card", **account.options))
    assert (error.code, error.param) == ("resource_missing", "customer")


def test_saving_meets_the_faults_too(own_sandbox):
    account = Account(own_sandbox)
    customer = account.customer()
    set_faults(own_sandbox, drop_after_rate=1)
    with pytest.raises(requests.ConnectionError):
        account.post("/v1/payment_methods/pm_card_visa/attach", {"customer": customer.id}, key="att-1")
    set_faults(own_sandbox, drop_after_rate=0)
    answer = account.post("/v1/payment_methods/pm_card_visa/attach", {"customer": customer.id}, key="att-1")
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert len(stripe.PaymentMethod.list(customer=customer.id, **account.options).data) == 1
