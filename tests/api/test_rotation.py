"""A new master key: every sealed value opens with it, nothing needs the old one, and an interruption anywhere can be
resumed."""
import os
import re
import shutil
import stat
import uuid

import pytest

from support.database import kept_values, open_database
from support.events import event, intent_of, send_event
from support.merchant import Merchant
from support.receiver import payments_signature
from support.stripe_model import AUTHENTICATE
from support.waiting import wait_until

SEALED = {("credential_versions", "secret_key"), ("credentials", "webhook_secret"), ("merchants", "webhook_secret"),
          ("merchants", "webhook_secret_old"), ("payments", "action_secret"), ("replies", "body"), ("inbox", "body")}
# Longer than any other bytes that the database holds: version, key id, nonce and tag.
SEALED_BYTES_MIN = 37


class Keys:
    """The key files of a server, and what in its database needs which."""

    def __init__(self, server):
        self.server = server
        self.path = os.path.join(server.data_dir, "master.key")
        self.next_path = self.path + ".new"

    def text(self, path=None):
        with open(path or self.path, encoding="ascii") as file:
            return file.read()

    def kept(self):
        """The paths of the old keys."""
        names = os.listdir(self.server.data_dir)
        return [os.path.join(self.server.data_dir, name) for name in names
                if re.fullmatch("master[.]key[.][0-9a-f]{16}", name)]

    def sealed(self):
        """The columns that hold sealed values, by the id of the key that these need."""
        found = {}
        for table, column, value in kept_values(self.server):
            if isinstance(value, bytes) and len(value) >= SEALED_BYTES_MIN:
                found.setdefault(value[1:9], set()).add((table, column))
        return found

    def present_id(self):
        with open_database(self.server) as database:
            return database.execute("SELECT value FROM meta WHERE name = 'master_key_id'").fetchone()[0]

    def rotate(self, **options):
        return self.server.command("rotate-master-key", **options)


class Shop:
    """A merchant of whom the database holds every kind of sealed value."""

    def __init__(self, server, receiver):
        self.server = server
        self.receiver = receiver
        self.merchant = Merchant(server)
        self.merchant.use_stripe()
        self.merchant.use_webhook(receiver.url)
        self.secret = self.merchant.api.put("/v1/merchant/webhook", {"webhook_url": receiver.url, "rotate_secret": True},
                                            expect=200).data["webhook_secret"]
        self.merchant.pay(idempotency_key="before")
        self.answer = self.repeat()
        self.waiting = self.merchant.pay(payment_method=AUTHENTICATE)
        early = self.waiting | {"id": str(uuid.uuid4()), "provider_ref": "pi_that_is_not_there_yet"}
        send_event(server, event("payment_intent.succeeded", intent_of(early)), self.merchant.stripe_webhook_secret)

    def repeat(self):
        body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
        answer = self.merchant.api.post("/v1/payments", body, idempotency_key="before", expect=201)
        assert answer.replayed
        return answer.body

    def holds(self):
        """Everything that was sealed is used: the stored answer, the payer's secret, Stripe's key and both directions'
        signing secrets."""
        assert self.repeat() == self.answer
        assert self.merchant.payment(self.waiting["id"])["next_action"] == self.waiting["next_action"]
        payment = self.merchant.pay()
        assert payment["status"] == "completed"
        delivery = self.receiver.wait_for(lambda sent: sent.json["data"]["id"] == payment["id"])
        assert payments_signature(self.secret, delivery) in delivery.header("X-Payments-Signature").split(",")
        ended = event("payment_intent.succeeded", intent_of(self.waiting))
        send_event(self.server, ended, self.merchant.stripe_webhook_secret)
        wait_until(lambda: self.merchant.payment(self.waiting["id"])["status"] == "completed", what="the event's payment")
        return True


@pytest.fixture
def shop(start_server, nghttpx, receiver):
    return Shop(start_server(**nghttpx.settings), receiver)


@pytest.fixture
def stopped(shop):
    shop.server.terminate()
    return shop, Keys(shop.server)


def test_everything_that_was_sealed_opens_with_the_new_key_and_nothing_needs_the_old_one(stopped):
    shop, keys = stopped
    old, old_id = keys.text(), keys.present_id()
    assert keys.sealed() == {old_id: SEALED}
    done = shop.server.command_json("rotate-master-key")
    assert keys.text() != old and keys.present_id() != old_id
    assert keys.sealed() == {keys.present_id(): SEALED}
    assert done["master_key_file"] == keys.path and keys.text(done["old_master_key_file"]) == old
    assert done["count"] >= len(SEALED) and not os.path.exists(keys.next_path)
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in [keys.path, *keys.kept()]} == {0o600}
    shop.server.start()
    assert shop.holds()


def test_a_key_is_rotated_as_often_as_one_likes(stopped):
    shop, keys = stopped
    texts = [keys.text()]
    for _ in range(3):
        keys.rotate()
        texts.append(keys.text())
    assert len(set(texts)) == 4 and sorted(map(keys.text, keys.kept())) == sorted(texts[:3])
    shop.server.start()
    assert shop.holds()


def test_while_the_service_runs_it_is_refused_and_changes_nothing(shop):
    keys = Keys(shop.server)
    old = keys.text()
    refused = keys.rotate(check=False)
    assert refused.returncode == 1 and "another paymentsd is serving this database" in refused.stderr
    assert keys.text() == old and shop.repeat() == shop.answer
    assert not keys.kept() and not os.path.exists(keys.next_path)
    shop.server.restart()
    assert shop.holds()


def test_an_interruption_before_the_commit_leaves_the_old_key_in_use_and_the_next_one_to_be_taken_up(stopped, tmp_path):
    shop, keys = stopped
    old = keys.text()
    # As it is before the commit: the next key is there, and the old one has its second name, which a rotation of a copy
    # tells.
    shop.server.settings["data_dir"] = shutil.copytree(shop.server.data_dir, tmp_path / "copy")
    shop.server.command("rotate-master-key")
    del shop.server.settings["data_dir"]
    (kept,) = (tmp_path / "copy").glob("master.key.*")
    os.link(keys.path, f"{shop.server.data_dir}/{kept.name}")
    shutil.copy(tmp_path / "copy" / "master.key", keys.next_path)
    chosen = keys.text(keys.next_path)
    assert keys.text() == old != chosen
    shop.server.start()
    assert shop.repeat() == shop.answer
    shop.server.terminate()
    keys.rotate()
    assert keys.text() == chosen and len(keys.kept()) == 1
    shop.server.start()
    assert shop.holds()


def test_an_interruption_after_the_commit_is_reported_and_the_same_command_ends_it(stopped):
    shop, keys = stopped
    keys.rotate()
    # As it is between the commit and the new key's move.
    os.rename(keys.path, keys.next_path)
    shutil.copy(keys.kept()[0], keys.path)
    start = shop.server.command("serve", check=False)
    assert start.returncode == 1 and "finish it with paymentsd rotate-master-key" in start.stderr
    chosen = keys.text(keys.next_path)
    keys.rotate()
    assert keys.text() == chosen and not os.path.exists(keys.next_path)
    shop.server.start()
    assert shop.holds()


def test_one_value_that_does_not_open_stops_it_and_nothing_is_changed(stopped):
    shop, keys = stopped
    old, before = keys.text(), list(kept_values(shop.server))
    with open_database(shop.server) as database:
        good, = database.execute("SELECT body FROM replies").fetchone()
        database.execute("UPDATE replies SET body = ? WHERE body = ?", (good[:-1] + bytes([good[-1] ^ 1]), good))
    refused = keys.rotate(check=False)
    assert refused.returncode == 1 and "damaged" in refused.stderr
    with open_database(shop.server) as database:
        database.execute("UPDATE replies SET body = ? WHERE substr(body, 1, ?) = ?", (good, len(good) - 1, good[:-1]))
    assert keys.text() == old and list(kept_values(shop.server)) == before
    assert not keys.kept() and not os.path.exists(keys.next_path)
    shop.server.start()
    assert shop.holds()


def test_another_key_than_the_databases_is_refused_and_does_not_become_it(stopped, tmp_path):
    shop, keys = stopped
    other = tmp_path / "other.key"
    other.write_text("00" * 32)
    other.chmod(0o600)
    shop.server.settings["master_key_file"] = other
    refused = keys.rotate(check=False)
    assert refused.returncode == 1 and "another master key" in refused.stderr
    assert other.read_text() == "00" * 32 and sorted(path.name for path in tmp_path.iterdir()) == ["other.key"]
    del shop.server.settings["master_key_file"]
    shop.server.start()
    assert shop.holds()


def test_without_a_database_nothing_is_made(start_server, nghttpx, tmp_path):
    server = start_server(**nghttpx.settings)
    server.terminate()
    server.settings["data_dir"] = tmp_path / "nothing"
    refused = server.command("rotate-master-key", check=False)
    del server.settings["data_dir"]
    assert refused.returncode == 1 and "there is no database" in refused.stderr
    assert not os.path.exists(tmp_path / "nothing")
