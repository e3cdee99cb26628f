"""A merchant's settings: Stripe credentials, which are only ever shown masked, and the URL for its events, with the secret
that signs them."""
import base64
import os
import re
import uuid

import pytest

from stub_fixture import CHARGE, pay_in_vain
from support.database import rows_of
from support.events import event, intent_of, send_event
from support.merchant import Merchant, random_secret
from support.server import Server
from support.shape import TIME, UUID7, assert_shape, refused, succeeded
from support.stripe_model import AUTHENTICATE
from support.stub import executed

PROVIDERS = "/v1/merchant/providers"
WEBHOOK = "/v1/merchant/webhook"
URL = "https://merchant.com/webhooks/payments"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
PAYMENT = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}


@pytest.fixture
def bare(server):
    """A merchant that has set nothing."""
    return Merchant(server)


def credentials(key, **more):
    return {"provider": "stripe", "stripe": {"secret_key": key} | more}


def audited(merchant):
    """The types of this merchant's entries, without those of its making."""
    found = rows_of(merchant.server, "SELECT event_type, severity, actor_ip, key_prefix FROM audit_log WHERE merchant_id = ? "
                    "ORDER BY seq", uuid.UUID(merchant.id).bytes)
    made = [row for row in found if not row[0].startswith(("merchant.", "key.", "auth."))]
    assert {row[1:] for row in made} <= {("info", "127.0.0.1", merchant.key["key"][:12])}
    return [row[0] for row in made]


# Who it is

def test_a_merchant_reads_itself(bare):
    assert_shape(succeeded(bare.api.get("/v1/merchant/me")), {
        "id": bare.id, "name": bare.name, "role": "merchant", "webhook_url": None, "has_webhook_secret": False,
        "is_active": True, "providers": []})
    bare.use_stripe()
    bare.use_webhook(URL)
    me = succeeded(bare.api.get("/v1/merchant/me"))
    assert (me["webhook_url"], me["has_webhook_secret"]) == (URL, True)
    assert me["providers"] == succeeded(bare.api.get(PROVIDERS))


# Credentials

def test_credentials_are_shown_masked(bare):
    key, secret = random_secret("sk_test_"), random_secret("whsec_")
    put = bare.api.put(PROVIDERS, credentials(key, webhook_secret=secret))
    assert_shape(succeeded(put), {
        "id": UUID7, "provider": "stripe", "livemode": False, "is_active": True,
        "config_summary": {"secret_key": "****" + key[-4:], "webhook_secret": "****" + secret[-4:]},
        "refused_events": None, "created_at": TIME, "updated_at": TIME})
    listed = bare.api.get(PROVIDERS)
    assert succeeded(listed) == [put.data]
    for answer in (put, listed, bare.api.get("/v1/merchant/me")):
        assert key not in answer.body.decode() and secret not in answer.body.decode()
    assert audited(bare) == ["provider.updated"]


def summary(merchant, **more):
    return succeeded(merchant.api.put(PROVIDERS, credentials("sk_test_0123456789abcdef", **more)))["config_summary"]


def test_a_webhook_secret_stays_when_absent_and_goes_when_null(bare):
    assert summary(bare)["webhook_secret"] is None
    assert summary(bare, webhook_secret="whsec_the_very_first")["webhook_secret"] == "****irst"
    assert summary(bare)["webhook_secret"] == "****irst"
    assert summary(bare, webhook_secret="whsec_the_second")["webhook_secret"] == "****cond"
    assert summary(bare, webhook_secret=None)["webhook_secret"] is None
    assert summary(bare)["webhook_secret"] is None


def test_white_space_that_was_pasted_along_is_no_part_of_a_secret(bare):
    put = bare.api.put(PROVIDERS, credentials(" sk_test_0123456789abcdef\n", webhook_secret="\twhsec_0123456789\r\n"))
    assert succeeded(put)["config_summary"] == {"secret_key": "****cdef", "webhook_secret": "****6789"}
    for field, secret in (("secret_key", "sk_test_0123\n4567"), ("webhook_secret", "whsec_0123 4567"),
                          ("webhook_secret", " \n")):
        body = credentials("sk_test_0123456789abcdef")
        body["stripe"][field] = secret
        refused(bare.api.put(PROVIDERS, body), 422, "VALIDATION_ERROR", f"stripe.{field}")


def test_setting_credentials_again_keeps_their_id(bare):
    first = succeeded(bare.api.put(PROVIDERS, credentials("sk_test_first")))
    second = succeeded(bare.api.put(PROVIDERS, credentials("rk_test_second")))
    assert (second["id"], second["created_at"]) == (first["id"], first["created_at"])
    assert second["updated_at"] >= first["updated_at"]
    assert second["config_summary"]["secret_key"] == "****cond"
    assert succeeded(bare.api.get(PROVIDERS)) == [second]


def test_each_mode_has_credentials_of_its_own(bare):
    test = succeeded(bare.api.put(PROVIDERS, credentials("sk_test_aaaa", webhook_secret="whsec_test")))
    live = succeeded(bare.api.put(PROVIDERS, credentials("rk_live_bbbb")))
    assert (test["livemode"], live["livemode"]) == (False, True) and test["id"] != live["id"]
    assert live["config_summary"] == {"secret_key": "****bbbb", "webhook_secret": None}
    assert sorted(item["id"] for item in succeeded(bare.api.get(PROVIDERS))) == sorted([test["id"], live["id"]])


def test_a_test_key_neither_sees_nor_sets_nor_deletes_live_credentials(bare):
    bare.use_stripe("live")
    api = bare.client(mode="test")
    assert succeeded(api.get(PROVIDERS)) == []
    assert succeeded(api.get("/v1/merchant/me"))["providers"] == []
    refused(api.put(PROVIDERS, credentials("sk_live_0123")), 422, "VALIDATION_ERROR", "stripe.secret_key")
    refused(api.delete(f"{PROVIDERS}/stripe"), 404, "NOT_FOUND")
    bare.use_stripe("test")
    api.delete(f"{PROVIDERS}/stripe", expect=200)
    active = {item["livemode"]: item["is_active"] for item in succeeded(bare.api.get(PROVIDERS))}
    assert active == {True: True, False: False}
    assert bare.pay()["livemode"] is True


def test_merchants_do_not_see_each_others_credentials(server, bare):
    other = Merchant.with_stripe(server)
    assert succeeded(bare.api.get(PROVIDERS)) == []
    refused(bare.api.delete(f"{PROVIDERS}/stripe"), 404, "NOT_FOUND")
    assert other.pay()["status"] == "completed"


def test_deleting_credentials_stops_new_payments_and_setting_them_starts_again(bare):
    bare.use_stripe()
    deleted = bare.api.delete(f"{PROVIDERS}/stripe")
    assert deleted.status == 200 and deleted.json == {"success": True}
    assert [item["is_active"] for item in succeeded(bare.api.get(PROVIDERS))] == [False]
    refused(bare.api.post("/v1/payments", PAYMENT, idempotency_key="k"), 422, "PROVIDER_NOT_CONFIGURED")
    refused(bare.api.delete(f"{PROVIDERS}/stripe"), 404, "NOT_FOUND")
    bare.use_stripe()
    assert [item["is_active"] for item in succeeded(bare.api.get(PROVIDERS))] == [True]
    assert bare.pay(idempotency_key="k")["status"] == "completed"
    assert audited(bare) == ["provider.updated", "provider.deleted", "provider.updated"]


@pytest.mark.parametrize("name", ["paypal", "Stripe", "x", "%2e%2e"])
def test_an_unknown_provider_is_not_found(bare, name):
    bare.use_stripe()
    refused(bare.api.delete(f"{PROVIDERS}/{name}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("body, fields", [
    ({}, {"provider", "stripe"}), ({"provider": "stripe"}, {"stripe"}),
    ({"stripe": {"secret_key": "sk_test_1"}}, {"provider"}),
    ({"provider": "paypal", "stripe": {"secret_key": "sk_test_1"}}, {"provider"}),
    ({"provider": "stripe", "stripe": None}, {"stripe"}), ({"provider": "stripe", "stripe": "sk_test_1"}, {"stripe"}),
    ({"provider": "stripe", "stripe": []}, {"stripe"}), ({"provider": "stripe", "stripe": {}}, {"stripe.secret_key"}),
    (credentials("sk_test_1", publishable_key="pk_1"), {"stripe.publishable_key"}),
    (credentials("sk_test_1") | {"livemode": True}, {"livemode"}),
    (credentials(None), {"stripe.secret_key"}), (credentials(""), {"stripe.secret_key"}),
    (credentials(1), {"stripe.secret_key"}),
    (credentials("pk_test_1"), {"stripe.secret_key"}), (credentials("sk_test_"), {"stripe.secret_key"}),
    (credentials("sk_prod_1"), {"stripe.secret_key"}), (credentials("SK_TEST_1"), {"stripe.secret_key"}),
    (credentials("sk_test_a b"), {"stripe.secret_key"}), (credentials("sk_test_a\nb"), {"stripe.secret_key"}),
    (credentials("sk_test_é"), {"stripe.secret_key"}), (credentials("sk_test_" + "a" * 300), {"stripe.secret_key"}),
    (credentials("sk_test_1", webhook_secret=""), {"stripe.webhook_secret"}),
    (credentials("sk_test_1", webhook_secret="secret"), {"stripe.webhook_secret"}),
    (credentials("sk_test_1", webhook_secret="whsec_"), {"stripe.webhook_secret"}),
    (credentials("sk_test_1", webhook_secret=7), {"stripe.webhook_secret"}),
])
def test_invalid_credentials_are_refused_and_named(bare, body, fields):
    refused(bare.api.put(PROVIDERS, body), 422, "VALIDATION_ERROR", *fields)
    assert succeeded(bare.api.get(PROVIDERS)) == [] and audited(bare) == []


def test_a_refused_change_leaves_the_credentials_as_they_were(bare):
    before = bare.use_stripe()
    refused(bare.api.put(PROVIDERS, credentials("pk_test_1")), 422, "VALIDATION_ERROR", "stripe.secret_key")
    assert succeeded(bare.api.get(PROVIDERS)) == [before]


# The webhook URL

def put_url(merchant, url=URL, **more):
    return merchant.api.put(WEBHOOK, {"webhook_url": url} | more)


def test_the_secret_is_shown_when_it_is_new_and_never_again(bare):
    first = succeeded(put_url(bare))
    assert_shape(first, {"webhook_url": URL, "webhook_secret": SECRET})
    assert len(base64.b64decode(first["webhook_secret"].removeprefix("whsec_"), validate=True)) == 32
    assert succeeded(put_url(bare)) == {"webhook_url": URL, "webhook_secret": None}
    assert succeeded(put_url(bare, rotate_secret=False)) == {"webhook_url": URL, "webhook_secret": None}
    me = bare.api.get("/v1/merchant/me")
    assert first["webhook_secret"].encode() not in me.body and me.data["has_webhook_secret"] is True


def test_a_changed_url_or_a_rotation_makes_a_new_secret(bare):
    secrets = [succeeded(answer)["webhook_secret"] for answer in (
        put_url(bare), put_url(bare, "https://merchant.com/other"),
        put_url(bare, "https://merchant.com/other", rotate_secret=True),
        put_url(bare), put_url(bare, rotate_secret=True))]
    assert all(SECRET.fullmatch(secret) for secret in secrets) and len(set(secrets)) == 5
    assert audited(bare) == ["webhook.url_updated"] * 5


@pytest.mark.parametrize("body, fields", [
    ({}, {"webhook_url"}), ({"webhook_url": None}, {"webhook_url"}), ({"webhook_url": ""}, {"webhook_url"}),
    ({"webhook_url": 7}, {"webhook_url"}), ({"webhook_url": [URL]}, {"webhook_url"}),
    ({"webhook_url": "merchant.com"}, {"webhook_url"}),
    ({"webhook_url": "ftp://merchant.com/"}, {"webhook_url"}), ({"webhook_url": "https://"}, {"webhook_url"}),
    ({"webhook_url": "https:///path"}, {"webhook_url"}),
    ({"webhook_url": "https://user:pass@merchant.com/"}, {"webhook_url"}),
    ({"webhook_url": "https://merchant.com/a b"}, {"webhook_url"}),
    ({"webhook_url": "https://merchant.com/\n"}, {"webhook_url"}),
    ({"webhook_url": "https://merchant.com:0/"}, {"webhook_url"}),
    ({"webhook_url": "https://merchant.com:99999/"}, {"webhook_url"}),
    ({"webhook_url": "https://merchant.com/" + "a" * 2100}, {"webhook_url"}),
    ({"webhook_url": "javascript:alert(1)"}, {"webhook_url"}),
    ({"webhook_url": "file:///etc/passwd"}, {"webhook_url"}),
    ({"webhook_url": URL, "rotate_secret": "yes"}, {"rotate_secret"}),
    ({"webhook_url": URL, "rotate_secret": None}, {"rotate_secret"}),
    ({"webhook_url": URL, "rotate_secret": 1}, {"rotate_secret"}),
    ({"webhook_url": URL, "secret": "x"}, {"secret"}), ({"url": URL}, {"url", "webhook_url"}),
])
def test_an_invalid_url_is_refused_and_named(bare, body, fields):
    refused(bare.api.put(WEBHOOK, body), 422, "VALIDATION_ERROR", *fields)
    assert succeeded(bare.api.get("/v1/merchant/me"))["webhook_url"] is None and audited(bare) == []


@pytest.fixture(scope="module")
def strict(binary, nghttpx):
    """A merchant of a service whose operator allows one private network and no plain HTTP."""
    server = Server(binary, **nghttpx.settings, webhook_allow="10.1.0.0/16")
    yield Merchant(server)
    server.close()


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "LOCALHOST", "0.0.0.0", "10.0.0.1",
    "10.2.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fc00::1]", "[fd12::1]", "[fe80::1]", "[ff02::1]",
    "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[2001:db8::1]",
    "[0:0:0:0:0:ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2001:0:808:808::1]",
    "[5f00::1]", "[100::1]", "localhost.", "127.0.0.1.", "0177.1", "0x7f.0.0.1", "017700000001", "0"])
def test_a_private_or_special_address_is_refused(strict, host):
    refused(strict.api.put(WEBHOOK, {"webhook_url": f"https://{host}/hook"}), 422, "VALIDATION_ERROR", "webhook_url")


@pytest.mark.parametrize("url", ["https://10.1.2.3/hook", "https://93.184.216.34:8443/hook?a=1",
                                 "https://[2606:4700::1111]/",
                                 "https://no-such-name.invalid/hook"])
def test_an_address_that_is_allowed_or_public_or_not_known_yet_is_taken(strict, url):
    assert succeeded(put_url(strict, url))["webhook_url"] == url


def test_plain_http_is_for_the_operator_to_allow(strict, bare):
    refused(put_url(strict, "http://93.184.216.34/hook"), 422, "VALIDATION_ERROR", "webhook_url")
    assert succeeded(put_url(bare, "http://127.0.0.1:9/hook"))["webhook_url"] == "http://127.0.0.1:9/hook"


def test_a_name_is_looked_up_only_for_whoever_may_set_it(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant(server)
    threads = f"/proc/{server.process.pid}/task"  # looking up takes threads, which are made for the first of them
    before = len(os.listdir(threads))
    revoked = merchant.create_key()
    server.command("revokeapikey", "--key", revoked["id"])
    refused(server.api(revoked["key"]).put(WEBHOOK, {"webhook_url": URL}), 401, "AUTH_INVALID_KEY")
    refused(merchant.client("merchant:read").put(WEBHOOK, {"webhook_url": URL}), 403, "AUTH_INSUFFICIENT_SCOPE")
    assert len(os.listdir(threads)) == before
    succeeded(put_url(merchant, "https://93.184.216.34/hook"))
    assert len(os.listdir(threads)) > before


def test_a_test_key_sets_the_webhook_only_while_there_are_no_live_credentials(bare):
    test_api = bare.client(mode="test")
    bare.use_stripe("test")
    assert succeeded(test_api.put(WEBHOOK, {"webhook_url": URL}))["webhook_secret"]
    bare.use_stripe("live")
    for body in ({"webhook_url": "https://93.184.216.34/"}, {"webhook_url": URL, "rotate_secret": True}):
        refused(test_api.put(WEBHOOK, body), 403, "AUTH_INSUFFICIENT_SCOPE")
    bare.api.delete(PROVIDERS + "/stripe", expect=200)  # its open live payments go on
    refused(test_api.put(WEBHOOK, {"webhook_url": URL}), 403, "AUTH_INSUFFICIENT_SCOPE")
    assert succeeded(bare.api.get("/v1/merchant/me"))["webhook_url"] == URL
    assert succeeded(put_url(bare, rotate_secret=True))["webhook_secret"]


# Being active

def test_a_deactivated_merchants_recovery_inbound_events_and_deliveries_go_on(impatient_shop, stub_stripe, receiver):
    impatient_shop.use_webhook(receiver.url)
    to_act = impatient_shop.pay(payment_method=AUTHENTICATE)
    stub_stripe.answer_always(*CHARGE, executed(cut_after=0))
    unknown = pay_in_vain(impatient_shop).data
    impatient_shop.activate(False)
    stub_stripe.behave()
    send_event(impatient_shop.server, event("payment_intent.succeeded", intent_of(to_act)), impatient_shop.stripe_webhook_secret)
    for payment in (unknown, to_act):
        told = receiver.wait_for(lambda delivery, payment=payment: delivery.json["data"]["payment_id"] == payment["id"])
        assert told.json["type"] == "payment.completed"
    refused(impatient_shop.api.get(f"/v1/payments/{to_act['id']}"), 401, "AUTH_INVALID_KEY")
