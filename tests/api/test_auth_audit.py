"""The audit log of authentication: attempts are counted and written once, so that nobody can make the service write;
changes are written at once."""
import collections
import json
import uuid

from auth_fixture import ask, fail, made_up_key
from support.database import open_database
from support.merchant import Merchant
from support.shape import succeeded


def test_authentication_is_counted_and_written_once_and_changes_at_once(start_server, nghttpx):
    server = start_server(**nghttpx.settings, trusted_proxies="127.0.0.1")
    merchant = Merchant(server)
    address = "203.0.113.7"
    before = audit_rows(server)
    fail(server, address, 3)
    fail(server, address, 2, "sk_live_mistyped")
    key = merchant.create_key("audit:read")
    ask(server, key["key"], address)
    succeeded(ask(server, merchant.key["key"], address))
    assert [row[0] for row in audit_rows(server)[len(before):]] == ["key.created"], "nobody can make us write"
    server.command("revokeapikey", "--key", key["id"])
    ask(server, key["key"], address)
    fail(server, address, 5)
    server.terminate()

    counted = {(row[0], row[1], row[3]): row[4] for row in audit_rows(server) if row[2] == address}
    prefix = merchant.key["key"][:12]
    assert counted == {
        ("auth.failed", "warn", None): 3 + 5, ("auth.failed", "warn", key["prefix"]): 1,
        ("auth.invalid_format", "warn", None): 2, ("auth.scope_denied", "warn", key["prefix"]): 1,
        ("auth.success", "info", prefix): 1, ("auth.rate_limited", "critical", None): 1,
    }
    assert [row[:2] for row in audit_rows(server) if row[0] == "key.revoked"] == [("key.revoked", "critical")]
    assert "the audit log is intact" in server.command("verify-audit").stdout


def test_an_entry_about_a_known_key_names_its_merchant(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant(server)
    key, revoked = merchant.create_key("audit:read"), merchant.create_key()
    server.command("revokeapikey", "--key", revoked["id"])
    for asked_with in (key["key"], revoked["key"], made_up_key()):
        ask(server, asked_with)
    server.terminate()
    with open_database(server) as rows:
        named = rows.execute("SELECT event_type, merchant_id, key_prefix FROM audit_log WHERE event_type LIKE 'auth.%'")
        id_bytes = uuid.UUID(merchant.id).bytes
        assert sorted(named, key=str) == sorted([("auth.scope_denied", id_bytes, key["prefix"]),
                                                 ("auth.failed", id_bytes, revoked["prefix"]),
                                                 ("auth.failed", None, None)], key=str)


def test_strangers_leave_room_for_what_our_own_keys_do(start_server, nghttpx):
    server = start_server(**nghttpx.settings, trusted_proxies="127.0.0.1")
    merchant = Merchant(server)
    for number in range(1010):
        fail(server, f"198.51.{number // 256}.{number % 256}", key=made_up_key(letter="abc"[number % 3]))
    succeeded(ask(server, merchant.key["key"], "203.0.113.7"))
    server.terminate()
    rows = audit_rows(server)
    counts = collections.Counter(row[0] for row in rows)
    assert (counts["auth.failed"], counts["auth.success"]) == (501, 1)
    assert sum(row[4] for row in rows if row[0] == "auth.failed") == 1010, "the last entry counts the others"


def audit_rows(server):
    with open_database(server) as rows:
        entries = rows.execute("SELECT event_type, severity, actor_ip, key_prefix, metadata FROM audit_log ORDER BY seq")
        return [(*entry[:4], json.loads(entry[4] or "{}").get("count")) for entry in entries]
