"""Payments as a merchant makes, reads and lists them: modes, next actions, refusals, and a payment's optional fields."""
import os
import uuid

import pytest
import requests

from sandbox_fixture import charges_of
from support import leaks
from support.database import is_whole, open_database
from support.events import event, intent_of, send_event
from support.merchant import Merchant
from support.shape import UUID7, refused, succeeded

RETURN_URL = "https://merchant.com/return"
BODY = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}


def post(api, body, key=None):
    return api.post("/v1/payments", body, idempotency_key=key or f"order-{uuid.uuid4()}")


def refuse(merchant, change, code, *fields):
    """The refusal of BODY with this change, after which nothing was recorded."""
    answer = refused(post(merchant.api, BODY | change), 422, code, *fields)
    assert succeeded(merchant.api.get("/v1/payments")) == []
    return answer


# Reading one

def test_a_payment_is_read_by_its_id(merchant):
    payment = merchant.pay()
    answer = merchant.api.get(f"/v1/payments/{payment['id']}")
    assert succeeded(answer) == payment


def test_another_merchants_payment_is_not_found(server, merchant):
    payment = merchant.pay()
    other = Merchant(server)
    refused(other.api.get(f"/v1/payments/{payment['id']}"), 404, "NOT_FOUND")
    assert succeeded(other.api.get("/v1/payments")) == []


@pytest.mark.parametrize("name", [
    "x", "1", "-", "a1b2c3d4-...", "00000000-0000-0000-0000-000000000000", "%2e%2e", "..", "null",
    "01a207ae-e320-757d-be74-048664add68", "01a207ae-e320-757d-be74-048664add68d0",
    "01a207aee320757dbe74048664add68d",
    "{01a207ae-e320-757d-be74-048664add68d}", "01a207ae-e320-757d-be74-048664add68g", "%20", "'%20OR%201=1--",
    "é" * 50])
def test_an_invalid_id_is_not_found(merchant, name):
    answer = merchant.api.get("/v1/payments/" + requests.utils.quote(name, safe="%{}'=-"))
    refused(answer, 404, "NOT_FOUND")


def test_an_unknown_id_is_not_found(merchant):
    refused(merchant.api.get(f"/v1/payments/{uuid.uuid4()}"), 404, "NOT_FOUND")


# Listing

def test_the_list_is_newest_first_and_paged(merchant):
    made = [merchant.pay(amount=f"{number}.00")["id"] for number in range(1, 8)][::-1]
    assert made == sorted(made, reverse=True)
    whole = merchant.api.get("/v1/payments")
    assert [item["id"] for item in succeeded(whole)] == made
    assert whole.meta == {"page": 1, "page_size": 50, "has_more": False, "next_cursor": None}
    seen = []
    for page, size in ((1, 3), (2, 3), (3, 1), (4, 0)):
        answer = merchant.api.get("/v1/payments", query={"page": page, "page_size": 3})
        items = succeeded(answer)
        assert len(items) == size
        assert (answer.meta["page"], answer.meta["page_size"], answer.meta["has_more"]) == (page, 3, page < 3)
        seen += [item["id"] for item in items]
    assert seen == made
    assert len(succeeded(merchant.api.get("/v1/payments?page_size=100"))) == 7
    assert succeeded(merchant.api.get("/v1/payments?page=1000000&page_size=100")) == []


@pytest.mark.parametrize("query, field", [
    ("page=0", "page"), ("page=-1", "page"), ("page=x", "page"), ("page=", "page"), ("page=1.5", "page"),
    ("page=1e3", "page"), ("page=+1", "page"), ("page=%201", "page"), ("page=99999999999999999999", "page"),
    ("page_size=0", "page_size"), ("page_size=101", "page_size"), ("page_size=-5", "page_size"),
    ("page_size=ten", "page_size"), ("page=1&page=2", "page"), ("nonsense=1", "nonsense"), ("Page=1", "Page"),
    ("nonsense", "nonsense"), ("amount[gte]=1", "amount[gte]")])
def test_a_filter_that_is_unknown_or_wrong_is_named(merchant, query, field):
    refused(merchant.api.get(f"/v1/payments?{query}"), 422, "VALIDATION_ERROR", field)


def test_every_wrong_filter_is_named_at_once(merchant):
    refused(merchant.api.get("/v1/payments?page=0&page_size=101&nonsense=1"), 422, "VALIDATION_ERROR",
            "page", "page_size", "nonsense")


@pytest.mark.parametrize("query", ["page=%zz", "page=%", "%ff=1", "page=%00"])
def test_a_query_that_cannot_be_read_is_refused(merchant, query):
    refused(merchant.api.get(f"/v1/payments?{query}"), 400, "BAD_REQUEST")


# Modes

def both_modes(server):
    merchant = Merchant(server)
    merchant.use_stripe("test")
    merchant.use_stripe("live")
    return merchant, merchant.client(mode="test")


def test_a_live_key_prefers_live_credentials_and_a_test_key_has_test_ones(server):
    merchant, test_api = both_modes(server)
    assert merchant.pay()["livemode"] is True
    assert merchant.pay(api=test_api)["livemode"] is False


def test_a_live_key_charges_with_test_credentials_where_there_are_no_others(merchant, sandbox):
    payment = merchant.pay()
    assert payment["livemode"] is False
    charge, = charges_of(sandbox, payment_id=payment["id"])
    assert charge["livemode"] is False


def test_a_test_key_sees_test_payments_and_a_live_key_all(server):
    merchant, test_api = both_modes(server)
    live, test = merchant.pay(), merchant.pay(api=test_api)
    assert [item["id"] for item in succeeded(test_api.get("/v1/payments"))] == [test["id"]]
    assert test_api.get("/v1/payments?count=true").meta["total"] == 1
    assert [item["id"] for item in succeeded(merchant.api.get("/v1/payments"))] == [test["id"], live["id"]]
    refused(test_api.get(f"/v1/payments/{live['id']}"), 404, "NOT_FOUND")
    assert succeeded(test_api.get(f"/v1/payments/{test['id']}")) == test
    assert succeeded(merchant.api.get(f"/v1/payments/{test['id']}")) == test


def test_a_test_key_never_charges_with_live_credentials(server):
    merchant = Merchant(server)
    merchant.use_stripe("live")
    refused(post(merchant.client(mode="test"), BODY), 422, "PROVIDER_NOT_CONFIGURED")


# The payer's next action

@pytest.mark.parametrize("return_url", [RETURN_URL, None])
def test_3_d_secure_gives_a_next_action_and_completes_when_stripe_says_so(server, merchant, return_url):
    payment = merchant.pay(payment_method="pm_card_authenticationRequired", return_url=return_url)
    assert (payment["status"], payment["capturable"], payment["failure"]) == ("pending", False, None)
    action = payment["next_action"]
    if return_url:
        assert action.keys() == {"type", "redirect_url"} and action["type"] == "redirect_to_url"
        assert action["redirect_url"].startswith("http")
    else:
        assert action.keys() == {"type", "client_secret"} and action["type"] == "use_stripe_sdk"
        assert action["client_secret"].startswith(payment["provider_ref"] + "_secret_")
    assert merchant.payment(payment["id"]) == payment
    send_event(server, event("payment_intent.succeeded", intent_of(payment)), merchant.stripe_webhook_secret)
    done = merchant.payment(payment["id"])
    assert (done["status"], done["amount_captured"], done["next_action"]) == ("completed", "10.00", None)


@pytest.mark.parametrize("return_url", ["myapp://paid", "com.example.shop-2://pay/done?order=1#top", "MyApp:///paid",
                                        "http://localhost:3000/return", "https://[::1]/r", "https://a.example/%20x?a=1&b=(2)"])
def test_the_payer_comes_back_to_a_page_or_to_an_app(merchant, return_url):
    payment = merchant.pay(payment_method="pm_card_authenticationRequired", return_url=return_url)
    assert (payment["status"], payment["return_url"]) == ("pending", return_url)
    assert payment["next_action"]["type"] == "redirect_to_url"
    page = requests.post(payment["next_action"]["redirect_url"], data={"action": "complete"}, allow_redirects=False, timeout=30)
    before, _, after = return_url.partition("#")
    assert page.headers["Location"].startswith(before + ("&" if "?" in before else "?")) and page.headers["Location"].endswith(after)


@pytest.mark.parametrize("return_url", [RETURN_URL, None])
def test_the_payers_action_is_shown_to_its_merchant_alone_and_stored_sealed(server, merchant, return_url):
    """A URL as Stripe gives it holds the client secret."""
    payment = merchant.pay(payment_method="pm_card_authenticationRequired", return_url=return_url)
    action = payment["next_action"]
    needed = action["redirect_url" if return_url else "client_secret"]
    server.secrets.add(needed)  # the log is searched for it when this test ends
    listed = merchant.api.get("/v1/payments")
    assert succeeded(listed)[0]["next_action"] == {"type": action["type"]}
    assert needed.encode() not in listed.body
    assert not in_data_directory(server, needed)


def in_data_directory(server, *texts):
    """Those of the texts that are in a file of the service's."""
    content = b""
    for name in os.listdir(server.data_dir):
        with open(os.path.join(server.data_dir, name), "rb") as file:
            content += file.read()
    return [text for text in texts if text.encode() in content]


def test_no_credential_is_in_the_data_directory(server, merchant):
    merchant.use_webhook("https://merchant.com/webhooks")
    merchant.pay()
    assert not in_data_directory(server, merchant.key["key"], merchant.stripe_key, merchant.stripe_webhook_secret,
                                 merchant.webhook_secret)
    assert in_data_directory(server, merchant.name), "the search finds what is there"


def test_a_manual_capture_is_pending_and_capturable(merchant):
    payment = merchant.pay(capture_method="manual")
    assert (payment["status"], payment["capturable"]) == ("pending", True)
    assert (payment["amount"], payment["amount_captured"], payment["next_action"]) == ("10.00", "0.00", None)
    assert merchant.payment(payment["id"]) == payment


# Refused by Stripe

@pytest.mark.parametrize("method, code, decline_code", [
    ("pm_card_declined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ("pm_there_is_no_such_method", "resource_missing", None),
])
def test_a_charge_that_stripe_refuses_is_a_failed_payment(merchant, method, code, decline_code):
    payment = merchant.pay(payment_method=method)
    assert UUID7.fullmatch(payment["id"])
    assert payment["status"] == "failed" and payment["amount_captured"] == "0.00"
    failure = payment["failure"]
    assert failure.keys() == {"code", "decline_code", "message"} and failure["message"]
    assert failure["code"] == code
    assert failure["decline_code"] == decline_code or decline_code is None
    assert merchant.payment(payment["id"]) == payment
    assert succeeded(merchant.api.get("/v1/payments")) == [payment]


@pytest.mark.parametrize("amount, currency, code", [
    ("0.01", "USD", "amount_too_small"), ("9999999999.99", "USD", "amount_too_large")])
def test_a_limit_of_stripes_is_stripes_to_refuse(merchant, amount, currency, code):
    payment = merchant.pay(amount, currency, payment_method="pm_card_amex")
    assert (payment["status"], payment["failure"]["code"]) == ("failed", code)


@pytest.mark.parametrize("secret_key", ["sk_test_invalid_0123456789", "sk_test_expired_0123456789"])
def test_a_secret_key_that_stripe_refuses_fails_the_payment(server, merchant, secret_key):
    server.secrets.add(secret_key)
    merchant.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {"secret_key": secret_key}},
                     expect=200)
    answer = post(merchant.api, BODY)
    payment = succeeded(answer, 201)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "provider_auth_failed")
    assert payment["provider_ref"] is None
    assert secret_key.encode() not in answer.body
    merchant.use_stripe()
    assert merchant.pay()["status"] == "completed"


# Optional fields

def pairs(count):
    return {f"name{number}": str(number) for number in range(count)}


@pytest.mark.parametrize("metadata", [
    {}, pairs(40), {"n" * 40: "v" * 500}, {"é" * 40: "ü" * 500}, {"日" * 40: "🎫" * 500}, {"empty": ""}])
def test_metadata_within_its_limits_is_kept(merchant, metadata):
    assert merchant.pay(metadata=metadata)["metadata"] == metadata


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", 'x":"1","payment_id":"other","y'])
def test_a_name_in_metadata_may_be_any_text(merchant, sandbox, name):
    payment = merchant.pay(metadata={name: "v"})
    assert payment["metadata"] == {name: "v"}
    assert merchant.api.get("/v1/payments", expect=200).data == [payment]
    charge, = charges_of(sandbox, payment_id=payment["id"])
    assert charge["metadata"][name] == "v"


@pytest.mark.parametrize("metadata, field", [
    (pairs(41), "metadata"), ("text", "metadata"), (["a"], "metadata"), (7, "metadata"),
    ({"n" * 41: "v"}, "metadata." + "n" * 41), ({"日" * 41: "v"}, "metadata." + "日" * 33),
    ({"name": "v" * 501}, "metadata.name"), ({"name": "日" * 501}, "metadata.name"), ({"": "v"}, 'metadata.""'),
    ({"a[b": "v"}, "metadata.a[b"), ({"a]": "v"}, "metadata.a]"), ({"payment_id": "v"}, "metadata.payment_id"),
    ({"merchant_id": "v"}, "metadata.merchant_id"), ({"refund_id": "v"}, "metadata.refund_id"),
    ({"name": 7}, "metadata.name"), ({"name": None}, "metadata.name"), ({"name": {"a": "b"}}, "metadata.name"),
    ({"name": ["a"]}, "metadata.name"), ({"name": True}, "metadata.name")])
def test_metadata_beyond_its_limits_is_named(merchant, metadata, field):
    refuse(merchant, {"metadata": metadata}, "VALIDATION_ERROR", field)


@pytest.mark.parametrize("change, field", [
    ({"return_url": "merchant.com/return"}, "return_url"), ({"return_url": "javascript:alert(1)"}, "return_url"),
    ({"return_url": ""}, "return_url"), ({"return_url": "https://a/\n"}, "return_url"),
    ({"return_url": 7}, "return_url"), ({"return_url": "https://merchant.com/a b"}, "return_url"),
    ({"return_url": "https://merchant.com/ "}, "return_url"), ({"return_url": "https://merchant.com/<a>"}, "return_url"),
    ({"return_url": "https://"}, "return_url"), ({"return_url": "https:///return"}, "return_url"),
    ({"return_url": "https://:80/"}, "return_url"), ({"return_url": "myapp:return"}, "return_url"),
    ({"return_url": "myapp://"}, "return_url"), ({"return_url": "://return"}, "return_url"),
    ({"return_url": "1app://return"}, "return_url"), ({"return_url": "my app://return"}, "return_url"),
    ({"return_url": "javascript://x/%0aalert(1)"}, "return_url"), ({"return_url": "JavaScript://x"}, "return_url"),
    ({"return_url": "data://text/html,x"}, "return_url"), ({"return_url": "file:///etc/passwd"}, "return_url"),
    ({"return_url": "a" * 65 + "://x"}, "return_url"),
    ({"description": "d" * 1001}, "description"), ({"description": {"a": "b"}}, "description"),
    ({"customer_email": "nobody"}, "customer_email"), ({"customer_email": "a b@c"}, "customer_email"),
    ({"customer_email": "a@b" + "c" * 600}, "customer_email"),
    ({"capture_method": "later"}, "capture_method"), ({"capture_method": None}, "capture_method"),
    ({"payment_method": None}, "payment_method"), ({"payment_method": ""}, "payment_method"),
    ({"payment_method": "visa"}, "payment_method"), ({"payment_method": "pm_"}, "payment_method"),
    ({"payment_method": "pm_a&amount=1"}, "payment_method"), ({"payment_method": ["pm_card_visa"]}, "payment_method"),
    ({"saved_card_id": "x", "payment_method": None}, "saved_card_id"),
    ({"off_session": True}, "off_session"), ({"provider": "paypal"}, "provider"),
    ({"provider": "Stripe"}, "provider")])
def test_a_field_with_a_wrong_value_is_named(merchant, change, field):
    refuse(merchant, change, "VALIDATION_ERROR", field)


def test_a_payer_who_is_there_may_be_said_to_be_there(merchant):
    assert succeeded(post(merchant.api, BODY | {"off_session": False}), 201)["status"] == "completed"


def test_a_payment_method_and_a_saved_card_exclude_each_other(merchant):
    refuse(merchant, {"saved_card_id": str(uuid.uuid4())}, "VALIDATION_ERROR", "payment_method")


def test_a_saved_card_that_is_not_there_is_not_found(merchant):
    body = {name: value for name, value in BODY.items() if name != "payment_method"}
    refused(post(merchant.api, body | {"saved_card_id": str(uuid.uuid4())}), 404, "NOT_FOUND")


# Card data

@pytest.mark.parametrize("change, field", [
    ({"number": "1"}, "number"), ({"card_number": "x"}, "card_number"), ({"cvc": "123"}, "cvc"),
    ({"cvv": 123}, "cvv"),
    ({"card": {"number": "4242424242424242"}}, "card"), ({"metadata": {"cvc": "123"}}, "cvc"),
    ({"payment_method": {"card": {"number": "4242424242424242"}}}, "card"), ({"x": [{"y": {"card": 1}}]}, "card"),
    ({"payment_method": "4242424242424242"}, "payment_method"),
    ({"payment_method": 4242424242424242}, "payment_method"),
    ({"payment_method": "4242 4242-4242 4242"}, "payment_method"),
    ({"description": "378282246310005"}, "description"),
    ({"description": " 2223003122003222 "}, "description"), ({"payment_method_id": "6011111111111117"},
                                                             "payment_method_id"),
    ({"customer_name": "5555-5555-5555-4444"}, "customer_name"),
    ({"metadata": {"description": "4242424242424242"}}, "description"),
])
def test_card_data_is_refused_and_neither_answered_nor_logged(server, merchant, change, field):
    answer = refuse(merchant, change, "CARD_DATA_REFUSED", field)
    assert not leaks.found(answer.body)
    assert not in_data_directory(server, *leaks.CARD_NUMBERS)


def test_a_refusal_of_card_data_names_nothing_else(merchant):
    refuse(merchant, {"cvc": "123", "amount": "x", "unknown": 1}, "CARD_DATA_REFUSED", "cvc")


@pytest.mark.parametrize("description", [
    "4000056655665557", "1234567890123", "Order 4000056655665556", "400005665566", "9999999999999995",
    "40000566556655564000"])
def test_numbers_that_are_no_cards_may_be_written_down(merchant, description):
    assert merchant.pay(description=description)["description"] == description


def test_every_payment_that_was_made_is_in_the_database(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant.with_stripe(server)
    made = {merchant.pay(amount=f"{number}.25")["id"].replace("-", "") for number in range(1, 6)}
    server.terminate()
    with open_database(server) as database:
        rows = database.execute("SELECT id, amount_minor, status FROM payments ORDER BY id").fetchall()
        assert database.execute("SELECT count(*) FROM operations WHERE kind <> 'events'").fetchone() == (0,)
        assert is_whole(database)
    assert {row[0].hex() for row in rows} == made
    assert [row[1:] for row in rows] == [(number * 100 + 25, "completed") for number in range(1, 6)]
