"""SetupIntents of the sandbox, through Stripe's own SDK."""
import pytest
import requests
import stripe

from sandbox_fixture import NEWEST, RETURN_URL, Account
from setup_fixture import (ALWAYS, UNLESS_SET_UP, attempts, begin, cancel, card_of, confirm, create, press, refused,
                           retrieve)

# As https://docs.stripe.com/api/setup_intents/object lists them.
FIELDS = {"id", "object", "allowed_payment_method_types", "application", "automatic_payment_methods",
          "cancellation_reason", "client_secret", "created", "customer", "customer_account", "description",
          "excluded_payment_method_types", "flow_directions", "last_setup_error", "latest_attempt", "livemode",
          "managed_payments", "mandate", "metadata", "next_action", "on_behalf_of", "payment_method",
          "payment_method_configuration_details", "payment_method_options", "payment_method_types",
          "single_use_mandate", "status", "usage"}
# As https://docs.stripe.com/api/setup_attempts/object lists them.
ATTEMPT_FIELDS = {"id", "object", "application", "created", "customer", "customer_account", "flow_directions",
                  "livemode", "on_behalf_of", "payment_method", "payment_method_details", "setup_error", "setup_intent",
                  "status", "usage"}


def test_a_setup_intent_begins_without_a_method(account):
    setup = begin(account, description="a membership", metadata={"our": "7"})
    assert set(setup.keys()) == FIELDS
    assert setup.id.startswith("seti_") and setup.client_secret.startswith(setup.id + "_secret_")
    assert (setup.object, setup.status, setup.usage) == ("setup_intent", "requires_payment_method", "off_session")
    assert (setup.description, setup.metadata.our, setup.livemode) == ("a membership", "7", False)
    assert setup.payment_method_types == ["card"] and setup.latest_attempt is None
    assert setup.automatic_payment_methods == {"allow_redirects": "always", "enabled": True}
    assert retrieve(account, setup) == setup
    assert retrieve(account, setup, client_secret=setup.client_secret) == setup
    assert account.event_types() == ["setup_intent.created"]


def test_a_card_is_set_up_and_attached_in_one_step(account):
    customer = account.customer()
    setup = create(account, customer=customer.id, expand=["payment_method", "customer", "latest_attempt"])
    assert (setup.status, setup.next_action, setup.last_setup_error) == ("succeeded", None, None)
    assert setup.customer.id == customer.id and setup.payment_method.customer == customer.id
    attempt = setup.latest_attempt
    assert set(attempt.keys()) == ATTEMPT_FIELDS
    assert (attempt.status, attempt.setup_intent, attempt.payment_method, attempt.customer) == (
        "succeeded", setup.id, setup.payment_method.id, customer.id)
    assert account.event_types() == ["customer.created", "setup_intent.created", "payment_method.attached",
                                     "setup_intent.succeeded"]
    assert account.last_event("setup_intent.succeeded").data.object == retrieve(account, setup)
    assert account.create(customer=customer.id, payment_method=setup.payment_method.id,
                          off_session=True).status == "succeeded"


def test_a_card_is_set_up_step_by_step(account):
    customer = account.customer()
    setup = begin(account)
    updated = stripe.SetupIntent.modify(setup.id, customer=customer.id, payment_method="pm_card_visa",
                                        description="", metadata={"our": "7"}, **account.options)
    assert (updated.status, updated.customer, updated.description) == ("requires_confirmation", customer.id, None)
    done = confirm(account, setup)
    assert (done.status, done.payment_method, done.metadata.our) == ("succeeded", updated.payment_method, "7")


def test_a_confirmation_may_bring_the_method(account):
    setup = begin(account, customer=account.customer().id)
    assert confirm(account, setup, payment_method="pm_card_visa").status == "succeeded"


def test_without_a_customer_the_card_is_attached_later(account):
    setup = create(account)
    assert stripe.PaymentMethod.retrieve(setup.payment_method, **account.options).customer is None
    assert account.attach(setup.payment_method).customer is not None


def test_a_card_that_is_attached_already_is_set_up_where_it_is(account):
    method = account.attach()
    setup = create(account, **card_of(account, method))
    assert (setup.status, setup.payment_method) == ("succeeded", method.id)
    assert account.event_types().count("payment_method.attached") == 1


def test_a_card_of_another_customer_is_refused(account):
    method = account.attach()
    error = refused(lambda: create(account, payment_method=method.id, customer=account.customer().id))
    assert (error.http_status, error.param) == (400, "payment_method")
    setup = begin(account, customer=account.customer().id)
    assert refused(lambda: confirm(account, setup, payment_method=method.id)).param == "payment_method"
    assert retrieve(account, setup).status == "requires_payment_method"


@pytest.mark.parametrize("params, param, code", [
    ({"customer": "cus_unknown"}, "customer", "resource_missing"),
    ({"payment_method": "pm_unknown"}, "payment_method", "resource_missing"),
    ({"usage": "sometimes"}, "usage", None), ({"amount": 100}, "amount", "parameter_unknown"),
    ({"confirm": None}, "return_url", None), ({"return_url": None}, None, None)])
def test_a_bad_parameter_is_refused(account, params, param, code):
    error = refused(lambda: create(account, **params))
    assert (error.http_status, error.param) == (400, param)
    assert code is None or error.code == code
    assert stripe.SetupIntent.list(**account.options).data == []


def test_method_types_are_known_to_older_versions_alone(account):
    form = {"payment_method_types[]": "card"}
    setup = account.post("/v1/setup_intents", form, version="2025-09-30.clover").json()
    assert (setup["payment_method_types"], setup["automatic_payment_methods"]) == (["card"], None)
    error = account.post("/v1/setup_intents", form, version=NEWEST).json()["error"]
    assert (error["code"], error["param"]) == ("parameter_unknown", "payment_method_types[]")


def test_a_confirmation_needs_a_method(account):
    assert refused(lambda: confirm(account, begin(account))).code == "setup_intent_unexpected_state"


@pytest.mark.parametrize("params, status", [
    ({}, "requires_payment_method"), ({"payment_method": "pm_card_visa"}, "requires_confirmation"),
    ({"payment_method": ALWAYS, "confirm": True, "return_url": RETURN_URL}, "requires_action")])
def test_an_intent_that_is_not_done_is_cancelled(account, params, status):
    setup = begin(account, **params)
    assert setup.status == status
    canceled = cancel(account, setup, cancellation_reason="abandoned")
    assert (canceled.status, canceled.cancellation_reason, canceled.next_action) == ("canceled", "abandoned", None)
    assert account.event_types()[-1] == "setup_intent.canceled"
    assert attempts(account, setup) == (["abandoned"] if status == "requires_action" else [])


def test_a_finished_setup_cannot_be_confirmed_or_cancelled_or_given_another_card(account):
    done, canceled = create(account), begin(account)
    cancel(account, canceled)
    for setup in (done, canceled):
        for call in (lambda: confirm(account, setup, payment_method="pm_card_visa"), lambda: cancel(account, setup),
                     lambda: stripe.SetupIntent.modify(setup.id, payment_method="pm_card_visa", **account.options)):
            error = refused(call)
            assert (error.http_status, error.code) == (400, "setup_intent_unexpected_state")
            assert error.json_body["error"]["setup_intent"]["id"] == setup.id
    assert stripe.SetupIntent.modify(done.id, metadata={"our": "7"}, **account.options).metadata.our == "7"


def test_an_unknown_setup_intent_is_missing(account):
    error = refused(lambda: stripe.SetupIntent.retrieve("seti_unknown", **account.options))
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "intent")


def test_setup_intents_are_listed_newest_first_by_customer_and_by_card(account):
    method = account.attach()
    made = [create(account, **card_of(account, method)).id, create(account, customer=method.customer).id,
            begin(account).id]

    def listed(**params):
        page = stripe.SetupIntent.list(**account.options, **params)
        return [setup.id for setup in page.data], page.has_more

    assert listed() == (made[::-1], False)
    assert listed(customer=method.customer) == (made[1::-1], False)
    assert listed(payment_method=method.id) == ([made[0]], False)
    assert listed(limit=1) == ([made[2]], True)
    assert listed(limit=2, starting_after=made[2]) == (made[1::-1], False)
    assert listed(ending_before=made[1]) == ([made[2]], False)
    assert listed(created={"lt": 1}) == ([], False)
    page = stripe.SetupIntent.list(customer=method.customer, expand=["data.payment_method"], **account.options)
    assert page.data[1].payment_method.card.last4 == "4242"


def test_a_list_by_card_leaves_out_those_that_lost_it(account):
    setup = create(account, payment_method=ALWAYS)
    by_card = {"payment_method": setup.payment_method} | account.options
    assert [one.id for one in stripe.SetupIntent.list(**by_card).data] == [setup.id]
    press(setup, "fail")
    assert stripe.SetupIntent.list(**by_card).data == []


def test_one_key_sets_a_card_up_once(account):
    form = {"payment_method": "pm_card_visa", "confirm": "true", "return_url": RETURN_URL}
    first = account.post("/v1/setup_intents", form, key="set-1")
    again = account.post("/v1/setup_intents", form, key="set-1")
    assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    other = account.post("/v1/setup_intents", form | {"usage": "on_session"}, key="set-1").json()
    assert other["error"]["type"] == "idempotency_error"
    assert len(stripe.SetupIntent.list(**account.options).data) == 1


def test_a_declined_setup_is_answered_alike_under_its_key(account):
    form = {"payment_method": "pm_card_chargeDeclined", "confirm": "true", "return_url": RETURN_URL}
    first = account.post("/v1/setup_intents", form, key="set-1")
    assert first.status_code == 402
    assert account.post("/v1/setup_intents", form, key="set-1").content == first.content


def test_setup_events_are_sent_signed(account, receiver):
    endpoint = account.receive_at(receiver, "setup_intent.requires_action", "setup_intent.succeeded",
                                  "payment_method.attached")
    setup = create(account, payment_method=UNLESS_SET_UP, customer=account.customer().id)
    press(setup, "complete")
    sent = [stripe.Webhook.construct_event(got.body, got.header("Stripe-Signature"), endpoint.secret)
            for got in receiver.wait_for(3)]
    assert {event.type for event in sent} == {"setup_intent.requires_action", "setup_intent.succeeded",
                                              "payment_method.attached"}
    assert {event.data.object.id for event in sent} == {setup.id, setup.payment_method}


def test_a_setup_outlives_a_restart(start_sandbox, tmp_path):
    data = tmp_path / "state"
    first = start_sandbox("--data", data)
    account = Account(first)
    setup = create(account, payment_method=UNLESS_SET_UP, customer=account.customer().id)
    page = setup.next_action.redirect_to_url.url
    first.close()
    second = start_sandbox("--data", data)
    account = Account(second, key=account.key)
    assert retrieve(account, setup) == setup
    requests.post(page.replace(first.url, second.url), data={"action": "complete"}, allow_redirects=False, timeout=10)
    assert retrieve(account, setup).status == "succeeded"
    assert account.create(customer=setup.customer, payment_method=setup.payment_method,
                          off_session=True).status == "succeeded"
