"""The audit log over the API: what is in it, its filters, and who sees what."""
import uuid

import pytest

from support.merchant import Merchant
from support.server import Server
from support.shape import TIME, UUID7, Either, assert_shape, refused, succeeded
from support.waiting import wait_until

ITEM = {"id": UUID7, "event_type": str, "severity": str, "actor_ip": Either(str, None),
        "merchant_id": Either(UUID7, None), "key_prefix": Either(str, None), "detail": str, "metadata": dict,
        "created_at": TIME}
SEVERITIES = {
    "merchant.created": "info", "merchant.updated": "info", "key.created": "info", "key.revoked": "critical",
    "provider.updated": "info", "provider.deleted": "info", "webhook.url_updated": "info", "auth.success": "info",
    "auth.failed": "warn", "auth.key_expired": "warn", "auth.merchant_inactive": "warn", "auth.invalid_format": "warn",
    "auth.scope_denied": "warn", "auth.rate_limited": "critical"}


class Audited:
    """A service with two merchants and an admin, at which everything was done that is audited, and each done once."""

    def __init__(self, server):
        self.server = server
        self.merchant, self.other = Merchant(server), Merchant(server)
        self.merchant.use_stripe()
        self.merchant.use_webhook("http://127.0.0.1:9/")
        self.merchant.api.delete("/v1/merchant/providers/stripe", expect=200)
        revoked = self.merchant.create_key()
        server.command("revokeapikey", "--key", revoked["id"])
        refused(server.api(revoked["key"]).get("/v1/payments"), 401, "AUTH_INVALID_KEY")
        brief = self.merchant.client(expires="1s")
        wait_until(lambda: brief.get("/v1/payments").status == 401, what="the key to expire")
        self.merchant.activate(False)
        refused(self.merchant.api.get("/v1/payments"), 401, "AUTH_INVALID_KEY")
        self.merchant.activate(True)
        refused(server.api("mistyped").get("/v1/payments"), 401, "AUTH_INVALID_KEY")
        refused(self.merchant.client("payments:read").get("/v1/merchant/me"), 403, "AUTH_INSUFFICIENT_SCOPE")
        self.admin_key = server.command_json("createsuperadmin", "--name", "root", "--mode", "live")["key"]
        self.admin = server.api(self.admin_key)
        wait_until(lambda: server.api("mistyped").get("/v1/payments").status == 429, what="the address to be refused")
        server.restart()  # what is counted is written at the end, too

    def logs(self, api=None, **query):
        return (api or self.merchant.api).get("/v1/audit/logs", query=query, expect=200).data


@pytest.fixture(scope="module")
def audited(binary, openapi):
    server = Server(binary, webhook_allow="127.0.0.1", webhook_allow_http=True)
    yield Audited(server)
    server.close()


def types_of(items):
    return [item["event_type"] for item in items]


def test_the_changes_to_a_merchant_are_listed_newest_first(audited):
    items = audited.logs()
    at_once = [name for name in types_of(items) if not name.startswith("auth.")]
    assert at_once == ["key.created", "merchant.updated", "merchant.updated", "key.created", "key.revoked", "key.created",
                       "provider.deleted", "webhook.url_updated", "provider.updated", "key.created", "merchant.created"]
    for item in items:
        assert_shape(item, ITEM | {"merchant_id": audited.merchant.id})
    assert [item["id"] for item in items] == sorted((item["id"] for item in items), reverse=True)


def test_an_entry_names_the_actor_and_its_address(audited):
    updated, = audited.logs(event_type="provider.updated")
    assert_shape(updated, ITEM | {"severity": "info", "actor_ip": "127.0.0.1",
                                  "key_prefix": audited.merchant.key["key"][:12]})
    revoked, = audited.logs(event_type="key.revoked")
    assert (revoked["severity"], revoked["actor_ip"]) == ("critical", None)


def test_a_counted_entry_shows_its_count(audited):
    by_prefix = {item["key_prefix"]: item for item in audited.logs(event_type="auth.success")}
    used = by_prefix[audited.merchant.key["key"][:12]]
    assert used["metadata"]["count"] >= 3 and used["actor_ip"] == "127.0.0.1" and used["severity"] == "info"


def test_an_admin_sees_everything_without_naming_anybody(audited):
    items = audited.logs(audited.admin, page_size=100)
    assert {(item["event_type"], item["severity"]) for item in items} == set(SEVERITIES.items())
    assert {audited.merchant.id, audited.other.id} <= {item["merchant_id"] for item in items}
    assert "auth.invalid_format" in types_of(item for item in items if item["merchant_id"] is None)
    for item in items:
        assert_shape(item, ITEM)


def test_an_admin_may_choose_a_merchant(audited):
    chosen = audited.logs(audited.admin, merchant_id=audited.merchant.id, page_size=100)
    assert chosen and {item["merchant_id"] for item in chosen} == {audited.merchant.id}
    assert audited.logs(audited.admin, merchant_id=str(uuid.uuid4())) == []
    as_merchant = audited.server.api(audited.admin_key, X_Merchant_Id=audited.merchant.id)
    assert [item for item in audited.logs(as_merchant, page_size=100) if item in chosen] == chosen
    assert audited.logs(as_merchant, merchant_id=audited.other.id) == []
    refused(audited.server.api(audited.admin_key, X_Merchant_Id=str(uuid.uuid4())).get("/v1/audit/logs"), 404, "NOT_FOUND")


def test_elsewhere_an_admin_must_name_a_merchant(audited):
    refused(audited.admin.get("/v1/payments"), 400, "BAD_REQUEST")


def test_a_merchant_sees_nothing_of_others_and_may_not_ask(audited):
    assert {item["merchant_id"] for item in audited.logs(audited.other.api, page_size=100)} == {audited.other.id}
    for merchant_id in (audited.merchant.id, audited.other.id):
        answer = audited.other.api.get("/v1/audit/logs", query={"merchant_id": merchant_id})
        refused(answer, 403, "AUTH_INSUFFICIENT_SCOPE")
    named = audited.server.api(audited.other.key["key"], X_Merchant_Id=audited.merchant.id)
    refused(named.get("/v1/audit/logs"), 403, "AUTH_INSUFFICIENT_SCOPE")


@pytest.mark.parametrize("event_type", SEVERITIES)
def test_the_list_is_filtered_by_type(audited, event_type):
    everything = audited.logs(audited.admin, page_size=100)
    chosen = audited.logs(audited.admin, event_type=event_type, page_size=100)
    assert chosen and chosen == [item for item in everything if item["event_type"] == event_type]


@pytest.mark.parametrize("severity", ["info", "warn", "critical"])
def test_the_list_is_filtered_by_severity(audited, severity):
    chosen = audited.logs(audited.admin, severity=severity, page_size=100)
    assert chosen and {item["severity"] for item in chosen} == {severity}
    for item in audited.logs(severity=severity):
        assert (item["severity"], item["merchant_id"]) == (severity, audited.merchant.id)


def test_the_list_is_filtered_by_time(audited):
    items = audited.logs(event_type="merchant.created")
    made_at = items[0]["created_at"]
    assert audited.logs(event_type="merchant.created", since=made_at) == items
    assert audited.logs(event_type="merchant.created", until=made_at) == []
    assert audited.logs(since="2999-01-01") == []


def test_it_is_paged(audited):
    query, seen = {"page_size": 3, "severity": "info", "until": "2999-01-01"}, []
    while query.get("cursor", "first"):
        page = audited.admin.get("/v1/audit/logs", query=query, expect=200)
        seen += page.data
        query["cursor"] = page.meta["next_cursor"]
    assert seen == audited.logs(audited.admin, severity="info", page_size=100) and len(seen) > 9


@pytest.mark.parametrize("query, field", [
    ("event_type=key.lost", "event_type"), ("severity=warning", "severity"), ("severity=", "severity"),
    ("since=now", "since"), ("until=", "until"), ("merchant_id=1", "merchant_id"), ("livemode=true", "livemode"),
    ("actor_ip=127.0.0.1", "actor_ip"), ("cursor=A", "cursor"), ("page_size=0", "page_size")])
def test_a_bad_or_unknown_filter_is_named(audited, query, field):
    refused(audited.admin.get(f"/v1/audit/logs?{query}"), 422, "VALIDATION_ERROR", field)


def test_it_needs_its_scope(audited):
    succeeded(audited.merchant.client("audit:read").get("/v1/audit/logs"))
    refused(audited.merchant.client("payments:read,merchant:read").get("/v1/audit/logs"), 403, "AUTH_INSUFFICIENT_SCOPE")
