"""One Idempotency-Key is one charge, however late and however often it is repeated. test_idempotency_at_once.py repeats it
at the same time."""
import hashlib
import json
import threading

import pytest

from idempotency_fixture import BODY, charges, new_key, pay
from sandbox_fixture import charges_of
from support.database import forget_answers, request_hash
from support.http_listener import Answer
from support.merchant import Merchant
from support.raw import Raw
from support.shape import refused, succeeded
from support.stub import executed
from support.waiting import wait_until


# The same request

def test_the_same_bytes_are_answered_with_the_same_bytes(merchant, sandbox):
    key = new_key()
    first, again, once_more = (pay(merchant.api, key) for _ in range(3))
    assert first.status == again.status == once_more.status == 201
    assert first.body == again.body == once_more.body
    assert (first.replayed, again.replayed, once_more.replayed) == (False, True, True)
    assert len(charges(sandbox, first.data)) == 1
    assert len(succeeded(merchant.api.get("/v1/payments"))) == 1


@pytest.mark.parametrize("text", [
    json.dumps(dict(reversed(BODY.items()))),
    json.dumps(BODY, indent=3),
    json.dumps(BODY | {"amount": 10}),
    json.dumps(BODY | {"amount": 10.0}),
    json.dumps(BODY).replace('"10.00"', "10.000"),
    json.dumps(BODY).replace('"10.00"', '"010.00"'),
    json.dumps(BODY | {"currency": "usd"}),
    json.dumps(BODY | {"currency": "uSd"}),
    json.dumps(BODY | {"metadata": {"shelf": "b", "order": "7"}}),
    json.dumps(BODY | {"capture_method": "automatic"}),
    json.dumps(BODY | {"return_url": None, "customer_email": None}),
    json.dumps(BODY).replace("Two", "\\u0054wo"),
])
def test_the_same_fields_in_other_bytes_are_the_same_request(merchant, sandbox, text):
    key = new_key()
    first = pay(merchant.api, key)
    again = pay(merchant.api, key, text)
    assert again.status == 201 and again.replayed and again.body == first.body
    assert len(charges(sandbox, first.data)) == 1


@pytest.mark.parametrize("change", [
    {"amount": "10.01"}, {"amount": "1000"}, {"currency": "EUR"}, {"currency": "JPY", "amount": "1000"},
    {"payment_method": "pm_card_mastercard"}, {"description": "two tickets"}, {"description": None},
    {"metadata": {"order": "7"}}, {"metadata": {"order": "b", "shelf": "7"}}, {"metadata": None},
    {"capture_method": "manual"}, {"return_url": "https://merchant.com/return"}, {"customer_email": "a@example.com"},
])
def test_another_request_under_the_same_key_is_refused(merchant, sandbox, change):
    key = new_key()
    first = pay(merchant.api, key)
    refused(pay(merchant.api, key, BODY | change), 422, "IDEMPOTENCY_KEY_REUSED")
    again = pay(merchant.api, key)
    assert again.replayed and again.body == first.body
    assert len(charges_of(sandbox, merchant_id=merchant.id)) == 1


def assert_hash_is_of(merchant, key, text, **ids):
    """A key never expires, so the hash of its request can never change, nor the text that is hashed."""
    for name, value in ids.items():
        text = text.replace(f"<{name}>", value)
    assert request_hash(merchant.server, merchant, key) == hashlib.sha256(text.encode()).digest()


ALL_FIELDS = {
    "amount": "10.00", "currency": "usd", "provider": "stripe", "payment_method": "pm_card_visa",
    "return_url": "https://shop.example/return", "description": "Zwei \u00fc \"Karten\"", "metadata": {"b": "2", "a": "/1"},
    "capture_method": "manual", "customer_email": "a@example.com",
}
ALL_HASHED = (
    '{"amount_minor":1000,"currency":"USD","provider":"stripe","payment_method":"pm_card_visa",'
    '"return_url":"https://shop.example/return","description":"Zwei \u00fc \\"Karten\\"",'
    '"metadata":"{\\"a\\":\\"/1\\",\\"b\\":\\"2\\"}","capture_manual":true,"customer_email":"a@example.com"}')
FEWEST_FIELDS = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
FEWEST_HASHED = '{"amount_minor":1000,"currency":"USD","provider":"stripe","payment_method":"pm_card_visa"}'
SAVED_FIELDS = {"amount": "10.00", "currency": "USD", "provider": "stripe"}
SAVED_HASHED = '{"amount_minor":1000,"currency":"USD","provider":"stripe","saved_card_id":"<card>"'


@pytest.mark.parametrize("fields, text", [
    (ALL_FIELDS, ALL_HASHED), (FEWEST_FIELDS, FEWEST_HASHED),
    (FEWEST_FIELDS | {"capture_method": "automatic", "metadata": {}, "description": None, "off_session": False,
                      "save_card": False}, FEWEST_HASHED),
    (ALL_FIELDS | {"save_card": True}, ALL_HASHED[:-1] + ',"save_card":true}'),
], ids=["every field", "the fewest", "with defaults", "saving its card"])
def test_the_hash_of_a_payments_request_never_changes(merchant, fields, text):
    pay(merchant.api, key := new_key(), fields, expect=201)
    assert_hash_is_of(merchant, key, text)


@pytest.mark.parametrize("fields, end", [({}, "}"), ({"off_session": True}, "}"), ({"off_session": False}, ',"off_session":false}')],
                         ids=["not said", "off session", "on session"])
def test_the_hash_of_a_saved_cards_charge_never_changes(merchant, fields, end):
    card = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=201).data["id"]
    pay(merchant.api, key := new_key(), SAVED_FIELDS | {"saved_card_id": card} | fields, expect=201)
    assert_hash_is_of(merchant, key, SAVED_HASHED + end, card=card)


@pytest.mark.parametrize("fields, text", [
    ({"amount": "4", "reason": "duplicate"}, '{"payment_id":"<payment>","amount_minor":400,"reason":"duplicate"}'),
    ({}, '{"payment_id":"<payment>"}'),
    ({"reason": None}, '{"payment_id":"<payment>"}'),
], ids=["every field", "the fewest", "with defaults"])
def test_the_hash_of_a_refunds_request_never_changes(merchant, fields, text):
    payment = merchant.pay()
    merchant.refund(payment, idempotency_key=(key := new_key()), **fields)
    assert_hash_is_of(merchant, key, text, payment=payment["id"])


@pytest.mark.parametrize("fields, text", [
    ({"customer_email": "User@example.com", "customer_name": "Jane"},
     '{"payment_method_id":"pm_card_visa","customer_email":"User@example.com","customer_name":"Jane"}'),
    ({}, '{"payment_method_id":"pm_card_visa"}'),
    ({"customer_email": None, "customer_name": None}, '{"payment_method_id":"pm_card_visa"}'),
], ids=["every field", "the fewest", "with defaults"])
def test_the_hash_of_a_request_to_save_a_card_never_changes(merchant, fields, text):
    body = {"payment_method_id": "pm_card_visa"} | fields
    merchant.api.post("/v1/payments/cards", body, idempotency_key=(key := new_key()), expect=201)
    assert_hash_is_of(merchant, key, text)


def test_another_key_is_another_charge(merchant, sandbox):
    first, second = pay(merchant.api, new_key()), pay(merchant.api, new_key())
    assert first.data["id"] != second.data["id"] and not second.replayed
    assert len(charges_of(sandbox, merchant_id=merchant.id)) == 2


def test_keys_differ_by_case_and_length(merchant, sandbox):
    for key in ("order-a", "order-A", "order-", "order-aa"):
        assert not pay(merchant.api, key).replayed
    assert len(charges_of(sandbox, merchant_id=merchant.id)) == 4


def test_a_failed_payment_is_answered_again_and_not_tried_again(merchant, sandbox):
    declined = BODY | {"payment_method": "pm_card_visa_chargeDeclined"}
    key = new_key()
    first, again = pay(merchant.api, key, declined), pay(merchant.api, key, declined)
    assert first.data["status"] == "failed" and again.replayed and again.body == first.body
    assert len(charges(sandbox, first.data)) == 1
    assert pay(merchant.api, new_key(), declined).data["id"] != first.data["id"]


def test_a_replay_does_not_need_stripe_and_asks_nothing_of_it(observed):
    key = new_key()
    first = pay(observed.api, key)
    before = len(observed.stripe.requests)
    observed.stripe.answer_always("*", "*", Answer(500, {}))
    again = pay(observed.api, key)
    assert again.replayed and again.body == first.body
    assert len(observed.stripe.requests) == before


# The owner of a key

def test_merchants_do_not_share_keys(server, merchant):
    other = Merchant.with_stripe(server)
    key = new_key()
    assert not pay(merchant.api, key).replayed
    assert not pay(other.api, key).replayed
    assert pay(merchant.api, key).data["merchant_id"] == merchant.id


def test_a_merchants_api_keys_share_them(merchant):
    key = new_key()
    first = pay(merchant.api, key)
    again = pay(merchant.client("payments:write"), key)
    assert again.replayed and again.body == first.body


def test_the_modes_do_not_share_keys(server):
    merchant = Merchant(server)
    merchant.use_stripe("test")
    merchant.use_stripe("live")
    key = new_key()
    live, test = pay(merchant.api, key), pay(merchant.client(mode="test"), key)
    assert (live.data["livemode"], test.data["livemode"]) == (True, False)
    assert not test.replayed and live.data["id"] != test.data["id"]
    assert pay(merchant.api, key).body == live.body
    assert pay(merchant.client(mode="test"), key).body == test.body


def test_a_live_key_that_charges_in_test_mode_shares_test_modes_keys(merchant):
    key = new_key()
    first = pay(merchant.api, key)
    again = pay(merchant.client(mode="test"), key)
    assert again.replayed and again.body == first.body


# Keys never expire

def test_a_replay_outlives_the_credentials(merchant, sandbox):
    key = new_key()
    first = pay(merchant.api, key)
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    again = pay(merchant.api, key)
    assert again.replayed and again.body == first.body
    refused(pay(merchant.api, key, BODY | {"amount": "11.00"}), 422, "IDEMPOTENCY_KEY_REUSED")
    refused(pay(merchant.api, new_key()), 422, "PROVIDER_NOT_CONFIGURED")
    merchant.use_stripe()
    assert pay(merchant.api, key).body == first.body
    assert len(charges(sandbox, first.data)) == 1


def test_a_replay_outlives_the_process(start_server, sandbox, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant.with_stripe(server)
    key = new_key()
    first = pay(merchant.api, key)
    server.kill()
    server.start()
    again = pay(merchant.api, key)
    assert again.replayed and again.body == first.body
    assert len(charges(sandbox, first.data)) == 1


def test_an_answer_that_was_pending_stays_pending_though_the_payment_goes_on(start_server, stub_stripe):
    merchant = Merchant.with_stripe(start_server(stub_stripe.url, patience="200ms"))
    gate, key = threading.Event(), new_key()
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(gate=gate))
    first = pay(merchant.api, key)
    assert first.status == 201 and first.data["status"] == "pending" and first.data["provider_ref"] is None
    gate.set()
    wait_until(lambda: merchant.payment(first.data["id"])["status"] == "completed")
    again = pay(merchant.api, key)
    assert again.replayed and again.body == first.body
    assert stub_stripe.charged_minor(first.data["id"]) == 1000


def test_a_key_whose_first_request_can_never_be_answered_does_not_stay_in_progress(start_server, stub_stripe):
    server = start_server(stub_stripe.url, patience="2s")
    merchant = Merchant.with_stripe(server)
    gate, key = threading.Event(), new_key()
    stub_stripe.answer_always("POST", "/v1/payment_intents", executed(gate=gate))
    stub_stripe.answer_always("GET", "/v1/payment_intents", Answer(503))  # which would tell it sooner
    with Raw(server) as client:
        client.request("POST", "/v1/payments", json.dumps(BODY).encode(), X_API_Key=merchant.key["key"],
                       Idempotency_Key=key)
        stub_stripe.wait_for("POST", "/v1/payment_intents")
        server.kill()
    server.start()
    first = wait_until(lambda: (answer := pay(merchant.api, key)).status != 409 and answer)
    assert first.status == 201 and first.replayed and first.data["status"] == "pending"
    gate.set()
    wait_until(lambda: merchant.payment(first.data["id"])["status"] == "completed")
    assert pay(merchant.api, key).body == first.body
    assert stub_stripe.charged_minor(first.data["id"]) == 1000


def test_a_pruned_answer_about_an_open_payment_is_the_payment_as_it_is(start_server, stub_stripe):
    merchant = Merchant.with_stripe(start_server(stub_stripe.url, patience="200ms"))
    gate, key = threading.Event(), new_key()
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(gate=gate))
    first = pay(merchant.api, key)
    assert first.data["status"] == "pending" and forget_answers(merchant.server) == 1
    again = pay(merchant.api, key)
    assert again.status == 201 and again.replayed and again.data == merchant.payment(first.data["id"])
    gate.set()
    wait_until(lambda: merchant.payment(first.data["id"])["status"] == "completed")
    assert forget_answers(merchant.server) == 1
    done = pay(merchant.api, key)
    assert done.status == 201 and done.replayed and done.data == merchant.payment(first.data["id"])


# The form of a key

def test_a_payment_needs_a_key(merchant):
    refused(pay(merchant.api, None), 400, "IDEMPOTENCY_KEY_REQUIRED")
    assert succeeded(merchant.api.get("/v1/payments")) == []


@pytest.mark.parametrize("key", ["", "k" * 256, "order 7", "order\t7", "order-\u00e9", "order-\x80"],
                         ids=["empty", "256 characters", "space", "tab", "e acute", "8 bit"])
def test_a_key_that_is_not_1_to_255_visible_characters_is_refused(merchant, key):
    refused(pay(merchant.api, None, headers={"Idempotency-Key": key}), 400, "BAD_REQUEST")
    assert succeeded(merchant.api.get("/v1/payments")) == []


def test_two_key_headers_are_refused(merchant):
    with Raw(merchant.server) as client:
        body = json.dumps(BODY).encode()
        client.send(b"POST /v1/payments HTTP/1.1\r\nHost: a\r\nX-API-Key: %s\r\nIdempotency-Key: a\r\n"
                    b"idempotency-key: b\r\nContent-Length: %d\r\n\r\n%s"
                    % (merchant.key["key"].encode(), len(body), body))
        refused(client.answer(), 400, "BAD_REQUEST")


@pytest.mark.parametrize("key", ["!", "k" * 255, "~{}|\"'<>%00&=;,/?#"],
                         ids=["1 character", "255 characters", "signs"])
def test_any_visible_characters_make_a_key(merchant, key):
    first, again = pay(merchant.api, key), pay(merchant.api, key)
    assert first.data["idempotency_key"] == key
    assert again.replayed and again.body == first.body


# Requests that do not consume their key

def test_a_refused_request_leaves_its_key_free(merchant):
    key = new_key()
    refused(pay(merchant.api, key, BODY | {"amount": "-1"}), 422, "VALIDATION_ERROR", "amount")
    refused(pay(merchant.api, key, BODY | {"card": "4242424242424242"}), 422, "CARD_DATA_REFUSED", "card")
    refused(pay(merchant.api, key, "{"), 400, "BAD_REQUEST")
    refused(pay(merchant.api, key, BODY | {"x": "y"}), 422, "VALIDATION_ERROR", "x")
    refused(pay(merchant.client("payments:read"), key), 403, "AUTH_INSUFFICIENT_SCOPE")
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    refused(pay(merchant.api, key), 422, "PROVIDER_NOT_CONFIGURED")
    merchant.use_stripe()
    assert not pay(merchant.api, key, expect=201).replayed
