"""How the commands refuse: one line that says what is wrong, and a status that says whose mistake it is."""
import os
import re
import uuid

import pytest

from conftest import ROOT


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
def test_an_error_is_one_line_that_says_what_is_allowed(place, words, status, message):
    assert message in place.refused("createapikey", *words, status=status)
    assert not os.path.exists(place.database) or place.json("listapikeys") == []


@pytest.mark.parametrize("words", [["serve", "--nonsense"], ["serve", "--patience", "banana"], ["serve", "word"],
                                   ["migrate", "--patience"], ["check-config", "word"], ["backup", "a", "b"],
                                   ["sandbox", "word"], ["sandbox", "--nonsense"], ["version", "word"], ["bogus"],
                                   ["verify-audit", "--json=1"], ["listmerchants", "word"], ["revokeapikey", "a", "b"]])
def test_a_command_called_wrongly_exits_with_2(nothing, words):
    done = nothing.run(*words, status=2)
    assert done.stderr.startswith("paymentsd: ") and not done.stdout and not os.path.exists(nothing.directory)


# A wrong value of each setting, and every command, also those that do not use it.
WRONG = {"listen": "banana", "database": "banana", "stripe-api-base": "banana", "stripe-ca-file": "/nonexistent", "stripe-rate": "banana",
         "stripe-timeout": "banana", "webhook-allow": "banana", "webhook-allow-http": "banana", "webhook-schedule": "banana",
         "webhook-timeout": "1ms", "webhook-in-flight": "0", "proxy": "banana", "trusted-proxies": "10.0.0.0/99", "charge-window": "24h",
         "patience": "banana", "log-level": "banana", "config": "/nonexistent"}
COMMANDS = [["serve"], ["migrate"], ["check-config"], ["createapikey"], ["createmerchant", "--name", "shop"], ["createsuperadmin"],
            ["updatemerchant", "--merchant", "shop", "--active", "false"], ["listmerchants"], ["listapikeys"], ["revokeapikey", "sk_live_x"],
            ["verify-audit"], ["backup", "copy.db"], ["rotate-master-key"], ["healthcheck"],
            ["copy", "--from", "sqlite:a.db", "--to", "sqlite:b.db"]]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_exits_with_2_wherever_it_is_given(nothing, tmp_path, name):
    value, variable = WRONG[name], name.replace("-", "_")
    nothing.settings.pop(name, None)  # it would override the file
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
def test_every_command_refuses_wrong_flags_and_arguments_with_2(nothing, words, more):
    nothing.refused(*words, *more, status=2)
    assert not os.path.exists(nothing.directory)


@pytest.mark.parametrize("words", [["sandbox", "--listen", "banana"], ["createapikey", "--mode", "banana"], ["createapikey", "--scopes", "x"],
                                   ["createapikey", "--expires", "x"], ["createmerchant", "--name", ""], ["createsuperadmin", "--name", ""],
                                   ["updatemerchant", "--merchant", "shop", "--active", "banana"]], ids=" ".join)
def test_a_wrong_value_of_a_commands_own_flag_exits_with_2(place, words):
    place.refused(*words, status=2)


def test_other_errors_exit_with_1(nothing, place, tmp_path):
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


def test_the_help_of_serve_describes_each_setting(place):
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
def test_a_lost_key_is_not_created_again_for_a_database(place, name):
    place.json("createapikey")
    path = os.path.join(place.directory, name)
    os.rename(path, path + ".away")
    assert "the one that the database was created with" in place.refused("createapikey")
    assert not os.path.exists(path)


def test_a_key_file_that_other_users_may_read_is_refused(place):
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
