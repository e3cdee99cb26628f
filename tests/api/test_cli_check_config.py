"""check-config checks everything that serve needs, and changes nothing; make refuses unknown variables."""
import os
import pathlib
import secrets
import shutil
import socket
import subprocess

import pytest

from conftest import ROOT
from support.process import environment
from support.waiting import scaled

TIMEOUT_S = 60
# Root ignores file permissions unless it drops these capabilities.
AS_A_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def everything_in(directory):
    """The name, mode, time and content of each file and of the directory itself."""
    found = {}
    for path in [pathlib.Path(directory), *pathlib.Path(directory).rglob("*")]:
        status = path.stat()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, None if path.is_dir() else path.read_bytes())
    return found


@pytest.fixture
def used(place):
    """A database that holds something; no service runs on it."""
    place.json("createapikey")
    return place


def free(place, **settings):
    return {"listen": "127.0.0.1:0"} | settings


def sound(place, **settings):
    place.run("check-config", **free(place, **settings))


def unsound(place, *, before=(), status=1, **settings):
    """The error line of check-config, which changed nothing. serve refuses the same settings."""
    parent = os.path.dirname(place.directory)
    as_it_was = everything_in(parent)
    message = place.refused("check-config", before=before, status=status, **free(place, **settings))
    assert everything_in(parent) == as_it_was
    place.refused("serve", before=before, status=status, **free(place, **settings))
    return message


def test_a_valid_database_passes_and_is_not_changed(used):
    as_it_was = everything_in(used.directory)
    sound(used)
    assert everything_in(used.directory) == as_it_was


def test_before_the_first_start_nothing_is_created(nothing):
    sound(nothing)
    assert not os.path.exists(nothing.directory)


@pytest.mark.parametrize("name, what", [("master.key", "master key"), ("pepper.key", "pepper")])
def test_the_key_of_another_database_is_reported(used, name, what):
    with open(os.path.join(used.directory, name), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    assert f"created with another {what}" in unsound(used)


def test_a_missing_or_malformed_key_is_reported(used):
    path = os.path.join(used.directory, "master.key")
    os.rename(path, path + ".away")
    assert "the one that the database was created with" in unsound(used)
    with open(path, "w", encoding="ascii") as file:
        file.write("short")
    os.chmod(path, 0o600)
    assert "must hold 32 bytes" in unsound(used)


def test_a_malformed_key_is_reported_before_the_other_one_exists(nothing):
    os.mkdir(nothing.directory)
    path = os.path.join(nothing.directory, "master.key")
    with open(path, "w", encoding="ascii") as file:
        file.write("short")
    os.chmod(path, 0o600)
    assert "must hold 32 bytes" in unsound(nothing)


def test_a_directory_that_cannot_be_read_or_written_is_reported(used):
    for mode in (0o000, 0o500):
        os.chmod(used.directory, mode)
        try:
            message = used.refused("check-config", before=AS_A_USER, **free(used))
            assert used.directory in message and "Permission denied" in message
        finally:
            os.chmod(used.directory, 0o700)


def test_a_directory_that_cannot_be_created_is_reported(nothing):
    os.chmod(os.path.dirname(nothing.directory), 0o500)
    message = nothing.refused("check-config", before=AS_A_USER, **free(nothing))
    assert os.path.dirname(nothing.directory) in message and "Permission denied" in message
    os.chmod(os.path.dirname(nothing.directory), 0o700)
    with open(nothing.directory, "w", encoding="ascii"):
        pass
    assert "Not a directory" in unsound(nothing)


def test_a_newer_a_damaged_and_no_database_are_reported(used):
    whole = used.database + ".whole"
    shutil.copy(used.database, whole)
    used.sql("INSERT INTO schema_version VALUES (9999)")
    assert "newer paymentsd" in unsound(used)
    with open(used.database, "wb") as file:
        file.write(b"garbage" * 1000)
    assert "not a SQLite database" in unsound(used)
    with open(used.database, "wb") as file:
        file.write(b"SQLite format 3\x00" + b"\xff" * 8192)
    unsound(used)
    shutil.copy(whole, used.database)
    sound(used)


def test_certificates_that_cannot_be_read_are_reported(used, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", encoding="ascii")
    assert str(file) in unsound(used, stripe_ca_file=str(file), stripe_api_base="https://127.0.0.1:1")


def test_an_address_that_cannot_be_listened_on_is_reported(used):
    assert "banana" in unsound(used, listen="banana", status=2)
    assert "192.0.2.1:80" in unsound(used, listen="192.0.2.1:80")    # an address of no interface here
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "in use" in unsound(used, listen=f"127.0.0.1:{taken.getsockname()[1]}")


def test_the_running_service_may_use_the_port(start_server, sandbox):
    server = start_server(sandbox.url)
    server.command("check-config", "--listen", f"127.0.0.1:{server.port}")
    assert server.api().get("/readyz").status == 200


# make

def make(place, *words):
    variables = place.environment() | {"BUILD": os.path.dirname(place.binary)}
    return subprocess.run(["make", *words], cwd=ROOT, env=variables, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=scaled(TIMEOUT_S), check=False)


@pytest.mark.parametrize("words, wrong", [
    (["createapikey", "SCOPE=payments:read"], "SCOPE"), (["createapikey", "scopes=payments:read"], "scopes"),
    (["createapikey", "KEY=x"], "KEY"), (["createsuperadmin", "SCOPES=payments:read"], "SCOPES"),
    (["createmerchant", "MERCHANT=x"], "MERCHANT"), (["updatemerchant", "MERCHANT=x", "ACTVE=false"], "ACTVE"),
    (["revokeapikey", "ID=x"], "ID"), (["listapikeys", "NAME=x"], "NAME"), (["run", "PORT=80"], "PORT")])
def test_make_refuses_a_variable_that_the_target_does_not_take(place, words, wrong):
    done = make(place, *words)
    assert done.returncode == 2 and not done.stdout, done
    assert f"make {words[0]}: unknown variable {wrong}; it takes" in done.stderr
    assert place.json("listapikeys") == [] and place.audit() == []


@pytest.mark.parametrize("variable", ["SCOPES", "MODE", "EXPIRES", "MERCHANT", "NAME"])
def test_make_refuses_an_empty_value(place, variable):
    done = make(place, "createapikey", f"{variable}=")
    assert done.returncode == 2 and f"--{variable.lower()} needs a value" in done.stderr
    assert place.json("listapikeys") == []
