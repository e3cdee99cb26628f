"""Only an event that is signed with the merchant's secret is believed, and only about that merchant."""
import json
import time
import uuid

import pytest
import requests
import stripe

from support.database import age_credentials, history, stored_events
from support.events import event, intent_of, send_event, sign_stripe_event, signature_v1, stripe_id
from support.merchant import Merchant, random_secret
from support.raw import Raw
from support.waiting import wait_until

PATH = "/v1/webhooks/stripe"
OTHER = "whsec_of_somebody_else"
EVENT_BYTES_MAX = 1024 * 1024


@pytest.fixture
def pending(merchant):
    """A payment whose payer has still to act."""
    return merchant.pay(payment_method="pm_card_authenticationRequired", return_url="https://shop.example/return")


def early_in_a_second():
    """The service's clock shows the same second for a while."""
    wait_until(lambda: time.time() % 1 < 0.5)
    return int(time.time())


def v1(body, at, secret):
    return f"v1={signature_v1(body, secret, at)}"


# name: the header for (body, now, secret)
GOOD = {
    "plain": lambda body, now, secret: f"t={now},{v1(body, now, secret)}",
    "almost 300 seconds old": lambda body, now, secret: sign_stripe_event(body, secret, now - 299),
    "a wrong one first": lambda body, now, secret: f"t={now},{v1(body, now, OTHER)},{v1(body, now, secret)}",
    "a wrong one last": lambda body, now, secret: f"t={now},{v1(body, now, secret)},{v1(body, now, OTHER)}",
    "a broken one first": lambda body, now, secret: f"t={now},v1=beef,{v1(body, now, secret)}",
    "the fake scheme beside it": lambda body, now, secret: f"t={now},{v1(body, now, secret)},v0={'6' * 64}",
    "unknown items": lambda body, now, secret: f"t={now},x=1,{v1(body, now, secret)},v2=7",
    "time last": lambda body, now, secret: f"{v1(body, now, secret)},t={now}",
}
BAD = {
    "empty": lambda body, now, secret: "",
    "301 seconds old": lambda body, now, secret: sign_stripe_event(body, secret, now - 301),
    "a day old": lambda body, now, secret: sign_stripe_event(body, secret, now - 86400),
    "another secret": lambda body, now, secret: sign_stripe_event(body, OTHER, now),
    "the secret without its prefix": lambda body, now, secret: sign_stripe_event(
        body, secret.removeprefix("whsec_"), now),
    "the fake scheme alone": lambda body, now, secret: f"t={now},v0={signature_v1(body, secret, now)}",
    "upper-case digits": lambda body, now, secret: f"t={now},v1={signature_v1(body, secret, now).upper()}",
    "a digit short": lambda body, now, secret: f"t={now},{v1(body, now, secret)[:-1]}",
    "a digit too many": lambda body, now, secret: f"t={now},{v1(body, now, secret)}0",
    "no time": lambda body, now, secret: v1(body, now, secret),
    "no signature": lambda body, now, secret: f"t={now}",
    "a time that is a word": lambda body, now, secret: f"t=abc,{v1(body, 'abc', secret)}",
    "a space after the comma": lambda body, now, secret: f"t={now}, {v1(body, now, secret)}",
    "another time": lambda body, now, secret: f"t={now - 1},{v1(body, now, secret)}",
    "another body": lambda body, now, secret: sign_stripe_event(body + b"\n", secret, now),
}
# Stripe's library for Python counts fractions of a second, and takes any time to come.
GOOD_HERE = GOOD | {
    "300 seconds old": lambda body, now, secret: sign_stripe_event(body, secret, now - 300),
    "300 seconds ahead": lambda body, now, secret: sign_stripe_event(body, secret, now + 300),
}
BAD_HERE = BAD | {"301 seconds ahead": lambda body, now, secret: sign_stripe_event(body, secret, now + 301)}


def post(server, body, header, path=PATH):
    return server.api().post(path, body, headers={"Stripe-Signature": header})


@pytest.mark.parametrize("name", GOOD_HERE)
def test_a_good_signature_is_accepted(server, merchant, pending, name):
    body = json.dumps(event("payment_intent.succeeded", intent_of(pending))).encode()
    header = GOOD_HERE[name](body, early_in_a_second(), merchant.stripe_webhook_secret)
    answer = post(server, body, header)
    assert answer.status == 200, answer
    assert merchant.payment(pending["id"])["status"] == "completed"


@pytest.mark.parametrize("name", [*BAD_HERE, "none"])
def test_a_bad_signature_is_refused_and_changes_nothing(server, merchant, pending, name):
    body = json.dumps(event("payment_intent.succeeded", intent_of(pending))).encode()
    make = BAD_HERE.get(name, lambda *_: None)
    answer = post(server, body, make(body, early_in_a_second(), merchant.stripe_webhook_secret))
    assert (answer.status, answer.codes) == (400, ["SIGNATURE_INVALID"])
    assert merchant.payment(pending["id"]) == pending and stored_events(server, merchant) == []


def test_a_signature_that_comes_in_two_headers_is_refused(server, merchant, pending):
    body = json.dumps(event("payment_intent.succeeded", intent_of(pending))).encode()
    good = f"Stripe-Signature: {sign_stripe_event(body, merchant.stripe_webhook_secret)}\r\n"
    with Raw(server) as raw:
        raw.send(f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{good}{good}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = raw.answer()
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])
    assert merchant.payment(pending["id"]) == pending


@pytest.mark.parametrize("name", GOOD)
def test_stripes_own_library_accepts_what_we_accept(name):
    body = json.dumps(event("payment_intent.succeeded", {"id": "pi_1"})).encode()
    header = GOOD[name](body, early_in_a_second(), "whsec_a")
    assert stripe.Webhook.construct_event(body, header, "whsec_a")["type"] == "payment_intent.succeeded"


@pytest.mark.parametrize("name", BAD)
def test_stripes_own_library_refuses_what_we_refuse(name):
    body = json.dumps(event("payment_intent.succeeded", {"id": "pi_1"})).encode()
    header = BAD[name](body, early_in_a_second(), "whsec_a")
    with pytest.raises(stripe.error.SignatureVerificationError):
        stripe.Webhook.construct_event(body, header, "whsec_a")


def test_the_body_is_verified_as_it_came(server, merchant, pending):
    spaced = json.dumps(event("payment_intent.succeeded", intent_of(pending)), indent=3, ensure_ascii=False)
    send_event(server, f"\n {spaced}\r\n\t".encode(), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_a_signed_body_of_too_many_values_is_accepted_and_not_read(server, merchant, pending):
    sent = event("payment_intent.succeeded", intent_of(pending))
    send_event(server, sent | {"more": [{}] * 20_000}, merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "pending"
    send_event(server, sent | {"more": [{}] * 10_000}, merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff\xfe", b'{"id":"evt_1","type":"x"}', b'{"id":"evt_1",'])
@pytest.mark.parametrize("path", [PATH, PATH + "/{merchant}"])
def test_a_signed_body_of_any_shape_is_accepted(server, merchant, body, path):
    answer = requests.post(  # what our document does not promise
        server.url + path.format(merchant=merchant.id), data=body, timeout=30,
        headers={"Stripe-Signature": sign_stripe_event(body, merchant.stripe_webhook_secret)})
    assert answer.status_code == 200, answer.text


def test_a_large_event_that_names_nobody_is_accepted(server, merchant):
    body = json.dumps(event("invoice.paid", {"id": stripe_id("in_"), "object": "invoice"})).encode()
    send_event(server, body.ljust(EVENT_BYTES_MAX), merchant.stripe_webhook_secret)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"data":{"object":{"id":"' + b"a" * 9000],
                         ids=["empty", "list", "object", "not UTF-8", "deep", "long"])
def test_an_unsigned_body_is_not_even_looked_at(server, body):
    assert send_event(server, body, OTHER, expect=400).codes == ["SIGNATURE_INVALID"]


def test_an_event_may_have_a_mebibyte_and_not_a_byte_more(server, merchant, pending):
    body = json.dumps(event("payment_intent.succeeded", intent_of(pending))).encode()
    too_large = body.ljust(EVENT_BYTES_MAX + 1)
    with Raw(server) as connection:  # which is answered as soon as the size is known
        connection.request("POST", PATH, Content_Length=str(len(too_large)),
                           Stripe_Signature=sign_stripe_event(too_large, merchant.stripe_webhook_secret))
        answer = connection.answer()
    assert (answer.status, answer.codes) == (413, ["PAYLOAD_TOO_LARGE"])
    assert merchant.payment(pending["id"])["status"] == "pending"
    send_event(server, body.ljust(EVENT_BYTES_MAX), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


# Several merchants

@pytest.fixture
def other(server):
    other = Merchant.with_stripe(server)
    return other


def test_each_merchants_events_are_found_by_what_they_name(server, merchant, other, pending):
    theirs = other.pay(payment_method="pm_card_authenticationRequired")
    for shop, payment in ((merchant, pending), (other, theirs)):
        send_event(server, event("payment_intent.succeeded", intent_of(payment)), shop.stripe_webhook_secret)
        assert shop.payment(payment["id"])["status"] == "completed"


def test_the_intents_id_alone_finds_the_merchant(server, merchant, pending):
    send_event(server, event("payment_intent.succeeded", intent_of(pending, metadata={})), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_two_merchants_with_one_stripe_account_each_get_200_for_every_event(server, merchant, other, pending):
    said = event("payment_intent.succeeded", intent_of(pending))
    send_event(server, said, other.stripe_webhook_secret)
    assert merchant.payment(pending["id"]) == pending
    send_event(server, said, merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_the_path_may_name_the_merchant(server, merchant, other, pending):
    said = event("payment_intent.succeeded", intent_of(pending))
    send_event(server, said, merchant.stripe_webhook_secret, path=f"{PATH}/{other.id}", expect=400)
    assert merchant.payment(pending["id"]) == pending
    send_event(server, said, merchant.stripe_webhook_secret, path=f"{PATH}/{merchant.id}")
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_a_path_that_names_nobody_is_refused(server, merchant, pending):
    said = event("payment_intent.succeeded", intent_of(pending))
    send_event(server, said, merchant.stripe_webhook_secret, path=f"{PATH}/{uuid.uuid4()}", expect=400)
    send_event(server, said, merchant.stripe_webhook_secret, path=f"{PATH}/nobody", expect=404)
    assert merchant.payment(pending["id"]) == pending


# Claims about the first merchant's payment by another merchant, who signs with its own secret.
CLAIMS = {
    "as it is": lambda intent, _: intent,
    "without metadata": lambda intent, _: intent | {"metadata": {}},
    "as its own": lambda intent, other: intent | {"metadata": intent["metadata"] | {"merchant_id": other.id}},
    "as its own, of an intent of its own": lambda intent, other: intent | {
        "id": stripe_id("pi_"), "metadata": intent["metadata"] | {"merchant_id": other.id}},
    "of an intent of its own": lambda intent, _: intent | {"id": stripe_id("pi_")},
    "by the payment alone": lambda intent, _: intent | {
        "id": stripe_id("pi_"), "metadata": {"payment_id": intent["metadata"]["payment_id"]}},
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("path", ["", "/{other}"])
@pytest.mark.parametrize("event_type, status", [("payment_intent.succeeded", "succeeded"),
                                                ("payment_intent.canceled", "canceled")])
def test_another_merchants_event_changes_nothing(server, merchant, other, pending, claim, path, event_type, status):
    intent = CLAIMS[claim](intent_of(pending, status), other)
    send_event(server, event(event_type, intent), other.stripe_webhook_secret,
               path=PATH + path.format(other=other.id), expect=None)
    assert merchant.payment(pending["id"]) == pending and stored_events(server, merchant) == []


def test_two_merchants_may_have_an_event_of_the_same_id_and_an_intent_of_the_same_id(
        server, merchant, other, pending):
    theirs = other.pay(payment_method="pm_card_authenticationRequired")
    event_id = stripe_id("evt_")
    for shop, payment in ((merchant, pending), (other, theirs)):
        send_event(server, event("payment_intent.succeeded", intent_of(payment), event_id=event_id),
                   shop.stripe_webhook_secret)
        assert shop.payment(payment["id"])["status"] == "completed"


@pytest.mark.parametrize("metadata", [{}, {"order": "7"}, {"merchant_id": str(uuid.uuid4())}, {"merchant_id": "shop 7"},
                                      {"payment_id": str(uuid.uuid4())},
                                      {"payment_id": "1", "merchant_id": str(uuid.uuid4())}])
def test_a_merchants_other_traffic_is_accepted_and_forgotten(server, merchant, metadata):
    intent = {"id": stripe_id("pi_"), "object": "payment_intent", "amount": 500, "amount_received": 500, "currency": "usd",
              "status": "succeeded", "livemode": False, "metadata": metadata}
    for path in (PATH, f"{PATH}/{merchant.id}"):
        send_event(server, event("payment_intent.succeeded", intent), merchant.stripe_webhook_secret, path=path)
    assert stored_events(server, merchant) == []


def test_an_address_that_sends_too_much_that_nobody_signed_has_to_name_the_merchant(server, merchant, pending):
    address = "203.0.113.77"
    named = event("payment_intent.succeeded", intent_of(pending))
    unnamed = event("payment_intent.succeeded", {"id": stripe_id("pi_"), "object": "payment_intent"})
    for number in range(10):
        send_event(server, unnamed, merchant.stripe_webhook_secret, address=address)
        send_event(server, named if number % 2 else unnamed, OTHER, address=address, expect=400)
    answer = send_event(server, unnamed, merchant.stripe_webhook_secret, address=address, expect=400)
    assert answer.codes == ["SIGNATURE_INVALID"] and "in the path" in answer.errors[0]["message"]
    send_event(server, unnamed, merchant.stripe_webhook_secret)
    send_event(server, unnamed, merchant.stripe_webhook_secret, address=address, path=f"{PATH}/{merchant.id}")
    send_event(server, named, merchant.stripe_webhook_secret, address=address)
    assert merchant.payment(pending["id"])["status"] == "completed"


# Secrets come and go

def put_stripe(merchant, **stripe_fields):
    merchant.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {
        "secret_key": merchant.stripe_key} | stripe_fields}, expect=200)


def test_a_replaced_secret_is_refused_and_the_new_one_accepted(server, merchant, pending):
    said = event("payment_intent.succeeded", intent_of(pending))
    new = random_secret("whsec_")
    put_stripe(merchant, webhook_secret=new)
    send_event(server, said, merchant.stripe_webhook_secret, expect=400)
    send_event(server, said, new)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_a_new_key_alone_keeps_the_signing_secret(server, merchant, pending):
    put_stripe(merchant, secret_key=random_secret("sk_test_"))
    send_event(server, event("payment_intent.succeeded", intent_of(pending)), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_a_removed_secret_is_refused(server, merchant, pending):
    put_stripe(merchant, webhook_secret=None)
    said = event("payment_intent.succeeded", intent_of(pending))
    send_event(server, said, merchant.stripe_webhook_secret, expect=400)
    send_event(server, said, "", expect=400)
    assert merchant.payment(pending["id"]) == pending


def test_deleted_credentials_still_let_their_open_payments_end(server, merchant, pending):
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    send_event(server, event("payment_intent.succeeded", intent_of(pending)), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_deleted_credentials_change_nothing_that_is_final(server, merchant, pending):
    final = merchant.pay()
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    send_event(server, event("payment_intent.canceled", intent_of(pending, "canceled")), merchant.stripe_webhook_secret)
    send_event(server, event("payment_intent.succeeded", intent_of(pending)), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"])["status"] == "failed"  # which was final
    send_event(server, event("charge.dispute.created", {
        "id": stripe_id("dp_"), "object": "dispute", "amount": 1000, "currency": "usd", "reason": "fraudulent",
        "payment_intent": final["provider_ref"], "status": "needs_response"}), merchant.stripe_webhook_secret)
    assert "disputed" not in str(history(server, final))


def test_the_secret_of_deleted_credentials_is_refused_after_30_days(server, merchant, pending):
    merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
    said = event("payment_intent.succeeded", intent_of(pending))
    age_credentials(server, merchant, 31)
    send_event(server, said, merchant.stripe_webhook_secret, expect=400)
    send_event(server, said, merchant.stripe_webhook_secret, path=f"{PATH}/{merchant.id}", expect=400)
    assert merchant.payment(pending["id"])["status"] == "pending"


# Modes

def test_an_event_of_the_other_mode_changes_nothing(server, merchant, pending):
    for intent in (intent_of(pending, livemode=True), intent_of(pending, livemode=True, id=stripe_id("pi_"))):
        send_event(server, event("payment_intent.succeeded", intent), merchant.stripe_webhook_secret)
    assert merchant.payment(pending["id"]) == pending and stored_events(server, merchant) == []


def test_each_mode_has_its_own_secret(server, merchant, pending):
    test_secret = merchant.stripe_webhook_secret
    merchant.use_stripe("live")
    live = merchant.pay(payment_method="pm_card_authenticationRequired")
    assert live["livemode"] and not pending["livemode"]
    said = event("payment_intent.succeeded", intent_of(live))
    send_event(server, said, test_secret)
    assert merchant.payment(live["id"]) == live
    send_event(server, said, merchant.stripe_webhook_secret)
    assert merchant.payment(live["id"])["status"] == "completed"
    send_event(server, event("payment_intent.succeeded", intent_of(pending)), test_secret)
    assert merchant.payment(pending["id"])["status"] == "completed"


def test_one_secret_for_both_modes_works_in_both(server, merchant, pending):
    put_stripe(merchant, secret_key=random_secret("sk_live_"), webhook_secret=merchant.stripe_webhook_secret)
    live = merchant.pay(payment_method="pm_card_authenticationRequired")
    for payment in (pending, live):
        send_event(server, event("payment_intent.succeeded", intent_of(payment)), merchant.stripe_webhook_secret)
        assert merchant.payment(payment["id"])["status"] == "completed"
