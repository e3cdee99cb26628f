"""PaymentIntents of the sandbox, through Stripe's own SDK."""
import pytest
import requests
import stripe

from sandbox_fixture import Account, CHARGE_FORM, RETURN_URL


def test_a_charge_in_one_step_succeeds(account):
    intent = account.create(description="two books", receipt_email="jo@example.com", metadata={"order": "7"})
    assert intent.status == "succeeded"
    assert (intent.amount, intent.amount_received, intent.amount_capturable) == (1000, 1000, 0)
    assert (intent.currency, intent.livemode, intent.capture_method) == ("usd", False, "automatic_async")
    assert intent.client_secret.startswith(intent.id + "_secret_")
    assert intent.next_action is None and intent.last_payment_error is None
    assert isinstance(intent.latest_charge, str)
    assert account.retrieve(intent.id) == intent


def test_the_charge_copies_what_the_intent_says(account):
    intent = account.create(description="two books", metadata={"order": "7"}, expand=["latest_charge"])
    charge = intent.latest_charge
    assert (charge.object, charge.status, charge.paid, charge.captured) == ("charge", "succeeded", True, True)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded, charge.refunded) == (1000, 1000, 0, False)
    assert (charge.payment_intent, charge.description, charge.metadata.order) == (intent.id, "two books", "7")
    assert charge.payment_method_details.card.last4 == "4242"
    assert stripe.Charge.retrieve(charge.id, **account.options).id == charge.id


@pytest.mark.parametrize("name", ["expand[]", "expand[0]"])
def test_an_expansion_is_understood_in_both_forms(account, name):
    answer = account.post("/v1/payment_intents", CHARGE_FORM | {name: "latest_charge"})
    assert answer.json()["latest_charge"]["object"] == "charge"


def test_an_expansion_of_nothing_known_is_refused(account):
    assert account.refused(expand=["amount"]).param == "expand"


def test_lists_expand_their_items(account):
    account.create()
    page = stripe.PaymentIntent.list(expand=["data.latest_charge.payment_intent"], **account.options)
    assert page.data[0].latest_charge.payment_intent.object == "payment_intent"


def test_a_live_key_makes_live_objects(sandbox):
    assert Account(sandbox, "live").create(expand=["latest_charge"]).latest_charge.livemode is True


def test_accounts_do_not_see_each_other(sandbox, account):
    intent = account.create()
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        Account(sandbox).retrieve(intent.id)
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", "intent")


def test_basic_authentication_is_as_good_as_bearer(account):
    answer = requests.get(account.url + "/v1/payment_intents", auth=(account.key, ""), timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize("key, code", [("sk_test_expired_1", "api_key_expired"), ("sk_test_invalid_1", None),
                                       ("pk_test_1234567890", "secret_key_required"), ("nonsense", None)])
def test_a_bad_key_is_refused_without_showing_it(sandbox, key, code):
    with pytest.raises(stripe.error.AuthenticationError) as caught:
        Account(sandbox, key=key).create()
    assert (caught.value.http_status, caught.value.json_body["error"].get("code")) == (401, code)
    assert key not in str(caught.value)


def test_a_missing_key_is_refused(sandbox):
    answer = requests.get(sandbox.url + "/v1/payment_intents", timeout=10)
    assert answer.status_code == 401 and answer.json()["error"]["type"] == "invalid_request_error"


DECLINES = [
    ("pm_card_declined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
]


@pytest.mark.parametrize("method, code, decline_code", DECLINES)
def test_a_declining_card_declines(account, method, code, decline_code):
    error = account.declined(payment_method=method, metadata={"order": "9"})
    assert (error.http_status, error.code) == (402, code)
    assert error.error.get("decline_code") == decline_code
    intent = error.error.payment_intent
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.code == code
    assert error.error.payment_method.id == intent.last_payment_error.payment_method.id
    charge = stripe.Charge.retrieve(error.error.charge, **account.options)
    assert (charge.status, charge.paid, charge.failure_code, charge.metadata.order) == ("failed", False, code, "9")
    assert account.retrieve(intent.id).latest_charge == charge.id


def test_a_declined_intent_can_be_confirmed_with_another_card(account):
    intent = account.declined(payment_method="pm_card_declined").error.payment_intent
    again = stripe.PaymentIntent.confirm(intent.id, payment_method="pm_card_visa", return_url=RETURN_URL, **account.options)
    assert again.status == "succeeded" and again.last_payment_error is None


def test_an_unknown_payment_method_is_refused(account):
    error = account.refused(payment_method="pm_of_nobody")
    assert (error.http_status, error.code, error.param) == (400, "resource_missing", "payment_method")
    assert "No such PaymentMethod: 'pm_of_nobody'" in str(error)
    assert stripe.PaymentIntent.list(**account.options).data == []


def test_a_method_that_was_charged_without_a_customer_is_used_up(account):
    used = account.create().payment_method
    assert stripe.PaymentMethod.retrieve(used, **account.options).card.brand == "visa"
    assert account.refused(payment_method=used).http_status == 400


@pytest.mark.parametrize("missing", ["amount", "currency"])
def test_a_missing_parameter_is_named(account, missing):
    error = account.refused(**{missing: None})
    assert (error.http_status, error.code, error.param) == (400, "parameter_missing", missing)


@pytest.mark.parametrize("form, param, code", [
    ({"colour": "red"}, "colour", "parameter_unknown"),
    ({"automatic_payment_methods[colour]": "red"}, "automatic_payment_methods[colour]", "parameter_unknown"),
    ({"payment_method_types[]": "card"}, "payment_method_types[]", "parameter_unknown"),
    ({"amount": "ten"}, "amount", "parameter_invalid_integer"),
    ({"amount": "0"}, "amount", "parameter_invalid_integer"),
    ({"amount": "-5"}, "amount", "parameter_invalid_integer"),
    ({"amount": "10.5"}, "amount", "parameter_invalid_integer"),
    ({"amount": "49"}, "amount", "amount_too_small"),
    ({"amount": "1000000000000"}, "amount", "amount_too_large"),
    ({"amount": "1000000000", "payment_method": "pm_card_amex"}, "amount", "amount_too_large"),
    ({"currency": "xyz"}, "currency", None),
    ({"currency": "isk", "amount": "501"}, "amount", "parameter_invalid_integer"),
    ({"currency": "ugx", "amount": "550"}, "amount", "parameter_invalid_integer"),
    ({"currency": "kwd", "amount": "5124"}, "amount", "parameter_invalid_integer"),
    ({"currency": "jpy", "amount": "49"}, "amount", "amount_too_small"),
    ({"confirm": "yes"}, "confirm", None),
    ({"capture_method": "later"}, "capture_method", None),
    ({"description": ""}, "description", "parameter_invalid_empty"),
    ({"description": "x" * 1001}, "description", "parameter_invalid_string_too_long"),
    ({"statement_descriptor_suffix": "x" * 23}, "statement_descriptor_suffix", "parameter_invalid_string_too_long"),
    ({"return_url": "nowhere"}, "return_url", "url_invalid"),
    ({"return_url": "https://x.test/\r\nEvil: 1"}, "return_url", "url_invalid"),
    ({"confirm": "false"}, "return_url", None),
    ({"metadata": "x"}, "metadata", None),
    ({f"metadata[{'k' * 41}]": "x"}, f"metadata[{'k' * 41}]", None),
    ({"metadata[k]": "x" * 501}, "metadata[k]", None),
    ({f"metadata[k{n}]": "x" for n in range(51)}, "metadata", None),
])
def test_a_bad_parameter_is_refused_and_named(account, form, param, code):
    answer = account.post("/v1/payment_intents", CHARGE_FORM | form)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error.get("code") == code
    assert account.event_types() == []


@pytest.mark.parametrize("currency, amount", [("isk", 500), ("ugx", 500), ("kwd", 5120), ("jpy", 500), ("kes", 1),
                                              ("usd", 999999999999), ("USD", 50)])
def test_an_amount_in_the_currencys_own_form_is_taken(account, currency, amount):
    intent = account.create(currency=currency, amount=amount)
    assert (intent.amount, intent.currency, intent.status) == (amount, currency.lower(), "succeeded")


def test_a_repeated_parameter_is_refused(account):
    answer = account.post("/v1/payment_intents", "amount=100&amount=200&currency=usd", **{
        "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "amount"


def test_payment_method_types_are_known_to_versions_before_endive(account):
    form = CHARGE_FORM | {"payment_method_types[]": "card"}
    del form["return_url"]
    answer = account.post("/v1/payment_intents", form, version="2026-03-25.dahlia")
    assert answer.json()["status"] == "succeeded" and answer.json()["automatic_payment_methods"] is None
    assert answer.headers["Stripe-Version"] == "2026-03-25.dahlia"


def test_a_confirmation_needs_a_return_url_where_methods_may_redirect(account):
    assert "return_url" in str(account.refused(return_url=None))
    assert "return_url" in str(account.refused(return_url=None, off_session=True,
                                               automatic_payment_methods={"enabled": True}))
    allowed = account.create(return_url=None, automatic_payment_methods={"enabled": True, "allow_redirects": "never"})
    assert allowed.status == "succeeded"


@pytest.mark.parametrize("flag", ["off_session", "error_on_requires_action"])
def test_a_parameter_of_a_confirmation_is_refused_without_one(account, flag):
    assert account.refused(confirm=None, return_url=None, **{flag: True}).param == flag


def test_an_intent_goes_through_its_states_step_by_step(account):
    intent = account.create(confirm=None, return_url=None, payment_method=None)
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.PaymentIntent.confirm(intent.id, return_url=RETURN_URL, **account.options)
    assert caught.value.code == "payment_intent_unexpected_state"
    intent = stripe.PaymentIntent.modify(intent.id, payment_method="pm_card_visa", amount=2000, **account.options)
    assert (intent.status, intent.amount) == ("requires_confirmation", 2000)
    intent = stripe.PaymentIntent.confirm(intent.id, return_url=RETURN_URL, **account.options)
    assert (intent.status, intent.amount_received) == ("succeeded", 2000)
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.PaymentIntent.confirm(intent.id, payment_method="pm_card_visa", return_url=RETURN_URL, **account.options)
    assert caught.value.code == "payment_intent_unexpected_state"
    assert caught.value.error.payment_intent.id == intent.id


def test_an_update_changes_and_clears(account):
    intent = account.create(description="old", metadata={"a": "1", "b": "2"})
    changed = stripe.PaymentIntent.modify(intent.id, description="", metadata={"a": "", "c": "3"}, **account.options)
    assert changed.description is None and dict(changed.metadata) == {"b": "2", "c": "3"}
    assert dict(stripe.PaymentIntent.modify(intent.id, metadata="", **account.options).metadata) == {}
    with pytest.raises(stripe.error.InvalidRequestError):
        stripe.PaymentIntent.modify(intent.id, amount=5000, **account.options)


def test_a_manual_capture_takes_part_and_releases_the_rest(account):
    intent = account.create(capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1000, 0)
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.PaymentIntent.capture(intent.id, amount_to_capture=1001, **account.options)
    assert caught.value.code == "amount_too_large"
    intent = stripe.PaymentIntent.capture(intent.id, amount_to_capture=400, expand=["latest_charge"], **account.options)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("succeeded", 0, 400)
    charge = intent.latest_charge
    assert (charge.captured, charge.amount_captured, charge.amount_refunded) == (True, 400, 600)
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.PaymentIntent.capture(intent.id, **account.options)
    assert caught.value.code == "payment_intent_unexpected_state"


def test_an_authorisation_can_be_cancelled(account):
    intent = account.create(capture_method="manual")
    canceled = stripe.PaymentIntent.cancel(intent.id, cancellation_reason="abandoned", expand=["latest_charge"],
                                           **account.options)
    assert (canceled.status, canceled.cancellation_reason, canceled.amount_capturable) == ("canceled", "abandoned", 0)
    assert canceled.canceled_at >= canceled.created
    assert (canceled.latest_charge.refunded, canceled.latest_charge.amount_captured) == (True, 0)


def test_a_succeeded_intent_cannot_be_cancelled(account):
    intent = account.create()
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.PaymentIntent.cancel(intent.id, **account.options)
    assert caught.value.code == "payment_intent_unexpected_state"
    assert account.retrieve(intent.id).status == "succeeded"


def test_lists_page_in_both_directions(account):
    ids = [account.create(metadata={"n": n}).id for n in range(5)][::-1]
    listed = stripe.PaymentIntent.list(limit=2, **account.options)
    assert [one.id for one in listed.data] == ids[:2] and listed.has_more
    after = stripe.PaymentIntent.list(limit=2, starting_after=ids[1], **account.options)
    assert [one.id for one in after.data] == ids[2:4]
    before = stripe.PaymentIntent.list(limit=2, ending_before=ids[3], **account.options)
    assert [one.id for one in before.data] == ids[1:3] and before.has_more
    assert [one.id for one in listed.auto_paging_iter()] == ids


def test_lists_filter_by_time(account):
    created = account.create().created

    def count(**bounds):
        return len(stripe.PaymentIntent.list(created=bounds, **account.options).data)

    assert (count(gte=created), count(gt=created), count(lte=created), count(lt=created)) == (1, 0, 1, 0)


@pytest.mark.parametrize("limit", [0, 101])
def test_a_limit_out_of_bounds_is_refused(account, limit):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.PaymentIntent.list(limit=limit, **account.options)
    assert caught.value.param == "limit"


def test_search_finds_by_metadata(account):
    wanted = account.create(metadata={"payment_id": "p-1"})
    account.create(metadata={"payment_id": "p-2"})
    found = stripe.PaymentIntent.search(query="metadata['payment_id']:'p-1' AND status:'succeeded'", **account.options)
    assert (found.object, [one.id for one in found.data], found.has_more) == ("search_result", [wanted.id], False)
    found = stripe.PaymentIntent.search(query="amount>999 AND -metadata['payment_id']:'p-1'", **account.options)
    assert [one.metadata.payment_id for one in found.data] == ["p-2"]
    with pytest.raises(stripe.error.InvalidRequestError):
        stripe.PaymentIntent.search(query="colour:'red'", **account.options)


def test_an_unknown_address_is_not_found(account):
    answer = account.get("/v1/gift_cards")
    assert answer.status_code == 404 and answer.json()["error"]["type"] == "invalid_request_error"


def test_every_answer_has_its_request_id_and_version(account):
    first, second = account.get("/v1/payment_intents"), account.get("/v1/payment_intents")
    assert first.headers["Request-Id"].startswith("req_") and first.headers["Request-Id"] != second.headers["Request-Id"]
    assert first.headers["Stripe-Version"] == "2026-10-28.endive"


def test_an_ill_formed_version_is_refused(account):
    assert account.post("/v1/payment_intents", CHARGE_FORM, version="yesterday").status_code == 400
