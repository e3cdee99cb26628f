"""What the commands ask in a terminal, and when they do not."""
import json
import os
import uuid


def test_in_a_terminal_it_asks_with_the_defaults_in_brackets(place, terminal):
    place.json("createmerchant", "--name", "shop")
    asked = terminal("createapikey")
    asked.answer("Merchant (id or name) [shop]: ")
    asked.answer("Scopes [payments:read,payments:write,merchant:read,merchant:write,webhooks:read]: ", "audit:read")
    asked.answer("Mode (test or live) [live]: ", " test ")
    asked.answer("Expires (a date, or a duration such as 90d) [never]: ", "1d")
    asked.answer("Name of the key (optional): ", "billing")
    assert "sk_test_" in asked.end()
    (key,) = place.json("listapikeys")
    assert (key["merchant"], key["scopes"], key["mode"], key["name"]) == ("shop", ["audit:read"], "test", "billing")


def test_given_flags_and_the_first_merchant_are_not_asked_for(place, terminal):
    asked = terminal("createapikey", "--mode", "test", "--name", "x", "--expires", "1d")
    assert asked.answer("Scopes [") == ""
    assert "new merchant \"default\"" in asked.end()


def test_in_a_terminal_several_merchants_are_listed_to_choose_from(place, terminal):
    ids = [place.json("createmerchant", "--name", name)["id"] for name in ("one", "two")]
    asked = terminal("createapikey", "--mode", "test", "--name", "x", "--expires", "1d", "--scopes", "audit:read")
    listed = asked.answer("Merchant (id or name): ")
    assert all(one in listed for one in ids)
    asked.answer("Merchant (id or name): ", "two")     # there is no default, so it asks again after an empty answer
    asked.end()
    assert place.json("listapikeys")[0]["merchant"] == "two"


def test_a_wrong_answer_is_refused_at_once_and_asked_for_again(place, terminal):
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


def test_the_end_of_input_cancels_the_command(place, terminal):
    for command, question in (("createmerchant", "Name of the merchant: "), ("revokeapikey", "Key to revoke"),
                              ("createsuperadmin", "Name of the admin")):
        asked = terminal(command)
        asked.expect(question)
        asked.hang_up_input()
        asked.expect("nothing was done")
        asked.end(status=1)
    assert place.audit() == []


def test_with_json_nothing_is_asked(place, terminal):
    assert json.loads(terminal("createapikey", "--json").end())["mode"] == "live"
    assert place.audit() == ["merchant.created", "key.created"]


def test_without_a_terminal_a_missing_argument_is_named(nothing):
    assert "--name is missing" in nothing.refused("createmerchant", status=2)
    assert "KEY is missing" in nothing.refused("revokeapikey", status=2)
    assert "FILE is missing" in nothing.refused("backup", status=2)
    assert not os.path.exists(nothing.directory)
