"""What the commands create: merchants, admins and keys, whom a new key belongs to, and what is shown once."""
import concurrent.futures
import contextlib
import os
import re
import sqlite3
import stat
import subprocess
import threading
import time
import uuid

import pytest

from support.place import TIMEOUT_S
from support.waiting import scaled

DEFAULT_SCOPES = {"payments:read", "payments:write", "merchant:read", "merchant:write", "webhooks:read"}
KEY = re.compile(r"sk_(test|live)_[0-9A-Za-z]{38}")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_only_the_owner_may_read_what_is_created(nothing):
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


def test_the_secret_part_of_a_key_is_not_stored(place):
    keys = [place.json("createapikey")["key"], place.json("createsuperadmin")["key"]]
    shown = place.run("listapikeys").stdout + place.run("listapikeys", "--json").stdout
    content = place.bytes()
    assert b"default" in content   # the search can find what is there
    for key in keys:
        # 16, because the byte stored after the prefix may happen to equal the next one of the key.
        assert key[:12].encode() in content and key[:16].encode() not in content and key[12:].encode() not in content
        assert key[:12] in shown and key[:13] not in shown


def test_a_person_is_told_that_the_key_is_shown_only_once(place):
    out = place.run("createapikey", "--mode", "test", "--name", "billing job").stdout
    assert len(KEY.findall(out)) == 1 and "sk_test_" in out
    assert "only once" in out and "new merchant \"default\"" in out and "billing job" in out


def test_a_merchant_is_created_and_selected_by_id_or_name(place):
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


def test_if_there_are_several_merchants_it_lists_them_and_creates_nothing(place):
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


def test_a_merchants_name_is_unique(place):
    shop = place.json("createmerchant", "--name", "shop")
    for words in (["createmerchant", "--name", "shop"], ["createsuperadmin", "--name", "shop"]):
        assert f'the name "shop" is already taken by the merchant {shop["id"]}' in place.refused(*words)
    admin = place.json("createsuperadmin")
    place.json("createsuperadmin")    # admins may share one
    assert "is already taken by the admin" in place.refused("createmerchant", "--name", "superadmin")
    assert [one["name"] for one in place.json("listmerchants")] == ["shop", "superadmin", "superadmin"]
    assert admin["merchant_id"] in place.run("listmerchants").stdout


def test_two_merchants_created_at_once_do_not_share_a_name(place):
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
def test_a_duration_counts_from_now(place, text, seconds):
    before = int(time.time())
    place.json("createapikey", "--expires", text)
    (expires_us,), = place.sql("SELECT expires_us FROM api_keys")
    assert before + seconds <= expires_us / 1e6 <= time.time() + seconds


@pytest.mark.parametrize("text, shown", [("2100-02-03", "2100-02-03T00:00:00Z"),
                                         ("2100-02-03T04:05:06+02:00", "2100-02-03T02:05:06Z")])
def test_an_expiry_may_be_a_time(place, text, shown):
    assert place.json("createapikey", "--expires", text)["expires_at"] == shown


def test_first_commands_at_once_agree_on_keys_and_merchant(nothing):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: nothing.run("migrate"), range(8)))
        keys = list(pool.map(lambda _: nothing.json("createapikey"), range(8)))
    assert len({key["merchant_id"] for key in keys}) == 1 and len({key["key"] for key in keys}) == 8
    assert nothing.json("verify-audit")["count"] == 9
    assert sorted(os.listdir(nothing.directory))[0] == "master.key"   # no temporary file is left


@contextlib.contextmanager
def writing_without_pause(database):
    """Another program that begins a transaction as soon as its last one is committed."""
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


def test_commands_get_their_turn_while_another_program_writes_without_pause(place):
    place.json("createapikey")
    with writing_without_pause(place.database):
        for _ in range(4):
            place.json("createapikey")
            place.json("verify-audit")
    assert len(place.json("listapikeys")) == 5


def test_a_key_that_could_not_be_printed_is_named(place):
    with open("/dev/full", "w", encoding="ascii") as full:
        message = place.run("createapikey", status=1, stdout=full).stderr
    (key,) = place.json("listapikeys")
    assert message == (f"paymentsd: the key was created but could not be printed: revoke it (revokeapikey {key['id']}) "
                       "and create another\n")
