"""Which database a command uses. Only `serve` and `migrate` create one. The default is the same from every folder."""
import json
import os
import subprocess

import pytest

from support.merchant import Merchant
from support.process import environment
from support.waiting import scaled

TIMEOUT_S = 60
NEEDS_A_DATABASE = [["createsuperadmin"], ["createmerchant", "--name", "shop"], ["createapikey"], ["listapikeys"], ["listmerchants"],
                    ["updatemerchant", "--merchant", "shop", "--active", "false"], ["revokeapikey", "sk_live_x"],
                    ["verify-audit"], ["backup", "/nonexistent/copy.db"], ["rotate-master-key"]]


@pytest.mark.parametrize("words", NEEDS_A_DATABASE, ids=lambda words: words[0])
def test_a_command_creates_no_database_and_names_the_missing_one(nothing, words):
    message = nothing.refused(*words)
    assert nothing.database in message and "PAYMENTS_DATA_DIR or --data-dir" in message
    assert not os.path.exists(nothing.directory)


@pytest.mark.parametrize("words", NEEDS_A_DATABASE, ids=lambda words: words[0])
def test_an_empty_file_is_no_database(nothing, words):
    os.mkdir(nothing.directory)
    with open(nothing.database, "w", encoding="ascii"):
        pass
    assert "there is no database" in nothing.refused(*words)
    assert os.listdir(nothing.directory) == ["payments.db"] and os.path.getsize(nothing.database) == 0


def test_nothing_is_asked_if_there_is_no_database(nothing, terminal):
    for command in ("createmerchant", "createsuperadmin", "createapikey", "revokeapikey", "updatemerchant"):
        asked = terminal(command)
        assert asked.expect("paymentsd: there is no database") == ""
        asked.end(status=1)


# The schema

@pytest.mark.parametrize("words", [words for words in NEEDS_A_DATABASE if words[0] != "backup"], ids=lambda words: words[0])
def test_a_command_refuses_a_database_of_an_older_version(place, words):
    older = place.sql("SELECT max(version) FROM schema_version")[0][0] - 1
    place.sql("DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)")
    before = place.bytes()
    message = place.refused(*words)
    assert f"schema is version {older}, this program's is {older + 1}" in message and "paymentsd migrate" in message
    assert place.bytes() == before


def test_migrate_refuses_while_a_service_runs_and_names_it(start_server, stub_stripe):
    server = start_server(stub_stripe.url)
    told = server.command("migrate", check=False)
    assert told.returncode == 1 and told.stderr.count("\n") == 1
    assert "another paymentsd is serving this database" in told.stderr and f"by process {server.process.pid})" in told.stderr
    server.terminate()
    server.command("migrate")


# What other users may read

@pytest.mark.parametrize("words", [["serve"], ["migrate"], ["createapikey"], ["listapikeys"], ["backup", "copy.db"],
                                   ["verify-audit"], ["check-config"]], ids=lambda words: words[0])
def test_a_database_that_others_may_read_is_refused(place, words):
    os.chmod(place.database, 0o640)
    assert f"{place.database} is accessible to other users: run chmod 600 on it" in place.refused(*words, listen="127.0.0.1:0")
    os.chmod(place.database, 0o600)
    place.run("listapikeys")


@pytest.mark.parametrize("words", [["backup", "copy.db"], ["listapikeys"], ["serve"], ["rotate-master-key"]],
                         ids=lambda words: words[0])
def test_a_database_that_may_not_be_read_is_not_called_missing(place, words):
    os.chmod(place.directory, 0o000)
    as_a_user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    try:
        message = place.refused(*words, before=as_a_user)
    finally:
        os.chmod(place.directory, 0o700)
    assert f"cannot read the database {place.database}: Permission denied" in message
    assert not os.path.exists("copy.db")


# The default directory

class Home:
    """A home directory, and other folders to run the program in."""

    def __init__(self, binary, directory):
        self.binary = str(binary)
        self.home = directory / "home"
        self.data = self.home / ".local" / "state" / "paymentsd"
        self.folders = [directory / "one", directory / "two"]
        for folder in (self.home, *self.folders):
            folder.mkdir()

    def run(self, *words, folder=0, **variables):
        given = {name: value for name, value in environment().items()
                 if name not in ("HOME", "XDG_STATE_HOME", "STATE_DIRECTORY")}
        given |= {"HOME": str(self.home)} | {name: str(value) for name, value in variables.items()}
        return subprocess.run([self.binary, *words], cwd=self.folders[folder], env=given, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=scaled(TIMEOUT_S), check=False)

    def done(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 1 and not done.stdout and done.stderr.count("\n") == 1, done
        return done.stderr


@pytest.fixture
def home(binary, tmp_path):
    return Home(binary, tmp_path)


def test_every_folder_finds_the_same_database_and_none_is_made_in_it(home):
    home.done("migrate", folder=0)
    key = json.loads(home.done("createapikey", "--json", folder=1))
    assert json.loads(home.done("listapikeys", "--json", folder=0))[0]["id"] == key["id"]
    assert (home.data / "payments.db").exists() and (home.data / "master.key").exists()
    assert not any(os.listdir(folder) for folder in home.folders)


def test_the_state_directory_of_systemd_or_the_user_overrides_the_default(home, tmp_path):
    home.done("migrate", XDG_STATE_HOME=tmp_path / "xdg")
    assert (tmp_path / "xdg" / "paymentsd" / "payments.db").exists()
    home.done("migrate", XDG_STATE_HOME=tmp_path / "xdg", STATE_DIRECTORY=tmp_path / "systemd")
    assert (tmp_path / "systemd" / "payments.db").exists()
    home.done("migrate", STATE_DIRECTORY=tmp_path / "systemd", PAYMENTS_DATA_DIR=tmp_path / "given")
    assert (tmp_path / "given" / "payments.db").exists()
    assert not home.data.exists()


def test_without_a_home_the_data_directory_must_be_set(home):
    assert "PAYMENTS_DATA_DIR" in home.refused("serve", HOME="")
    assert "PAYMENTS_DATA_DIR" in home.refused("createapikey", HOME="")


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_database_in_the_former_default_directory_is_not_ignored(home, command):
    former = home.folders[0] / "data"
    home.done("migrate", PAYMENTS_DATA_DIR=former)
    message = home.refused(command)
    assert "there is a database in ./data" in message and str(home.data) in message
    assert not home.data.exists()
    home.done("migrate", PAYMENTS_DATA_DIR="./data")
    home.done("migrate", folder=1)


# What serve logs about it

def test_the_service_says_which_database_it_opened_and_what_it_holds(start_server, sandbox):
    server = start_server(sandbox.url)
    new = server.wait_for_log(message="created a new database")
    assert new["level"] == "warn" and new["payments"] == 0
    assert new["file"] == os.path.realpath(server.data_dir) + "/payments.db"
    merchant = Merchant(server)
    merchant.use_stripe()
    for _ in range(3):
        merchant.pay()
    server.restart()
    opened = server.wait_for_log(message="the database is open")
    assert opened["level"] == "info" and opened["payments"] == 3 and opened["file"] == new["file"]
    assert not [entry for entry in server.log() if entry["message"] == "created a new database"]
