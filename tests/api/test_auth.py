"""Authentication and authorisation: keys, scopes, the limit on bad keys, and admins who act for a merchant. The service
here trusts the loopback as a proxy, so each test can come from addresses of its own."""
import base64
import uuid

import pytest

from auth_fixture import FAILURES_ALLOWED, addresses, ask, fail, made_up_key, new_address
from support.database import nobody_writes, open_database
from support.merchant import ALL_SCOPES, Merchant
from support.raw import Raw
from support.server import Server
from support.shape import refused, succeeded
from support.waiting import wait_until


@pytest.fixture(scope="module")
def guarded(binary, nghttpx):
    server = Server(binary, **nghttpx.settings, trusted_proxies="127.0.0.1,10.0.0.0/8")
    yield server
    server.close()


@pytest.fixture(scope="module")
def known(guarded):
    """A merchant that the tests here share; what changes one makes its own."""
    return Merchant.with_stripe(guarded)


@pytest.fixture(scope="module")
def admin(guarded):
    """The admin's key."""
    return guarded.command_json("createsuperadmin", "--name", "root")["key"]


# Keys

def test_a_key_goes_in_either_header(guarded, known):
    key = known.key["key"]
    succeeded(ask(guarded, key))
    succeeded(ask(guarded, Authorization=f"Bearer {key}"))
    succeeded(ask(guarded, Authorization=f"bearer {key}"))
    succeeded(ask(guarded, key, Authorization="Basic YTpi"))


@pytest.mark.parametrize("make", [
    lambda key: {}, lambda key: {"X-API-Key": ""}, lambda key: {"X-API-Key": "sk_live_your_key"},
    lambda key: {"X-API-Key": key[:-1]}, lambda key: {"X-API-Key": key + "0"},
    lambda key: {"X-API-Key": key.swapcase()},
    lambda key: {"X-API-Key": key.replace("live", "test")}, lambda key: {"X-API-Key": f"Bearer {key}"},
    lambda key: {"X-API-Key": f'"{key}"'}, lambda key: {"X-API-Key": "k" * 4000},
    lambda key: {"X-API-Key": key[:9] + ("0" if key[9] != "0" else "1") + key[10:]},
    lambda key: {"X-API-Key": made_up_key()}, lambda key: {"X-API-Key": made_up_key("test")},
    lambda key: {"Authorization": key}, lambda key: {"Authorization": "Bearer"},
    lambda key: {"Authorization": "Bearer "},
    lambda key: {"Authorization": f"Token {key}"},
    lambda key: {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()},
    lambda key: {"X-API-Key": made_up_key(), "Authorization": f"Bearer {key}"},
    lambda key: {"X-Api-Key2": key}, lambda key: {"Cookie": f"X-API-Key={key}"},
], ids=["none", "empty", "placeholder", "cut", "longer", "other case", "other mode", "with Bearer", "quoted", "long",
        "mistyped", "made up", "made up test key", "without Bearer", "Bearer alone", "Bearer and nothing", "Token",
        "Basic",
        "bad key before a good one", "other header", "cookie"])
def test_an_invalid_key_is_refused(guarded, known, make):
    headers = {name.replace("-", "_"): value for name, value in make(known.key["key"]).items()}
    refused(ask(guarded, **headers), 401, "AUTH_INVALID_KEY")


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization", "X-Merchant-Id"])
@pytest.mark.parametrize("same", [True, False])
def test_a_header_that_says_who_asks_may_come_only_once(guarded, known, admin, name, same):
    key = admin if name == "X-Merchant-Id" else known.key["key"]
    value, other = {"X-API-Key": (key, made_up_key()), "X-Merchant-Id": (known.id, str(uuid.uuid4())),
                    "Authorization": (f"Bearer {key}", "Basic YTpi")}[name]
    lines = [f"{name}: {value}", f"{name.lower()}: {value if same else other}"]
    if name != "X-API-Key":
        lines.append(f"X-API-Key: {key}")
    for order in (lines, lines[::-1]):
        with Raw(guarded) as raw:
            raw.send("\r\n".join(["GET /v1/payments HTTP/1.1", "Host: a", *order, "", ""]).encode())
            answer = raw.answer()
            assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"]) and name in answer.json["errors"][0]["message"]


def test_a_key_in_the_query_is_no_key(guarded, known):
    api = guarded.api(None, X_Forwarded_For=new_address())
    refused(api.get("/v1/payments?x=1"), 401, "AUTH_INVALID_KEY")


@pytest.mark.parametrize("key", [None, "sk_live_your_key", made_up_key()[:-1] + "!"])
def test_text_that_cannot_be_a_key_never_reaches_the_database(guarded, key):
    with nobody_writes(guarded):
        api = guarded.api(key, X_Forwarded_For=new_address())
        refused(api.post("/v1/payments", "{"), 401, "AUTH_INVALID_KEY")
        refused(api.put("/v1/merchant/webhook", {"webhook_url": "https://hooks.shop.example/x"}), 401, "AUTH_INVALID_KEY")


def test_a_revoked_key_is_refused_at_once(guarded, known):
    key = known.create_key()
    succeeded(ask(guarded, key["key"]))
    guarded.command("revokeapikey", "--key", key["id"])
    refused(ask(guarded, key["key"]), 401, "AUTH_INVALID_KEY")
    succeeded(ask(guarded, known.key["key"]))


def test_a_key_is_refused_from_its_expiry_on(guarded, known):
    lasting = known.create_key(expires="1h")
    brief = known.create_key(expires="1s")
    address = new_address()
    refused(wait_until(lambda: (answer := ask(guarded, brief["key"], address)).status != 200 and answer), 401,
            "AUTH_INVALID_KEY")
    succeeded(ask(guarded, lasting["key"]))


def test_the_keys_of_an_inactive_merchant_stop_working_until_it_is_active_again(guarded):
    merchant = Merchant(guarded)
    key = merchant.key["key"]
    succeeded(ask(guarded, key))
    merchant.activate(False)
    refused(ask(guarded, key), 401, "AUTH_INVALID_KEY")
    merchant.activate(True)
    succeeded(ask(guarded, key))


def test_an_admin_does_nothing_for_an_inactive_merchant(guarded, admin):
    merchant = Merchant(guarded)
    for_it = guarded.api(admin, X_Merchant_Id=merchant.id)
    for_it.get("/v1/payments", expect=200)
    merchant.activate(False)
    assert "not active" in for_it.get("/v1/payments", expect=403).errors[0]["message"]
    for_it.post("/v1/payments", {"amount": "10.00", "currency": "USD", "provider": "stripe",
                                 "payment_method": "pm_card_visa"}, idempotency_key="order-1", expect=403)
    merchant.activate(True)
    for_it.get("/v1/payments", expect=200)


# The order of checks

def test_the_key_is_checked_before_the_scope_and_the_scope_before_the_request(guarded, known):
    def send(key, body, idempotency_key=None):
        api = guarded.api(key, X_Forwarded_For=new_address())
        return api.post("/v1/payments?nonsense=1", body, idempotency_key=idempotency_key)
    refused(send(None, "{"), 401, "AUTH_INVALID_KEY")
    refused(send(made_up_key(), '{"card": "x"}'), 401, "AUTH_INVALID_KEY")
    reader = known.create_key("payments:read")["key"]
    for body in ("{", "[]", '{"card": "x"}', "{}", ""):
        refused(send(reader, body, "a b"), 403, "AUTH_INSUFFICIENT_SCOPE")
    refused(send(known.key["key"], "{", "k"), 400, "BAD_REQUEST")


# Scopes

ROUTES = [
    ("GET", "/v1/payments", {"payments:read"}),
    ("GET", f"/v1/payments/{uuid.uuid4()}", {"payments:read"}),
    ("POST", "/v1/payments", {"payments:write"}),
    ("POST", f"/v1/payments/{uuid.uuid4()}/capture", {"payments:write"}),
    ("POST", f"/v1/payments/{uuid.uuid4()}/cancel", {"payments:write"}),
    ("POST", f"/v1/payments/{uuid.uuid4()}/authenticate", {"payments:write"}),
    ("GET", f"/v1/payments/{uuid.uuid4()}/events", {"payments:read"}),
    ("GET", "/v1/events/inbound", {"webhooks:read"}),
    ("GET", "/v1/webhooks/logs", {"webhooks:read"}),
    ("POST", f"/v1/webhooks/logs/{uuid.uuid4()}/redeliver", {"merchant:write"}),
    ("GET", "/v1/audit/logs", {"audit:read"}),
    ("POST", "/v1/payments/cards", {"payments:write"}),
    ("GET", "/v1/payments/cards", {"payments:read"}),
    ("GET", f"/v1/payments/cards/{uuid.uuid4()}", {"payments:read"}),
    ("DELETE", f"/v1/payments/cards/{uuid.uuid4()}", {"payments:write"}),
    ("POST", f"/v1/payments/cards/{uuid.uuid4()}/default", {"payments:write"}),
    ("POST", "/v1/refunds", {"refunds:write", "payments:write"}),
    ("GET", "/v1/refunds", {"refunds:read", "payments:read"}),
    ("GET", f"/v1/refunds/{uuid.uuid4()}", {"refunds:read", "payments:read"}),
    ("GET", "/v1/customers", {"payments:read"}),
    ("GET", f"/v1/customers/{uuid.uuid4()}", {"payments:read"}),
    ("GET", "/v1/disputes", {"payments:read"}),
    ("GET", f"/v1/disputes/{uuid.uuid4()}", {"payments:read"}),
    ("GET", "/v1/merchant/me", {"merchant:read"}),
    ("GET", "/v1/merchant/providers", {"merchant:read"}),
    ("PUT", "/v1/merchant/providers", {"merchant:write"}),
    ("DELETE", "/v1/merchant/providers/none", {"merchant:write"}),
    ("PUT", "/v1/merchant/webhook", {"merchant:write"}),
    ("POST", "/v1/merchant/webhook/test", {"merchant:write"}),
]

# Of admins' keys.
ADMIN_ROUTES = [
    ("GET", "/v1/admin/api-keys", {"merchant:read"}),
    ("POST", "/v1/admin/api-keys", {"merchant:write"}),
    ("POST", f"/v1/admin/api-keys/{uuid.uuid4()}/revoke", {"merchant:write"}),
    ("GET", "/v1/admin/merchants", {"merchant:read"}),
    ("POST", "/v1/admin/merchants", {"merchant:write"}),
    ("PUT", f"/v1/admin/merchants/{uuid.uuid4()}", {"merchant:write"}),
]


@pytest.mark.parametrize("scope", ALL_SCOPES.split(","))
def test_a_scope_opens_its_own_routes_and_no_others(guarded, known, scope):
    opens(guarded.api(known.create_key(scope)["key"], X_Forwarded_For=new_address()), ROUTES, scope)
    admin = guarded.command_json("createsuperadmin", "--name", "root")["merchant_id"]
    key = guarded.command_json("createapikey", "--merchant", admin, "--scopes", scope)["key"]
    opens(guarded.api(key, X_Forwarded_For=new_address()), ADMIN_ROUTES, scope)


def opens(api, routes, scope):
    for method, path, opened_by in routes:
        answer = api.request(method, path, None if method in ("GET", "DELETE") else "{}", idempotency_key="k")
        if scope in opened_by:
            assert answer.status in (200, 201, 404, 409, 422), repr(answer)
        else:
            refused(answer, 403, "AUTH_INSUFFICIENT_SCOPE")
            assert any(name in answer.errors[0]["message"] for name in opened_by), "the message names the scope"


def test_every_route_that_needs_a_scope_is_asked_for_it(openapi):
    asked = {openapi.operation(method, path).id for method, path, _ in ROUTES + ADMIN_ROUTES}
    left_out = {operation.id for operation in openapi.operations if operation.said["security"]} - asked
    assert not left_out


def test_some_routes_need_no_key(guarded):
    api = guarded.api(None)
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert api.get(path).status == 200
    refused(api.post("/v1/webhooks/stripe", "{}"), 400, "SIGNATURE_INVALID")


# Too many bad keys

def test_after_ten_failures_an_address_is_refused_but_a_valid_key_passes(guarded, known):
    address = new_address()
    for _ in range(FAILURES_ALLOWED):
        refused(fail(guarded, address), 401, "AUTH_INVALID_KEY")
    limited = refused(fail(guarded, address), 429, "AUTH_RATE_LIMITED")
    assert 0 < int(limited.headers["Retry-After"]) <= 301
    succeeded(ask(guarded, known.key["key"], address))
    refused(fail(guarded, address), 429, "AUTH_RATE_LIMITED")
    refused(ask(guarded, None, address), 429, "AUTH_RATE_LIMITED")
    refused(fail(guarded, new_address()), 401, "AUTH_INVALID_KEY")


def test_a_lacking_scope_is_no_failure_of_the_key(guarded, known):
    address, key = new_address(), known.create_key("audit:read")["key"]
    for _ in range(FAILURES_ALLOWED + 2):
        refused(ask(guarded, key, address), 403, "AUTH_INSUFFICIENT_SCOPE")


@pytest.mark.parametrize("make", [
    lambda client: f"{new_address()}, {client}", lambda client: f"{client}, 127.0.0.1",
    lambda client: f"{client},10.1.2.3, 127.0.0.1",
    lambda client: f"unknown, {client}", lambda client: f"  {client}  ",
    lambda client: f"{new_address()},{new_address()},{client},10.9.9.9",
    lambda client: f"{client}:51234", lambda client: f"{new_address()}:1, {client}:443, 10.9.9.9:8080",
], ids=["spoofed first", "a trusted hop after it", "two trusted hops after it", "garbage first", "spaces", "all", "a port",
        "ports everywhere"])
def test_the_last_hop_that_is_not_trusted_is_the_client(guarded, make):
    client = new_address()
    for _ in range(FAILURES_ALLOWED):
        refused(fail(guarded, make(client)), 401, "AUTH_INVALID_KEY")
    refused(fail(guarded, make(client)), 429, "AUTH_RATE_LIMITED")
    refused(fail(guarded, client), 429, "AUTH_RATE_LIMITED")


def test_a_forwarded_for_header_of_the_clients_own_does_not_hide_it(guarded):
    """Some proxies add a header line of their own after the client's."""
    client = new_address()

    def send():
        with Raw(guarded) as raw:
            raw.send(f"GET /v1/payments HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {new_address()}\r\n"
                     f"X-API-Key: {made_up_key()}\r\nX-Forwarded-For: {client}\r\n\r\n".encode())
            return raw.answer()
    for _ in range(FAILURES_ALLOWED):
        refused(send(), 401, "AUTH_INVALID_KEY")
    refused(send(), 429, "AUTH_RATE_LIMITED")


def test_an_ipv6_subscriber_is_one_address(guarded):
    net = f"2001:db8:{next(addresses):x}:1"
    for number in range(FAILURES_ALLOWED):
        refused(fail(guarded, f"{net}::{number + 1:x}"), 401, "AUTH_INVALID_KEY")
    refused(fail(guarded, f"{net}:aaaa::1"), 429, "AUTH_RATE_LIMITED")
    refused(fail(guarded, f"{net[:-1]}2::1"), 401, "AUTH_INVALID_KEY")


def test_an_ipv6_address_with_brackets_and_a_port_is_the_client(guarded):
    client = f"2001:db8:{next(addresses):x}:1::7"
    for number in range(FAILURES_ALLOWED):
        refused(fail(guarded, f"[{client}]:{40000 + number}"), 401, "AUTH_INVALID_KEY")
    refused(fail(guarded, f"[{client}]"), 429, "AUTH_RATE_LIMITED")
    refused(fail(guarded, client), 429, "AUTH_RATE_LIMITED")


def test_without_a_trusted_proxy_the_header_means_nothing(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    for _ in range(FAILURES_ALLOWED):
        refused(fail(server, new_address()), 401, "AUTH_INVALID_KEY")
    refused(fail(server, new_address()), 429, "AUTH_RATE_LIMITED")


# Admins

def test_an_admin_acts_for_the_merchant_it_names(guarded, known, admin):
    api = guarded.api(admin, X_Merchant_Id=known.id, X_Forwarded_For=new_address())
    assert succeeded(api.get("/v1/merchant/me"))["id"] == known.id
    payment = known.pay(api=api)
    assert payment["merchant_id"] == known.id
    assert succeeded(api.get(f"/v1/payments/{payment['id']}")) == payment
    assert payment in succeeded(known.api.get("/v1/payments"))


def test_an_admin_sees_nothing_of_another_merchant(guarded, known, admin):
    other = Merchant(guarded)
    payment = known.pay()
    refused(guarded.api(admin, X_Merchant_Id=other.id).get(f"/v1/payments/{payment['id']}"), 404, "NOT_FOUND")


def test_an_admin_must_name_a_merchant(guarded, admin):
    refused(ask(guarded, admin), 400, "BAD_REQUEST")


@pytest.mark.parametrize("name", ["0198f2b4-5c1e-7a3b-9d2f-1c8e4b7a6d50", "x", "",
                                  "00000000-0000-0000-0000-000000000000"])
def test_a_merchant_that_is_not_there_is_not_found(guarded, admin, name):
    refused(ask(guarded, admin, X_Merchant_Id=name), 404, "NOT_FOUND")


def test_nobody_else_may_name_a_merchant(guarded, known):
    other = Merchant(guarded)
    for name in (known.id, other.id, "x"):
        refused(ask(guarded, known.key["key"], X_Merchant_Id=name), 403, "AUTH_INSUFFICIENT_SCOPE")
