"""The commands for maintenance: verify-audit, backup, check-config, migrate, healthcheck, version."""
import contextlib
import http.server
import os
import re
import sqlite3
import stat
import threading


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_the_audit_chain_holds_and_its_head_moves(place):
    place.json("createapikey")
    first = place.json("verify-audit")
    assert first["count"] == 2 and re.fullmatch("[0-9a-f]{64}", first["head"])
    assert place.json("verify-audit") == first
    place.json("createmerchant", "--name", "x")
    second = place.json("verify-audit")
    assert second["count"] == 3 and second["head"] != first["head"]
    assert second["head"] in place.run("verify-audit").stdout


def test_a_truncated_audit_log_does_not_contain_the_earlier_head(place):
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


def test_commands_that_only_read_create_nothing(nothing):
    for words in (["verify-audit"], ["backup", "x.db"]):
        assert nothing.database in nothing.refused(*words)
    nothing.run("check-config", listen="127.0.0.1:0")
    assert not os.path.exists(nothing.directory)


def test_a_backup_is_complete_and_private_and_never_replaces_a_file(place):
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


def test_a_backup_waits_for_no_writer_and_contains_what_was_committed(place):
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


def test_check_config_creates_nothing(nothing):
    assert nothing.json("check-config", listen="127.0.0.1:0") == {"ok": True}
    assert "PAYMENTS_PATIENCE" in nothing.refused("check-config", patience="never", status=2)
    assert "webhook-allow" in nothing.refused("check-config", webhook_allow="10.0.0.0/99", status=2)
    assert "stripe-api-base" in nothing.refused("check-config", stripe_api_base="ftp://x", status=2)
    assert not os.path.exists(nothing.directory)
    nothing.run("migrate")
    nothing.run("check-config", listen="127.0.0.1:0")
    os.truncate(os.path.join(nothing.directory, "pepper.key"), 5)
    assert "pepper.key must hold 32 bytes" in nothing.refused("check-config")


def test_migrate_creates_the_database_and_changes_nothing_the_second_time(place):
    place.run("migrate")
    before = place.sql("SELECT version FROM schema_version")
    place.run("migrate")
    assert place.sql("SELECT version FROM schema_version") == before


def test_a_newer_database_is_not_migrated(place):
    place.sql("INSERT INTO schema_version VALUES (9999)")
    assert "newer paymentsd" in place.refused("migrate")


def test_the_version_is_printed(nothing):
    for words in (["version"], ["--version"], ["-V"]):
        assert nothing.run(*words).stdout == f"paymentsd {nothing.json(*words)['version']}\n"


@contextlib.contextmanager
def readyz(status):
    """A server that answers /readyz with this status. Yields its port."""
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


def test_healthcheck_asks_the_service_whether_it_is_ready(place):
    with readyz(200) as port:
        place.run("healthcheck", listen=f"127.0.0.1:{port}")
        place.run("healthcheck", "--listen", f"0.0.0.0:{port}")
    with readyz(503) as port:
        assert "503" in place.refused("healthcheck", listen=f"127.0.0.1:{port}")
    assert "connect" in place.refused("healthcheck", listen=f"127.0.0.1:{port}")
