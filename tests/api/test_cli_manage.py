"""The commands that list and revoke keys, and that deactivate merchants."""
import json
import uuid


# Listing and revoking

def test_keys_are_listed_newest_first_with_their_state(place):
    shop = place.json("createmerchant", "--name", "shop")
    keys = [place.json("createapikey", "--merchant", "shop", "--expires", "1d", "--name", f"n{i}") for i in range(3)]
    place.run("revokeapikey", keys[1]["id"])
    place.sql("UPDATE api_keys SET expires_us = 1 WHERE name = 'n2'")
    other = place.json("createsuperadmin")
    listed = place.json("listapikeys")
    assert [key["id"] for key in listed] == [other["id"], keys[2]["id"], keys[1]["id"], keys[0]["id"]]
    assert [key["state"] for key in listed] == ["active", "expired", "revoked", "active"]
    assert {key["merchant_id"] for key in place.json("listapikeys", "--merchant", shop["id"])} == {shop["id"]}
    lines = place.run("listapikeys", "--merchant", "shop").stdout.splitlines()
    assert len(lines) == 4 and "n2" in lines[1] and "expired" in lines[1]


def test_a_key_is_revoked_by_id_by_prefix_or_by_flag_and_only_once(place):
    keys = [place.json("createapikey") for _ in range(3)]
    assert place.json("revokeapikey", keys[0]["id"])["state"] == "revoked"
    assert keys[1]["id"] in place.run("revokeapikey", keys[1]["prefix"]).stdout
    place.run("revokeapikey", "--key", keys[2]["id"])
    assert {key["state"] for key in place.json("listapikeys")} == {"revoked"}
    assert "already revoked at" in place.refused("revokeapikey", keys[0]["id"])
    severities = place.sql("SELECT event_type, severity FROM audit_log WHERE event_type LIKE 'key.%'")
    assert severities == [("key.created", "info")] * 3 + [("key.revoked", "critical")] * 3


def test_a_prefix_that_two_keys_share_lists_their_ids_and_revokes_none(place):
    keys = [place.json("createapikey") for _ in range(2)]
    place.sql("UPDATE api_keys SET prefix = 'sk_live_same'")
    done = place.run("revokeapikey", "sk_live_same", status=1)
    assert "2 API keys have this prefix" in done.stderr.splitlines()[0]
    assert all(key["id"] in done.stderr for key in keys) and "default" in done.stderr
    assert {key["state"] for key in place.json("listapikeys")} == {"active"}


def test_an_unknown_key_is_not_revoked(place):
    key = place.json("createapikey")
    for text in ("sk_live_none", str(uuid.uuid4()), key["prefix"][:8], "%", ""):
        place.refused("revokeapikey", text)
    assert "given twice" in place.refused("revokeapikey", key["id"], "--key", key["id"], status=2)
    assert place.json("listapikeys")[0]["state"] == "active"


# Deactivating a merchant

def test_a_merchant_is_deactivated_and_activated_again(place):
    shop = place.json("createmerchant", "--name", "shop")
    keys = [place.json("createapikey", "--merchant", "shop") for _ in range(2)]
    place.run("revokeapikey", keys[1]["id"])
    other = place.json("createsuperadmin")
    states = lambda: {key["id"]: key["state"] for key in place.json("listapikeys")}
    assert place.json("updatemerchant", "--merchant", "shop", "--active", "false") == {
        "id": shop["id"], "name": "shop", "is_active": False}
    assert states() == {keys[0]["id"]: "inactive", keys[1]["id"]: "revoked", other["id"]: "active"}
    assert "shop" in place.run("updatemerchant", "--merchant", shop["id"], "--active", "true").stdout
    assert states() == {keys[0]["id"]: "active", keys[1]["id"]: "revoked", other["id"]: "active"}
    noted = place.sql("SELECT severity, merchant_id, metadata FROM audit_log WHERE event_type = 'merchant.updated' ORDER BY seq")
    assert [(severity, uuid.UUID(bytes=merchant), json.loads(metadata)) for severity, merchant, metadata in noted] == [
        ("info", uuid.UUID(shop["id"]), {"is_active": active}) for active in (False, True)]
    place.run("verify-audit")


def test_a_merchant_already_in_that_state_is_not_changed(place):
    shop = place.json("createmerchant", "--name", "shop")
    assert "is already active" in place.refused("updatemerchant", "--merchant", "shop", "--active", "true")
    place.run("updatemerchant", "--merchant", "shop", "--active", "false")
    assert "is already inactive" in place.refused("updatemerchant", "--merchant", shop["id"], "--active", "false")
    assert place.audit().count("merchant.updated") == 1


def test_a_merchant_gets_another_name(place):
    shop = place.json("createmerchant", "--name", "shop")
    place.json("createmerchant", "--name", "other")
    assert place.json("updatemerchant", "--merchant", "shop", "--name", "corner shop", "--active", "false") == {
        "id": shop["id"], "name": "corner shop", "is_active": False}
    assert "is already taken" in place.refused("updatemerchant", "--merchant", shop["id"], "--name", "other")
    assert "must not look like an ID" in place.refused("updatemerchant", "--merchant", shop["id"], "--name", uuid.uuid4(), status=2)
    assert [merchant["name"] for merchant in place.json("listmerchants")] == ["corner shop", "other"]
    noted = place.sql("SELECT metadata FROM audit_log WHERE event_type = 'merchant.updated'")
    assert [json.loads(metadata) for metadata, in noted] == [{"name": "corner shop", "name_before": "shop", "is_active": False}]


def test_the_merchant_and_the_change_must_be_given(place):
    shops = [place.json("createmerchant", "--name", name) for name in ("shop", "other")]
    place.sql("UPDATE merchants SET name = 'shop'")
    done = place.run("updatemerchant", "--merchant", "shop", "--active", "false", status=1)
    assert "several merchants have this name" in done.stderr and all(shop["id"] in done.stderr for shop in shops)
    assert "no merchant named" in place.refused("updatemerchant", "--merchant", "shops", "--active", "false")
    assert "true or false" in place.refused("updatemerchant", "--merchant", shops[0]["id"], "--active", "no", status=2)
    assert "--merchant is missing" in place.refused("updatemerchant", "--active", "false", status=2)
    assert "--active or --name is missing" in place.refused("updatemerchant", "--merchant", shops[0]["id"], status=2)
    assert "merchant.updated" not in place.audit()


def test_in_a_terminal_it_asks_for_the_merchant_and_the_change(place, terminal):
    place.json("createmerchant", "--name", "shop")
    asked = terminal("updatemerchant")
    asked.answer("Merchant (id or name): ", "shop")
    asked.answer("Active (true or false): ", "false")
    assert 'merchant "shop" is inactive' in asked.end()
