"""The commands, run as an operator runs them: what they make, what they show once, and how they refuse."""
import concurrent.futures
import contextlib
import http.server
import json
import os
import re
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
import uuid

import pytest

from conftest import ROOT
from support.place import TIMEOUT_S
from support.waiting import scaled

DEFAULT_SCOPES = {"payments:read", "payments:write", "merchant:read", "merchant:write", "webhooks:read"}
KEY = re.compile(r"sk_(test|live)_[0-9A-Za-z]{38}")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# Making

def test_what_is_made_is_the_owners_alone(nothing):
    before = os.umask(0)
    try:
        nothing.run("migrate")
        key = nothing.json("createapikey")
    finally:
        os.umask(before)
    assert set(key["scopes"]) == DEFAULT_SCOPES and key["mode"] == "live" and key["expires_at"] is None
    assert KEY.fullmatch(key["key"]) and key["key"].startswith("sk_live_") and key["prefix"] == key["key"][:12]
    assert nothing.sql("SELECT name, role, is_active FROM merchants") == [("default", "merchant", 1)]
    assert mode(nothing.directory) == 0o700
    assert {mode(os.path.join(nothing.directory, name)) for name in os.listdir(nothing.directory)} == {0o600}
    assert nothing.audit() == ["merchant.created", "key.created"]


def test_the_text_of_a_key_is_nowhere_in_the_data(place):
    keys = [place.json("createapikey")["key"], place.json("createsuperadmin")["key"]]
    shown = place.run("listapikeys").stdout + place.run("listapikeys", "--json").stdout
    content = place.bytes()
    assert b"default" in content   # the search can find what is there
    for key in keys:
        # 16: what is stored behind the prefix may by chance begin as the key goes on.
        assert key[:12].encode() in content and key[:16].encode() not in content and key[12:].encode() not in content
        assert key[:12] in shown and key[:13] not in shown


def test_a_person_is_told_that_the_key_is_shown_only_once(place):
    out = place.run("createapikey", "--mode", "test", "--name", "billing job").stdout
    assert len(KEY.findall(out)) == 1 and "sk_test_" in out
    assert "only once" in out and "new merchant \"default\"" in out and "billing job" in out


def test_a_merchant_is_made_and_used_by_its_id_or_its_name(place):
    shop = place.json("createmerchant", "--name", "Café Zürich")
    assert shop["name"] == "Café Zürich" and uuid.UUID(shop["id"]).version == 7
    place.json("createmerchant", "--name", "other")
    by_id = place.json("createapikey", "--merchant", shop["id"].upper(), "--scopes", "audit:read, refunds:write")
    by_name = place.json("createapikey", "--merchant=Café Zürich", "--mode=test")
    assert by_id["merchant_id"] == by_name["merchant_id"] == shop["id"]
    assert by_id["scopes"] == ["refunds:write", "audit:read"] and by_name["mode"] == "test"


def test_a_key_goes_to_the_only_merchant_and_admins_do_not_count(place):
    admin = place.json("createsuperadmin")
    shop = place.json("createmerchant", "--name", "shop")
    key = place.json("createapikey")
    assert key["merchant_id"] == shop["id"] != admin["merchant_id"]
    assert place.sql("SELECT count(*) FROM merchants") == [(2,)]


def test_among_several_merchants_it_lists_them_and_makes_nothing(place):
    ids = [place.json("createmerchant", "--name", name)["id"] for name in ("one", "two")]
    done = place.run("createapikey", status=1)
    first, *listed = done.stderr.splitlines()
    assert first == "paymentsd: there are several merchants: choose one with --merchant ID"
    assert [line.split() for line in listed] == [[ids[0], "one"], [ids[1], "two"]]
    assert place.json("listapikeys") == [] and not done.stdout


def test_a_name_that_two_merchants_have_is_refused_with_their_ids(place):
    ids = [place.json("createmerchant", "--name", name)["id"] for name in ("one", "two")]
    place.sql("UPDATE merchants SET name = 'twin'")    # as earlier versions allowed
    for command in ("createapikey", "listapikeys"):
        done = place.run(command, "--merchant", "twin", status=1)
        assert "several merchants have this name" in done.stderr.splitlines()[0]
        assert all(one in done.stderr for one in ids)


def test_a_merchants_name_is_taken_once(place):
    shop = place.json("createmerchant", "--name", "shop")
    for words in (["createmerchant", "--name", "shop"], ["createsuperadmin", "--name", "shop"]):
        assert f'the name "shop" is already taken by the merchant {shop["id"]}' in place.refused(*words)
    admin = place.json("createsuperadmin")
    place.json("createsuperadmin")    # admins may share one
    assert "is already taken by the admin" in place.refused("createmerchant", "--name", "superadmin")
    assert [one["name"] for one in place.json("listmerchants")] == ["shop", "superadmin", "superadmin"]
    assert admin["merchant_id"] in place.run("listmerchants").stdout


def test_two_that_are_made_at_once_do_not_get_one_name(place):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: subprocess.run(place.argv("createmerchant", "--name", "shop"), check=False,
                                                      env=place.environment(), capture_output=True).returncode, range(8)))
    assert sorted(made) == [0] + [1] * 7 and len(place.json("listmerchants")) == 1


def test_merchants_are_listed_with_their_role_and_state(place):
    shop = place.json("createmerchant", "--name", "shop")
    place.run("updatemerchant", "--merchant", "shop", "--active", "false")
    admin = place.json("createsuperadmin", "--name", "Ops")
    listed = place.json("listmerchants")
    assert [(one["id"], one["name"], one["role"], one["is_active"]) for one in listed] == [
        (shop["id"], "shop", "merchant", False), (admin["merchant_id"], "Ops", "admin", True)]
    _, first, second = place.run("listmerchants").stdout.splitlines()
    assert first.split()[:3] == [shop["id"], "merchant", "inactive"] and second.split()[:3] == [admin["merchant_id"], "admin", "active"]


def test_an_admin_has_every_scope_and_a_name(place):
    key = place.json("createsuperadmin", "--name", "Ops", "--mode", "test", "--expires", "12h")
    assert len(key["scopes"]) == 8 and key["mode"] == "test" and key["expires_at"]
    assert place.sql("SELECT name, role FROM merchants") == [("Ops", "admin")]
    assert place.run("createsuperadmin").stdout.count("superadmin") == 1


@pytest.mark.parametrize("text, seconds", [("90d", 90 * 86400), ("12h", 43200), ("5m", 300), ("30s", 30)])
def test_a_duration_ends_that_long_from_now(place, text, seconds):
    before = int(time.time())
    place.json("createapikey", "--expires", text)
    (expires_us,), = place.sql("SELECT expires_us FROM api_keys")
    assert before + seconds <= expires_us / 1e6 <= time.time() + seconds


@pytest.mark.parametrize("text, shown", [("2100-02-03", "2100-02-03T00:00:00Z"),
                                         ("2100-02-03T04:05:06+02:00", "2100-02-03T02:05:06Z")])
def test_an_expiry_may_be_a_time(place, text, shown):
    assert place.json("createapikey", "--expires", text)["expires_at"] == shown


def test_commands_that_start_at_once_on_nothing_agree_on_keys_and_merchant(nothing):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: nothing.run("migrate"), range(8)))
        keys = list(pool.map(lambda _: nothing.json("createapikey"), range(8)))
    assert len({key["merchant_id"] for key in keys}) == 1 and len({key["key"] for key in keys}) == 8
    assert nothing.json("verify-audit")["count"] == 9
    assert sorted(os.listdir(nothing.directory))[0] == "master.key"   # no temporary file is left


@contextlib.contextmanager
def writing_without_pause(database):
    """A program that begins its next transaction as soon as the one before is committed."""
    ended = threading.Event()

    def write():
        with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=scaled(TIMEOUT_S))) as writer:
            writer.execute("CREATE TABLE written (x)")
            while not ended.is_set():
                writer.execute("BEGIN IMMEDIATE")
                for _ in range(50):
                    writer.execute("INSERT INTO written VALUES (1)")
                writer.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_commands_get_their_turn_beside_a_service_that_writes_without_pause(place):
    place.json("createapikey")
    with writing_without_pause(place.database):
        for _ in range(4):
            place.json("createapikey")
            place.json("verify-audit")
    assert len(place.json("listapikeys")) == 5


def test_a_key_that_could_not_be_shown_is_named(place):
    with open("/dev/full", "w", encoding="ascii") as full:
        message = place.run("createapikey", status=1, stdout=full).stderr
    (key,) = place.json("listapikeys")
    assert message == (f"paymentsd: the key was created but could not be printed: revoke it (revokeapikey {key['id']}) "
                       "and create another\n")


# Asking

def test_at_a_terminal_it_asks_with_the_defaults_in_brackets(place, terminal):
    place.json("createmerchant", "--name", "shop")
    asked = terminal("createapikey")
    asked.answer("Merchant (id or name) [shop]: ")
    asked.answer("Scopes [payments:read,payments:write,merchant:read,merchant:write,webhooks:read]: ", "audit:read")
    asked.answer("Mode (test or live) [live]: ", " test ")
    asked.answer("Expires (a date, or a duration such as 90d) [never]: ", "1d")
    asked.answer("Name of the key []: ", "billing")
    assert "sk_test_" in asked.end()
    (key,) = place.json("listapikeys")
    assert (key["merchant"], key["scopes"], key["mode"], key["name"]) == ("shop", ["audit:read"], "test", "billing")


def test_what_was_given_is_not_asked_and_a_first_merchant_needs_no_question(place, terminal):
    asked = terminal("createapikey", "--mode", "test", "--name", "x", "--expires", "1d")
    assert asked.answer("Scopes [") == ""
    assert "new merchant \"default\"" in asked.end()


def test_at_a_terminal_several_merchants_are_listed_and_one_is_asked_for(place, terminal):
    ids = [place.json("createmerchant", "--name", name)["id"] for name in ("one", "two")]
    asked = terminal("createapikey", "--mode", "test", "--name", "x", "--expires", "1d", "--scopes", "audit:read")
    listed = asked.answer("Merchant (id or name): ")
    assert all(one in listed for one in ids)
    asked.answer("Merchant (id or name): ", "two")     # it has no default, so an empty answer is asked again
    asked.end()
    assert place.json("listapikeys")[0]["merchant"] == "two"


def test_a_wrong_answer_is_refused_at_once_and_asked_again(place, terminal):
    place.json("createmerchant", "--name", "shop")
    for command, answers in {
        "createsuperadmin": [("Name of the admin", "x" * 101, "1 to 100 bytes", "Ops"),
                             ("Mode (test or live)", "prod", 'must be test or live, not "prod"', "test"),
                             ("Expires", "yesterday", "must be a time", "1d")],
        "createapikey": [("Merchant", "nobody", 'there is no merchant named "nobody"', "shop"),
                         ("Scopes", "payments:delete", "unknown scope 'payments:delete'", "audit:read"),
                         ("Mode (test or live)", "prod", "must be test or live", "test"),
                         ("Expires", "2020-01-01", "is not in the future", "1d"), ("Name of the key", "", "", "")],
        "createmerchant": [("Name of the merchant", str(uuid.uuid4()), "must not look like an ID", "other")],
        "updatemerchant": [("Merchant", "nobody", "no merchant named", "shop"), ("Active", "no", "true or false", "false")],
    }.items():
        asked = terminal(command)
        for question, wrong, refusal, right in answers:
            if wrong:
                asked.answer(f"{question}", wrong)
                asked.expect(refusal)
            asked.answer(f"{question}", right)
        asked.end()
    assert [(key["merchant"], key["scopes"]) for key in place.json("listapikeys")][0] == ("shop", ["audit:read"])


def test_a_wrong_flag_is_refused_before_anything_is_asked(place, terminal):
    place.json("createmerchant", "--name", "shop")
    for words in (["createapikey", "--scopes", "payments:delete"], ["createapikey", "--mode", "prod"],
                  ["createsuperadmin", "--expires", "yesterday"], ["updatemerchant", "--active", "no"]):
        asked = terminal(*words)
        assert asked.expect("paymentsd: ") == ""
        asked.end(status=2)
    asked = terminal("createapikey", "--merchant", "nobody")
    assert asked.expect("paymentsd: there is no merchant") == ""
    asked.end(status=1)


def test_the_end_of_input_ends_it_without_doing_anything(place, terminal):
    for command, question in (("createmerchant", "Name of the merchant: "), ("revokeapikey", "Key to revoke"),
                              ("createsuperadmin", "Name of the admin")):
        asked = terminal(command)
        asked.expect(question)
        asked.hang_up_input()
        asked.expect("nothing was done")
        asked.end(status=1)
    assert place.audit() == []


def test_a_script_at_a_terminal_is_not_asked(place, terminal):
    assert json.loads(terminal("createapikey", "--json").end())["mode"] == "live"
    assert place.audit() == ["merchant.created", "key.created"]


def test_without_a_terminal_a_missing_argument_is_named(nothing):
    assert "--name is missing" in nothing.refused("createmerchant", status=2)
    assert "KEY is missing" in nothing.refused("revokeapikey", status=2)
    assert "FILE is missing" in nothing.refused("backup", status=2)
    assert not os.path.exists(nothing.directory)


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


def test_a_key_that_is_not_there_is_not_revoked(place):
    key = place.json("createapikey")
    for text in ("sk_live_none", str(uuid.uuid4()), key["prefix"][:8], "%", ""):
        place.refused("revokeapikey", text)
    assert "given twice" in place.refused("revokeapikey", key["id"], "--key", key["id"], status=2)
    assert place.json("listapikeys")[0]["state"] == "active"


# Deactivating a merchant

def test_a_merchant_is_deactivated_and_made_active_again(place):
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


def test_a_merchant_that_is_so_already_is_left_alone(place):
    shop = place.json("createmerchant", "--name", "shop")
    assert "is already active" in place.refused("updatemerchant", "--merchant", "shop", "--active", "true")
    place.run("updatemerchant", "--merchant", "shop", "--active", "false")
    assert "is already inactive" in place.refused("updatemerchant", "--merchant", shop["id"], "--active", "false")
    assert place.audit().count("merchant.updated") == 1


def test_which_merchant_and_what_must_be_said(place):
    shops = [place.json("createmerchant", "--name", name) for name in ("shop", "other")]
    place.sql("UPDATE merchants SET name = 'shop'")
    done = place.run("updatemerchant", "--merchant", "shop", "--active", "false", status=1)
    assert "several merchants have this name" in done.stderr and all(shop["id"] in done.stderr for shop in shops)
    assert "no merchant named" in place.refused("updatemerchant", "--merchant", "shops", "--active", "false")
    assert "true or false" in place.refused("updatemerchant", "--merchant", shops[0]["id"], "--active", "no", status=2)
    assert "--merchant is missing" in place.refused("updatemerchant", "--active", "false", status=2)
    assert "--active is missing" in place.refused("updatemerchant", "--merchant", shops[0]["id"], status=2)
    assert "merchant.updated" not in place.audit()


def test_at_a_terminal_it_asks_which_merchant_and_what(place, terminal):
    place.json("createmerchant", "--name", "shop")
    asked = terminal("updatemerchant")
    asked.answer("Merchant (id or name): ", "shop")
    asked.answer("Active (true or false): ", "false")
    assert 'merchant "shop" is inactive' in asked.end()


# Refusing

@pytest.mark.parametrize("words, status, message", [
    (["--scopes", "payments:delete"], 2, "unknown scope 'payments:delete'; the scopes are payments:read"),
    (["--mode", "prod"], 2, "--mode must be test or live"),
    (["--expires", "2020-01-01"], 2, "--expires 2020-01-01 is not in the future"),
    (["--expires", "0d"], 2, "--expires 0d is not in the future"),
    (["--expires", "tomorrow"], 2, "--expires must be a time"),
    (["--expires", "99999999999d"], 2, "more than a hundred years"),
    (["--merchant", "nobody"], 1, "there is no merchant named \"nobody\""),
    (["--merchant", "0190a000-0000-7000-8000-000000000000"], 1, "there is no merchant 0190a000"),
    (["--name", "a\nb"], 2, "--name must be UTF-8 without control characters"),
    (["--name", "x" * 101], 2, "--name must be 1 to 100 bytes long"),
    (["--colour", "red"], 2, "flag --colour"),
    (["word"], 2, "unexpected argument \"word\""),
])
def test_a_mistake_is_one_line_that_says_what_it_may_be(place, words, status, message):
    assert message in place.refused("createapikey", *words, status=status)
    assert not os.path.exists(place.database) or place.json("listapikeys") == []


@pytest.mark.parametrize("words", [["serve", "--nonsense"], ["serve", "--patience", "banana"], ["serve", "word"],
                                   ["migrate", "--patience"], ["check-config", "word"], ["backup", "a", "b"],
                                   ["sandbox", "word"], ["sandbox", "--nonsense"], ["version", "word"], ["bogus"],
                                   ["verify-audit", "--json=1"], ["listmerchants", "word"], ["revokeapikey", "a", "b"]])
def test_a_command_that_is_called_wrongly_ends_with_2(nothing, words):
    done = nothing.run(*words, status=2)
    assert done.stderr.startswith("paymentsd: ") and not done.stdout and not os.path.exists(nothing.directory)


# A wrong value of each setting, and commands that have no use for it.
WRONG = {"listen": "banana", "database": "banana", "stripe-api-base": "banana", "stripe-ca-file": "/nonexistent", "stripe-rate": "banana",
         "stripe-timeout": "banana", "webhook-allow": "banana", "webhook-allow-http": "banana", "webhook-schedule": "banana",
         "webhook-timeout": "1ms", "webhook-in-flight": "0", "proxy": "banana", "trusted-proxies": "10.0.0.0/99", "charge-window": "24h",
         "patience": "banana", "log-level": "banana", "config": "/nonexistent"}
COMMANDS = [["serve"], ["migrate"], ["check-config"], ["createapikey"], ["createmerchant", "--name", "shop"], ["createsuperadmin"],
            ["updatemerchant", "--merchant", "shop", "--active", "false"], ["listmerchants"], ["listapikeys"], ["revokeapikey", "sk_live_x"],
            ["verify-audit"], ["backup", "copy.db"], ["rotate-master-key"], ["healthcheck"]]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_ends_with_2_wherever_it_is_given(nothing, tmp_path, name):
    value, variable = WRONG[name], name.replace("-", "_")
    assert name in nothing.refused("serve", f"--{name}={value}", status=2) or name == "config"
    message = nothing.refused("serve", status=2, **{variable: value})
    assert name in message or f"PAYMENTS_{variable.upper()}" in message or value in message
    if name != "config":
        file = tmp_path / "settings"
        file.write_text(f"{name} = {value}\n", encoding="ascii")
        assert name in nothing.refused("serve", config=str(file), status=2)
    assert not os.path.exists(nothing.directory)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["patience", "webhook-allow", "database"])
def test_every_command_refuses_a_wrong_setting_with_2(nothing, words, name):
    assert name in nothing.refused(*words, status=2, **{name.replace("-", "_"): WRONG[name]}).lower().replace("_", "-")
    assert not os.path.exists(nothing.directory)


@pytest.mark.parametrize("words", [*COMMANDS, ["sandbox"], ["version"]], ids=lambda words: words[0])
@pytest.mark.parametrize("more", [["--colour", "red"], ["--colour=red"], ["a", "b"]], ids=" ".join)
def test_every_command_refuses_wrong_flags_and_words_with_2(nothing, words, more):
    nothing.refused(*words, *more, status=2)
    assert not os.path.exists(nothing.directory)


@pytest.mark.parametrize("words", [["sandbox", "--listen", "banana"], ["createapikey", "--mode", "banana"], ["createapikey", "--scopes", "x"],
                                   ["createapikey", "--expires", "x"], ["createmerchant", "--name", ""], ["createsuperadmin", "--name", ""],
                                   ["updatemerchant", "--merchant", "shop", "--active", "banana"]], ids=" ".join)
def test_a_wrong_value_of_a_commands_own_flag_ends_with_2(place, words):
    place.refused(*words, status=2)


def test_what_is_no_mistake_of_the_caller_ends_with_1(nothing, place, tmp_path):
    os.unlink(os.path.join(place.directory, "master.key"))
    for words in COMMANDS[:-1]:
        if words[0] not in ("backup", "healthcheck"):
            assert "master.key" in place.refused(*words, listen="127.0.0.1:0")


@pytest.mark.parametrize("words", [["--scopes"], ["--scopes", ""], ["--mode=live", "--mode", "live"], ["--json=1"]])
def test_a_flag_used_wrongly_is_a_usage_error(place, words):
    place.refused("createapikey", *words, status=2)


def test_a_merchant_cannot_be_named_like_an_id(place):
    assert "must not look like an ID" in place.refused("createmerchant", "--name", uuid.uuid4(), status=2)


def test_no_command_and_an_unknown_one_show_the_help(nothing):
    for words in ([], ["bogus"]):
        done = nothing.run(*words, status=2)
        assert not done.stdout and "usage: paymentsd COMMAND" in done.stderr and "createapikey" in done.stderr
    assert "createapikey" in nothing.run("help").stdout
    for command in ("createapikey", "backup", "verify-audit"):
        assert "--json" in nothing.run(command, "--help").stdout
    assert not os.path.exists(nothing.directory)


def test_the_help_of_serve_says_what_each_setting_is(place):
    shown = place.run("serve", "--help").stdout
    names = re.findall(r'^    \{"([a-z-]+)",', (ROOT / "src" / "base" / "config_table.c").read_text(), re.MULTILINE)
    assert "data-dir" in names and "log-level" in names
    for name in names:
        assert f"--{name} " in shown and f"PAYMENTS_{name.upper().replace('-', '_')}\n" in shown


def test_a_file_that_is_not_a_database_is_refused_and_kept(place):
    with open(place.database, "w", encoding="ascii") as file:
        file.write("garbage" * 1000)
    for command in ("createapikey", "migrate"):
        assert place.database in place.refused(command)
    with open(place.database, encoding="ascii") as file:
        assert file.read() == "garbage" * 1000


@pytest.mark.parametrize("name, what", [("master.key", "master key"), ("pepper.key", "pepper")])
def test_a_wrong_key_is_refused_before_anything_is_written(place, name, what):
    place.json("createapikey")
    with open(os.path.join(place.directory, name), "w", encoding="ascii") as file:
        file.write("ab" * 32)
    assert f"created with another {what}" in place.refused("createapikey")
    assert len(place.sql("SELECT id FROM api_keys")) == 1


@pytest.mark.parametrize("name", ["master.key", "pepper.key"])
def test_a_lost_key_is_not_made_anew_beside_a_database(place, name):
    place.json("createapikey")
    path = os.path.join(place.directory, name)
    os.rename(path, path + ".away")
    assert "restore the one that the database was created with" in place.refused("createapikey")
    assert not os.path.exists(path)


def test_a_key_file_that_others_may_read_is_refused(place):
    place.json("createapikey")
    os.chmod(os.path.join(place.directory, "master.key"), 0o644)
    assert "chmod 600" in place.refused("listapikeys")


def test_a_directory_that_cannot_be_written_is_named(nothing):
    os.mkdir(nothing.directory, 0o500)
    as_a_user = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    message = nothing.refused("migrate", before=as_a_user)
    assert nothing.directory in message and "Permission denied" in message
    os.rmdir(nothing.directory)
    with open(nothing.directory, "w", encoding="ascii"):
        pass
    assert nothing.directory in nothing.refused("migrate")


def test_a_message_stays_one_line_whatever_it_quotes(place):
    message = place.refused("createapikey", "--merchant", "a\nb\x1b[2J")
    assert "a?b?[2J" in message


# Looking after it

def test_the_audit_chain_holds_and_its_head_moves(place):
    place.json("createapikey")
    first = place.json("verify-audit")
    assert first["count"] == 2 and re.fullmatch("[0-9a-f]{64}", first["head"])
    assert place.json("verify-audit") == first
    place.json("createmerchant", "--name", "x")
    second = place.json("verify-audit")
    assert second["count"] == 3 and second["head"] != first["head"]
    assert second["head"] in place.run("verify-audit").stdout


def test_an_audit_log_whose_end_was_cut_does_not_hold_the_head_that_was_kept(place):
    for name in "abc":
        place.json("createmerchant", "--name", name)
    kept = place.json("verify-audit")["head"]
    place.json("createmerchant", "--name", "d")
    place.run("verify-audit", "--head", kept)
    place.sql("DELETE FROM audit_log WHERE seq > 2")
    place.run("verify-audit")
    assert "was truncated" in place.refused("verify-audit", "--head", kept)


def test_the_service_logs_the_head_of_its_audit_log(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    server.command("createmerchant", "--name", "x")
    server.restart()
    logged = server.wait_for_log(message="audit head")
    assert logged["entries"] == 1 and logged["head"] == server.command_json("verify-audit")["head"]


def test_a_tampered_audit_row_is_named(place):
    for name in "abcd":
        place.json("createmerchant", "--name", name)
    place.sql("UPDATE audit_log SET metadata = replace(metadata, '\"b\"', '\"z\"') WHERE seq = 2")
    assert "entry 2" in place.refused("verify-audit")
    place.sql("DELETE FROM audit_log WHERE seq < 3")
    assert "entry 3" in place.refused("verify-audit")


def test_looking_at_what_is_not_there_makes_nothing(nothing):
    for words in (["verify-audit"], ["backup", "x.db"]):
        assert nothing.database in nothing.refused(*words)
    nothing.run("check-config", listen="127.0.0.1:0")
    assert not os.path.exists(nothing.directory)


def test_a_backup_is_whole_private_and_never_replaces_a_file(place):
    key = place.json("createapikey")
    copy = os.path.join(place.directory, "copy.db")
    out = place.run("backup", copy).stdout
    assert "master.key" in out and "pepper.key" in out
    assert mode(copy) == 0o600
    assert place.json("listapikeys", database=f"sqlite:{copy}")[0]["id"] == key["id"]
    assert place.json("verify-audit", database=f"sqlite:{copy}") == place.json("verify-audit")
    size = os.path.getsize(copy)
    assert "File exists" in place.refused("backup", copy)
    assert os.path.getsize(copy) == size
    assert "nowhere" in place.refused("backup", os.path.join(place.directory, "nowhere", "copy.db"))


def test_a_backup_waits_for_no_writer_and_holds_what_was_committed(place):
    place.json("createapikey")
    with contextlib.closing(sqlite3.connect(place.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE merchants SET name = 'not committed'")
        place.run("backup", place.database + ".copy")
        writer.execute("ROLLBACK")
    assert place.json("verify-audit", database=f"sqlite:{place.database}.copy")["count"] == 2


def test_a_failed_backup_leaves_no_file(place):
    with open(place.database, "w", encoding="ascii") as file:
        file.write("garbage" * 1000)
    copy = os.path.join(place.directory, "copy.db")
    place.refused("backup", copy)
    assert not os.path.exists(copy)


def test_the_settings_are_checked_without_making_anything(nothing):
    assert nothing.json("check-config", listen="127.0.0.1:0") == {"ok": True}
    assert "PAYMENTS_PATIENCE" in nothing.refused("check-config", patience="never", status=2)
    assert "webhook-allow" in nothing.refused("check-config", webhook_allow="10.0.0.0/99", status=2)
    assert "stripe-api-base" in nothing.refused("check-config", stripe_api_base="ftp://x", status=2)
    assert not os.path.exists(nothing.directory)
    nothing.run("migrate")
    nothing.run("check-config", listen="127.0.0.1:0")
    os.truncate(os.path.join(nothing.directory, "pepper.key"), 5)
    assert "pepper.key must hold 32 bytes" in nothing.refused("check-config")


def test_migrating_makes_the_database_and_again_changes_nothing(place):
    place.run("migrate")
    before = place.sql("SELECT version FROM schema_version")
    place.run("migrate")
    assert place.sql("SELECT version FROM schema_version") == before
    place.sql("INSERT INTO schema_version VALUES (9999)")
    assert "newer paymentsd" in place.refused("migrate")


def test_the_version_is_printed(nothing):
    for words in (["version"], ["--version"], ["-V"]):
        assert nothing.run(*words).stdout == f"paymentsd {nothing.json(*words)['version']}\n"


@contextlib.contextmanager
def readyz(status):
    """Something that answers /readyz so, and the address of it."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_health_check_is_the_services_own_readiness(place):
    with readyz(200) as port:
        place.run("healthcheck", listen=f"127.0.0.1:{port}")
        place.run("healthcheck", "--listen", f"0.0.0.0:{port}")
    with readyz(503) as port:
        assert "503" in place.refused("healthcheck", listen=f"127.0.0.1:{port}")
    assert "connect" in place.refused("healthcheck", listen=f"127.0.0.1:{port}")
