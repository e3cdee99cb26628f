"""Failed starts. Each prints one plain line that names what is wrong, logs nothing, leaves no half-made data, and exits with
a status that fits. Existing data does not change."""
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess

import pytest

from support.merchant import Merchant
from support.process import environment
from support.waiting import scaled

TIMEOUT_S = 20


class Start:
    """The program and an empty data directory."""

    def __init__(self, binary, directory):
        self.binary = str(binary)
        self.directory = directory / "data"

    def refused(self, *words, **settings):
        """The error line, without the program's name."""
        given = {"data_dir": self.directory, "listen": "127.0.0.1:0"} | settings
        variables = {f"PAYMENTS_{name.upper()}": str(value) for name, value in given.items() if value is not None}
        done = subprocess.run([self.binary, "serve", *words], env=environment(**variables), text=True,
                              errors="replace",
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=scaled(TIMEOUT_S), check=False)
        assert done.returncode in (1, 2) and done.stdout == "", done
        assert re.fullmatch(r"paymentsd: [^\n]+\n", done.stderr), done.stderr
        return done.stderr.removeprefix("paymentsd: ").rstrip("\n")


@pytest.fixture
def begin(binary, tmp_path):
    return Start(binary, tmp_path)


@pytest.fixture
def used(start_server, nghttpx):
    """A stopped server, and the merchant and payment that it holds."""
    server = start_server(**nghttpx.settings)
    merchant = Merchant.with_stripe(server)
    payment = merchant.pay()
    server.terminate()
    return server, merchant, payment


def holds(used):
    """Checks that the server starts again and has everything."""
    server, merchant, payment = used
    server.start()
    assert merchant.payment(payment["id"]) == payment
    assert merchant.pay()["status"] == "completed"


# Settings

@pytest.mark.parametrize("name, value", [
    ("patience", "banana"), ("patience", "0s"), ("patience", "-1s"), ("patience", "99999999999h"),
    ("connections", "many"), ("connections", "0"), ("operations", "1e3"), ("queue", "99999999999999999999"),
    ("charge_window", "24h"), ("request_timeout", "10ms"), ("idle_timeout", "0"), ("log_level", "loud"),
    ("webhook_allow_http", "perhaps"), ("listen", "banana"), ("listen", "127.0.0.1"), ("listen", "127.0.0.1:99999"),
    ("listen", "300.0.0.1:80"), ("trusted_proxies", "banana"), ("trusted_proxies", "10.0.0.0/33"),
    ("webhook_allow", "10.0.0.0/"),
    ("webhook_schedule", "5,x"), ("webhook_schedule", ","), ("stripe_api_base", "api.stripe.com"),
    ("stripe_api_base", "ftp://stripe"),
    ("stripe_ca_file", "/nonexistent/ca.pem"), ("database", "mysql://localhost"), ("database", "sqlite::memory:"),
    ("database", "sqlite:"), ("config", "/nonexistent/settings")])
def test_an_invalid_setting_is_named_and_nothing_is_created(begin, name, value):
    line = begin.refused(**{name: value})
    assert name.replace("_", "-") in line or f"PAYMENTS_{name.upper()}" in line or value in line and value, line
    assert not os.path.exists(begin.directory) or name == "listen"


@pytest.mark.parametrize("words", [["--nonsense"], ["--patience"], ["--patience=banana"], ["word"],
                                   ["--listen", "a", "--listen", "b"],
                                   ["-v"], ["--port", "80"]])
def test_an_invalid_flag_is_refused(begin, words):
    assert words[0].split("=")[0].lstrip("-") in begin.refused(*words)
    assert not os.path.exists(begin.directory)


def test_a_mistake_in_the_settings_file_is_named_with_its_line(begin, tmp_path):
    file = tmp_path / "settings"
    file.write_text("# ours\npatience = banana\n", encoding="ascii")
    line = begin.refused(config=file)
    assert str(file) in line and "patience" in line
    file.write_text("nonsense = 1\n", encoding="ascii")
    assert "nonsense" in begin.refused(config=file)
    file.write_bytes(b"\x00\xff\xfe" * 100)
    begin.refused(config=file)


# The port

def test_a_port_in_use_is_named(begin, used):
    server = used[0]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = begin.refused(listen=address)
        assert address in line and "in use" in line
        assert "in use" in begin.refused(listen=address, data_dir=server.data_dir)
    holds(used)


def test_a_second_service_on_a_port_leaves_the_first_alone(begin, start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    merchant = Merchant(server)
    assert "in use" in begin.refused(listen=f"127.0.0.1:{server.port}")
    assert merchant.api.get("/v1/merchant/me").status == 200


# The database

@pytest.mark.parametrize("content", [b"garbage" * 1000, bytes(range(256)) * 64,
                                     b"SQLite format 3\x00" + b"\xff" * 8192,
                                     b"<html></html>"], ids=["text", "bytes", "head alone", "short"])
def test_a_file_that_is_no_database_is_refused_and_kept(begin, tmp_path, content):
    path = tmp_path / "garbage.db"
    path.write_bytes(content)
    line = begin.refused(database=f"sqlite:{path}")
    assert str(path) in line or "master key" in line
    assert path.read_bytes() == content


def test_a_damaged_database_is_refused_until_it_is_restored(used, begin):
    server = used[0]
    path = os.path.join(server.data_dir, "payments.db")
    shutil.copy(path, path + ".kept")
    with open(path, "r+b") as file:
        file.seek(0)
        file.write(secrets.token_bytes(4096))
    assert begin.refused(data_dir=server.data_dir)
    shutil.move(path + ".kept", path)
    holds(used)


def test_a_database_that_cannot_be_reached_is_named(begin, tmp_path):
    assert "directory" in begin.refused(database=f"sqlite:{tmp_path}")
    assert "/nonexistent" in begin.refused(database="sqlite:/nonexistent/payments.db")
    (tmp_path / "file").write_bytes(b"")
    assert str(tmp_path / "file") in begin.refused(data_dir=tmp_path / "file" / "data")


# The keys

@pytest.mark.parametrize("name", ["master.key", "pepper.key"])
def test_another_key_is_refused_and_the_right_one_still_opens_the_database(used, begin, name):
    server = used[0]
    path = os.path.join(server.data_dir, name)
    shutil.copy(path, path + ".kept")
    for content, said in ((secrets.token_hex(32), "another"), ("short", "32 bytes"), ("", "32 bytes"),
                          ("z" * 64, "32 bytes")):
        with open(path, "w", encoding="ascii") as file:
            file.write(content)
        assert said in begin.refused(data_dir=server.data_dir)
    os.remove(path)
    assert "the one that the database was created with" in begin.refused(data_dir=server.data_dir)
    assert not os.path.exists(path), "a key is never created again for a database"
    shutil.move(path + ".kept", path)
    holds(used)


def test_a_refusal_never_shows_a_key(begin, tmp_path):
    key = "0" * 40 + "secret-in-a-key-file"
    path = tmp_path / "master.key"
    path.write_text(key, encoding="ascii")
    path.chmod(0o600)
    assert key not in begin.refused(master_key_file=path)


# Interrupted starts

def test_a_start_that_is_interrupted_leaves_a_database_that_starts(binary, begin, start_server, nghttpx):
    command = [begin.binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(begin.directory)]
    for attempt in range(6):
        with subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as process:
            first = process.stderr.readline() if attempt % 2 else b""
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert b"paymentsd: " not in first
    server = start_server(**nghttpx.settings, data_dir=begin.directory)
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))):
        assert server.api().get("/readyz").status == 200
