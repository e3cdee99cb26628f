"""Every command on PostgreSQL, and what an operator reads who got something wrong."""
import contextlib
import os
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.database import connect
from support.place import Place
from support.waiting import wait_until

NEEDS_TABLES = [["createsuperadmin"], ["createmerchant", "--name", "shop"], ["createapikey"], ["listapikeys"], ["listmerchants"],
                ["updatemerchant", "--merchant", "shop", "--active", "false"], ["revokeapikey", "sk_live_x"],
                ["verify-audit"], ["backup", "copy.db"], ["rotate-master-key"]]


def at(place, before, after):
    """The place's database with another part of its URI."""
    assert before in place.settings["database"]
    return place.settings["database"].replace(before, after, 1)


@pytest.fixture
def other_node(binary, place, tmp_path):
    """A second place on the same database, without keys."""
    node = Place(binary, tmp_path)
    node.settings = place.settings
    return node


@pytest.mark.parametrize("words", NEEDS_TABLES, ids=lambda words: words[0])
def test_a_command_changes_nothing_in_an_empty_database(nothing, words):
    message = nothing.refused(*words)
    assert message.startswith("the database postgres at /") and "is empty: start the service first" in message
    assert not os.path.exists(nothing.directory)


def test_every_command_works(place):
    admin = place.json("createsuperadmin", "--name", "admin")
    shop = place.json("createmerchant", "--name", "shop")
    key = place.json("createapikey", "--merchant", shop["id"])
    assert {row["id"] for row in place.json("listapikeys")} >= {key["id"]}
    assert {row["id"] for row in place.json("listmerchants")} == {admin["merchant_id"], shop["id"]}
    place.json("revokeapikey", "--key", key["id"])
    place.json("updatemerchant", "--merchant", shop["id"], "--active", "false")
    place.json("rotate-master-key")
    assert place.json("verify-audit")["count"] >= 6
    place.run("migrate")
    assert place.json("check-config", listen="127.0.0.1:0") == {"ok": True}
    assert "pg_dump" in place.refused("backup", "copy.db")


def test_a_node_without_the_keys_of_the_database_is_refused_and_makes_none(place, other_node):
    for words in (["serve"], ["listapikeys"], ["createapikey"], ["check-config"], ["rotate-master-key"], ["migrate"]):
        message = other_node.refused(*words, listen="127.0.0.1:0")
        assert "master.key is missing: copy the one that the database was created with" in message
    assert not os.path.exists(other_node.directory)


@pytest.mark.parametrize("name, said", [("master.key", "master key"), ("pepper.key", "pepper")])
def test_a_node_with_another_key_is_refused_and_leaves_the_database_alone(place, other_node, name, said):
    os.mkdir(other_node.directory, 0o700)
    for key in ("master.key", "pepper.key"):
        with open(os.path.join(place.directory, key), encoding="ascii") as file:
            text = secrets.token_hex(32) if key == name else file.read()
        with open(os.path.join(other_node.directory, key), "w", encoding="ascii", opener=private) as file:
            file.write(text)
    for words in (["serve"], ["listapikeys"], ["createapikey"], ["check-config"], ["rotate-master-key"], ["migrate"]):
        assert f"was created with another {said}: use the file" in other_node.refused(*words, listen="127.0.0.1:0")
    assert place.json("listapikeys") == []
    assert place.sql("SELECT count(*) FROM audit_log") == [(0,)]


def private(path, flags):
    return os.open(path, flags, 0o600)


@pytest.mark.parametrize("words", [["serve"], ["migrate"], ["listapikeys"], ["check-config"], ["verify-audit"]],
                         ids=lambda words: words[0])
def test_a_server_that_cannot_be_used_is_named_in_one_line_without_the_password(place, words):
    secret = secrets.token_hex(8)
    for uri in (f"postgresql://node:{secret}@127.0.0.1:1/pay", f"postgresql://node:{secret}@/pay?host=/nonexistent",
                at(place, "postgres@/postgres?", f"postgres:{secret}@/nowhere?"),
                at(place, "postgres@/", f"nobody:{secret}@/")):
        message = place.refused(*words, database=uri, listen="127.0.0.1:0")
        assert message.startswith("cannot use the PostgreSQL database at ")
        assert secret not in message


def test_a_name_of_no_database_is_a_mistake_in_the_settings(place):
    for name in ("postgres://x", "mysql://x", "payments.db", "postgresql"):
        assert "sqlite:PATH" in place.refused("migrate", database=name, status=2)


def test_a_role_without_rights_is_told_so(place):
    role = "weak_" + secrets.token_hex(4)
    with contextlib.closing(connect(place)) as database, database:
        database.execute(f"CREATE ROLE {role} LOGIN")
        schema = place.settings["database"].rpartition("%3D")[2]
        database.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    weak = at(place, "postgres@/", f"{role}@/")
    for words in (["serve"], ["migrate"], ["listapikeys"]):
        assert "permission denied" in place.refused(*words, database=weak, listen="127.0.0.1:0")


def test_a_schema_that_does_not_exist_is_not_taken_for_an_empty_database(nothing):
    nothing.settings = {"database": at(nothing, "test_", "never_made_")}
    assert "schema" in nothing.refused("migrate")


def test_a_node_waits_for_a_step_that_takes_another_longer_than_a_lock_is_waited_for(nothing):
    with contextlib.closing(connect(nothing)) as other, ThreadPoolExecutor(1) as node:
        other.execute("CREATE TABLE schema_version (version BIGINT PRIMARY KEY)")
        other.commit()
        (pid,), = other.execute("INSERT INTO schema_version VALUES (1) RETURNING pg_backend_pid()").fetchall()
        waits = set()
        migrating = node.submit(nothing.run, "migrate")

        def waited_twice():
            waits.update(nothing.sql("SELECT xact_start FROM pg_stat_activity WHERE ? = ANY (pg_blocking_pids(pid))", pid))
            return len(waits) == 2 or migrating.done()

        wait_until(waited_twice)
        other.rollback()
        migrating.result()


def test_a_node_says_that_it_waits_for_another_ones_upgrade_of_the_schema(place):
    with contextlib.closing(connect(place)) as other:
        (last,), = other.execute("DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)"
                                 " RETURNING version").fetchall()
        other.commit()
        other.execute("SELECT 1 FROM schema_version WHERE version = ? FOR UPDATE", (last - 1,))
        with subprocess.Popen(place.argv("migrate"), env=place.environment(), stderr=subprocess.PIPE, text=True) as migrating:
            assert "another node upgrades the schema: waiting for it" in migrating.stderr.readline()
            assert migrating.poll() is None
            other.execute("INSERT INTO schema_version VALUES (?)", (last,))
            other.commit()
            assert migrating.stderr.read() == "" and migrating.wait() == 0
