"""What an admin does over HTTP: API keys and merchants."""
import uuid

import pytest

from auth_fixture import new_address
from support.merchant import ALL_SCOPES, Merchant
from support.shape import TIME, UUID7, Either, assert_shape, refused, succeeded

KEYS, MERCHANTS = "/v1/admin/api-keys", "/v1/admin/merchants"
KEY = {"id": UUID7, "merchant_id": UUID7, "prefix": str, "name": Either(str, None), "scopes": list, "livemode": bool, "state": str,
       "expires_at": Either(TIME, None), "revoked_at": Either(TIME, None), "last_used_at": Either(TIME, None), "created_at": TIME}
MERCHANT = {"id": UUID7, "name": str, "role": str, "is_active": bool, "webhook_url": Either(str, None), "created_at": TIME,
            "updated_at": TIME}


class Admin:
    """An admin, and clients with its keys; `api` has every scope, in the live mode."""

    def __init__(self, server):
        self.server = server
        self.name = f"admin-{uuid.uuid4()}"
        self.key = server.command_json("createsuperadmin", "--name", self.name)
        self.id = self.key["merchant_id"]
        self.api = server.api(self.key["key"])

    def client(self, scopes=ALL_SCOPES, mode="live"):
        return self.server.api(self.server.command_json("createapikey", "--merchant", self.id, "--scopes", scopes, "--mode", mode)["key"])

    def create_key(self, merchant_id, *, expect=201, api=None, idempotency_key=None, **fields):
        body = {"merchant_id": merchant_id, "scopes": ["payments:read"], "livemode": True} | fields
        return (api or self.api).post(KEYS, body, idempotency_key=idempotency_key, expect=expect)

    def create_merchant(self, **fields):
        return self.api.post(MERCHANTS, {"name": f"shop-{uuid.uuid4()}"} | fields, expect=201).data

    def keys(self, api=None, **query):
        return (api or self.api).get(KEYS, query=query, expect=200).data

    def logged(self, event_type, merchant_id):
        return self.api.get("/v1/audit/logs", query={"event_type": event_type, "merchant_id": merchant_id}, expect=200).data


def elsewhere(server, key):
    """A client at an address of its own: one that fails too often is refused, for other tests too."""
    return server.api(key, X_Forwarded_For=new_address())


@pytest.fixture(scope="module")
def admin(server):
    return Admin(server)


@pytest.fixture
def shop(admin):
    return admin.create_merchant()


# Who may

def test_only_an_admins_key_may(server, admin, shop):
    merchant = Merchant(server)
    calls = [("GET", KEYS, None), ("GET", MERCHANTS, None), ("POST", KEYS, {"merchant_id": merchant.id, "scopes": ["audit:read"], "livemode": True}),
             ("POST", f"{KEYS}/{merchant.key['id']}/revoke", None), ("POST", MERCHANTS, {"name": "mine"}),
             ("PUT", f"{MERCHANTS}/{shop['id']}", {"is_active": False})]
    for method, path, body in calls:
        refused(merchant.api.request(method, path, body), 403, "AUTH_INSUFFICIENT_SCOPE")
        refused(elsewhere(server, None).request(method, path, body), 401, "AUTH_INVALID_KEY")
        refused(server.api(admin.key["key"], X_Merchant_Id=shop["id"]).request(method, path, body), 400, "BAD_REQUEST")
        lacking = admin.client("merchant:read" if method != "GET" else "merchant:write")
        refused(lacking.request(method, path, body), 403, "AUTH_INSUFFICIENT_SCOPE")
    succeeded(admin.client("merchant:read").get(KEYS))


# Keys

def test_a_new_key_is_shown_once_and_works(server, admin, shop):
    made = admin.create_key(shop["id"], name="tills", expires_at="2099-01-01", scopes=["payments:read", "payments:read", "merchant:read"]).data
    key = made.pop("key")
    assert_shape(made, KEY)
    assert made | {"id": 0, "created_at": 0} == {
        "id": 0, "merchant_id": shop["id"], "prefix": key[:12], "name": "tills", "scopes": ["payments:read", "merchant:read"],
        "livemode": True, "state": "active", "expires_at": "2099-01-01T00:00:00Z", "revoked_at": None, "last_used_at": None,
        "created_at": 0}
    assert server.api(key).get("/v1/merchant/me", expect=200).data["id"] == shop["id"]
    assert admin.keys(merchant_id=shop["id"]) == [made]
    listed, = server.command_json("listapikeys", "--merchant", shop["id"])
    assert (listed["id"], listed["prefix"], listed["expires_at"]) == (made["id"], made["prefix"], made["expires_at"])


def test_a_repeat_makes_no_second_key_and_does_not_show_the_first(admin, shop):
    once = {"idempotency_key": str(uuid.uuid4()), "expires_at": "2099-01-01T00:00:00Z"}
    first, again = (admin.create_key(shop["id"], **once) for _ in range(2))
    assert not first.replayed and again.replayed and again.data == first.data | {"key": None}
    assert len(admin.keys(merchant_id=shop["id"])) == 1
    refused(admin.create_key(shop["id"], **once | {"livemode": False}, expect=422), 422, "IDEMPOTENCY_KEY_REUSED")
    other = Admin(admin.server)  # has keys of its own
    assert not other.create_key(shop["id"], **once).replayed


def test_a_key_gives_no_more_than_it_has(admin, shop):
    few = admin.client("merchant:write,payments:read")
    refused(admin.create_key(shop["id"], api=few, scopes=["payments:read", "audit:read"], expect=403), 403, "AUTH_INSUFFICIENT_SCOPE")
    admin.create_key(shop["id"], api=few)
    test = admin.client(mode="test")
    refused(admin.create_key(shop["id"], api=test, expect=403), 403, "AUTH_INSUFFICIENT_SCOPE")
    assert admin.create_key(shop["id"], api=test, livemode=False).data["key"].startswith("sk_test_")


@pytest.mark.parametrize("fields, wrong", [
    ({"scopes": None}, {"scopes"}), ({"scopes": []}, {"scopes"}), ({"scopes": "payments:read"}, {"scopes"}),
    ({"scopes": ["payments:read", "payments:all"]}, {"scopes"}), ({"scopes": ["payments:read,audit:read"]}, {"scopes"}),
    ({"scopes": [7]}, {"scopes"}), ({"livemode": None}, {"livemode"}), ({"livemode": "true"}, {"livemode"}),
    ({"merchant_id": "shop"}, {"merchant_id"}), ({"merchant_id": None}, {"merchant_id"}), ({"name": ""}, {"name"}),
    ({"name": "x" * 101}, {"name"}), ({"name": "é" * 51}, {"name"}), ({"name": "a\nb"}, {"name"}),
    ({"expires_at": "90d"}, {"expires_at"}), ({"expires_at": "2020-01-01"}, {"expires_at"}), ({"mode": "live"}, {"mode"})])
def test_a_wrong_field_of_a_key_is_named(admin, shop, fields, wrong):
    refused(admin.create_key(**{"merchant_id": shop["id"]} | fields, expect=422), 422, "VALIDATION_ERROR", *wrong)
    assert admin.keys(merchant_id=shop["id"]) == []


def test_what_must_be_given_is_named_all_at_once(admin):
    refused(admin.api.post(KEYS, {}), 422, "VALIDATION_ERROR", "merchant_id", "scopes", "livemode")


def test_a_key_needs_a_merchant(admin):
    refused(admin.create_key(str(uuid.uuid4()), expect=404), 404, "NOT_FOUND")


def test_a_revoked_key_stops_at_once(server, admin, shop):
    made = admin.create_key(shop["id"]).data
    key = elsewhere(server, made.pop("key"))
    succeeded(key.get("/v1/payments"))
    revoked = admin.api.post(f"{KEYS}/{made['id']}/revoke", expect=200).data
    assert_shape(revoked, KEY | {"revoked_at": TIME})
    assert revoked == made | {"state": "revoked", "revoked_at": revoked["revoked_at"]}
    refused(key.get("/v1/payments"), 401, "AUTH_INVALID_KEY")
    assert admin.api.post(f"{KEYS}/{made['id']}/revoke", expect=200).data == revoked
    assert len(admin.logged("key.revoked", shop["id"])) == 1
    assert admin.keys(merchant_id=shop["id"], revoked="true") == [revoked]
    assert admin.keys(merchant_id=shop["id"], revoked="false") == []


def test_a_key_cannot_revoke_itself_nor_one_that_it_does_not_see(admin, shop):
    refused(admin.api.post(f"{KEYS}/{admin.key['id']}/revoke"), 409, "CONFLICT")
    for unknown in (uuid.uuid4(), "x", shop["id"]):
        refused(admin.api.post(f"{KEYS}/{unknown}/revoke"), 404, "NOT_FOUND")
    live, test = (admin.create_key(shop["id"], livemode=livemode).data for livemode in (True, False))
    by_test_key = admin.client(mode="test")
    refused(by_test_key.post(f"{KEYS}/{live['id']}/revoke"), 404, "NOT_FOUND")
    succeeded(by_test_key.post(f"{KEYS}/{test['id']}/revoke"))
    second = admin.client()
    succeeded(second.post(f"{KEYS}/{admin.create_key(admin.id).data['id']}/revoke"))  # an admin's, too


def test_keys_are_filtered_and_paged(server, admin, shop):
    made = [admin.create_key(shop["id"], livemode=i % 2 == 0).data for i in range(5)]
    newest_first = [key["id"] for key in reversed(made)]
    query, seen = {"page_size": 2, "merchant_id": shop["id"], "count": "true"}, []
    while query.get("cursor", "first"):
        page = admin.api.get(KEYS, query=query, expect=200)
        seen += [key["id"] for key in page.data]
        query["cursor"] = page.meta["next_cursor"]
    assert seen == newest_first and page.meta["total"] == 5
    ids = lambda **filters: [key["id"] for key in admin.keys(merchant_id=shop["id"], **filters)]
    assert ids(livemode="true") == newest_first[::2] and ids(livemode="false") == newest_first[1::2]
    assert ids(prefix=made[3]["prefix"]) == [made[3]["id"]]
    assert ids(until="2020-01-01") == [] and ids(since="2020-01-01") == newest_first
    assert [key["id"] for key in admin.keys(admin.client(mode="test"), merchant_id=shop["id"])] == newest_first[1::2]
    assert admin.keys(page_size=1)[0]["id"] > made[4]["id"]  # without a merchant, everybody's


def test_a_key_expires_and_follows_its_merchant(server, admin, shop):
    made = admin.create_key(shop["id"]).data
    admin.api.put(f"{MERCHANTS}/{shop['id']}", {"is_active": False}, expect=200)
    assert [key["state"] for key in admin.keys(merchant_id=shop["id"])] == ["inactive"]
    refused(elsewhere(server, made["key"]).get("/v1/payments"), 401, "AUTH_INVALID_KEY")
    admin.api.put(f"{MERCHANTS}/{shop['id']}", {"is_active": True}, expect=200)
    succeeded(server.api(made["key"]).get("/v1/payments"))


def test_the_last_use_of_a_key_is_shown_once_it_is_written(start_server, nghttpx):
    admin = Admin(start_server(**nghttpx.settings))
    shop = admin.create_merchant()
    used, unused = (admin.create_key(shop["id"]).data for _ in range(2))
    succeeded(admin.server.api(used["key"]).get("/v1/payments"))
    admin.server.restart()  # it is written at the end, too
    shown = {key["id"]: key["last_used_at"] for key in admin.keys(merchant_id=shop["id"])}
    assert shown[unused["id"]] is None and shown[used["id"]] >= used["created_at"]
    assert admin.api.post(f"{KEYS}/{used['id']}/revoke", expect=200).data["last_used_at"] == shown[used["id"]]


# Merchants

def test_a_merchant_is_made_listed_and_changed(server, admin):
    name = f"shop-{uuid.uuid4()}"
    made = admin.create_merchant(name=name)
    assert_shape(made, MERCHANT | {"name": name, "role": "merchant", "is_active": True, "webhook_url": None})
    path = f"{MERCHANTS}/{made['id']}"
    changed = admin.api.put(path, {"name": f"{name}, Köln", "is_active": False}, expect=200).data
    assert changed == made | {"name": f"{name}, Köln", "is_active": False, "updated_at": changed["updated_at"]}
    assert admin.api.put(path, {"is_active": False}, expect=200).data == changed
    assert admin.api.put(path, {}, expect=200).data == changed
    assert changed in admin.api.get(MERCHANTS, query={"is_active": "false"}, expect=200).data
    assert changed not in admin.api.get(MERCHANTS, query={"is_active": "true"}, expect=200).data
    assert [(one["name"], one["is_active"]) for one in server.command_json("listmerchants") if one["id"] == made["id"]] == [
        (changed["name"], False)]
    assert [entry["metadata"] for entry in admin.logged("merchant.updated", made["id"])] == [
        {"name": changed["name"], "name_before": name, "is_active": False, "acting_key_id": admin.key["id"]}]


def test_an_admin_is_a_merchant_of_another_role(server, admin):
    made = admin.create_merchant(role="admin")
    assert made in admin.api.get(MERCHANTS, query={"role": "admin"}, expect=200).data
    assert made not in admin.api.get(MERCHANTS, query={"role": "merchant"}, expect=200).data
    key = admin.create_key(made["id"], scopes=["merchant:read"]).data["key"]
    succeeded(server.api(key).get(MERCHANTS))


def test_merchants_are_paged(admin):
    made = [admin.create_merchant()["id"] for _ in range(3)]
    query, seen = {"page_size": 2, "role": "merchant"}, []
    while query.get("cursor", "first"):
        page = admin.api.get(MERCHANTS, query=query, expect=200)
        seen += [merchant["id"] for merchant in page.data]
        query["cursor"] = page.meta["next_cursor"]
    assert seen[:3] == made[::-1] and len(seen) == len(set(seen)) and seen == sorted(seen, reverse=True)


def test_a_name_is_taken_once(admin, shop):
    other = admin.create_merchant()
    refused(admin.api.post(MERCHANTS, {"name": shop["name"]}), 409, "CONFLICT")
    refused(admin.api.put(f"{MERCHANTS}/{other['id']}", {"name": shop["name"], "is_active": False}), 409, "CONFLICT")
    assert admin.api.put(f"{MERCHANTS}/{shop['id']}", {"name": shop["name"]}, expect=200).data == shop
    assert other in admin.api.get(MERCHANTS, expect=200).data  # nothing of the refused change was done


def test_a_repeat_makes_no_second_merchant(admin):
    once, body = str(uuid.uuid4()), {"name": f"shop-{uuid.uuid4()}"}
    first, again = (admin.api.post(MERCHANTS, body, idempotency_key=once, expect=201) for _ in range(2))
    assert not first.replayed and again.replayed and again.data == first.data
    assert admin.api.post(MERCHANTS, body | {"role": "merchant"}, idempotency_key=once, expect=201).data == first.data
    refused(admin.api.post(MERCHANTS, body | {"role": "admin"}, idempotency_key=once), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("body, wrong", [
    ({}, "name"), ({"name": ""}, "name"), ({"name": "x" * 101}, "name"), ({"name": str(uuid.uuid4())}, "name"),
    ({"name": 7}, "name"), ({"name": "a", "role": "root"}, "role"), ({"name": "a", "role": None}, "role"), ({"name": "a", "colour": 1}, "colour")])
def test_a_wrong_field_of_a_new_merchant_is_named(admin, body, wrong):
    refused(admin.api.post(MERCHANTS, body), 422, "VALIDATION_ERROR", wrong)


@pytest.mark.parametrize("body, wrong", [
    ({"name": None}, "name"), ({"name": str(uuid.uuid4())}, "name"), ({"is_active": None}, "is_active"), ({"is_active": "no"}, "is_active"),
    ({"role": "admin"}, "role")])
def test_a_wrong_field_of_a_change_is_named(admin, shop, body, wrong):
    refused(admin.api.put(f"{MERCHANTS}/{shop['id']}", body), 422, "VALIDATION_ERROR", wrong)


def test_nobody_locks_itself_out_and_a_test_key_changes_no_merchant(admin, shop):
    refused(admin.api.put(f"{MERCHANTS}/{admin.id}", {"is_active": False}), 409, "CONFLICT")
    other = Admin(admin.server)
    succeeded(other.api.put(f"{MERCHANTS}/{other.id}", {"is_active": True}))
    assert admin.api.put(f"{MERCHANTS}/{other.id}", {"is_active": False}, expect=200).data["is_active"] is False
    refused(elsewhere(admin.server, other.key["key"]).get(MERCHANTS), 401, "AUTH_INVALID_KEY")
    refused(admin.client(mode="test").put(f"{MERCHANTS}/{shop['id']}", {"is_active": False}), 403, "AUTH_INSUFFICIENT_SCOPE")
    for unknown in (uuid.uuid4(), "x"):
        refused(admin.api.put(f"{MERCHANTS}/{unknown}", {"is_active": False}), 404, "NOT_FOUND")


# The audit log

def test_every_change_names_the_key_that_made_it(server, admin, shop):
    made = admin.create_key(shop["id"], expires_at="2099-01-01").data
    admin.api.post(f"{KEYS}/{made['id']}/revoke", expect=200)
    by_admin = {"actor_ip": "127.0.0.1", "merchant_id": shop["id"], "key_prefix": admin.key["prefix"]}
    for event_type, severity, detail, metadata in [
            ("merchant.created", "info", "made", {"name": shop["name"], "role": "merchant"}),
            ("key.created", "info", "made", {"key_id": made["id"], "scopes": ["payments:read"], "livemode": True,
                                             "expires_at": "2099-01-01T00:00:00Z"}),
            ("key.revoked", "critical", "revoked", {"key_id": made["id"]})]:
        entry, = admin.logged(event_type, shop["id"])
        assert entry == by_admin | {"id": entry["id"], "created_at": entry["created_at"], "event_type": event_type, "severity": severity,
                                    "detail": f"{detail} by an admin", "metadata": metadata | {"acting_key_id": admin.key["id"]}}
    server.command("verify-audit")
