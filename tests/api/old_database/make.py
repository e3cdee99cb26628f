#!/usr/bin/python3
"""Makes the database that test_old_database.py opens: make.py PAYMENTSD, the program of the version before. Two kills, and a
Stripe that does not answer, leave unfinished work of every kind in it. It writes next to itself

    database.sql    the database
    sandbox.jsonl   the state of the sandbox that was its Stripe, for `paymentsd sandbox --data`
    master.key, pepper.key  the database's keys, made for this test alone
    made.json       by the names that the test uses: ids, API keys, requests and the SHA-256 of their answers

The sandbox's state leaves out its events, and those answers under idempotency keys that nothing will ask for again."""
import contextlib
import hashlib
import json
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import uuid
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import requests  # noqa: E402

from sandbox_fixture import set_faults  # noqa: E402
from support.database import stored_events  # noqa: E402
from support.events import event, send_event  # noqa: E402
from support.http_listener import Answer  # noqa: E402
from support.merchant import Merchant, ask  # noqa: E402
from support.receiver import Receiver  # noqa: E402
from support.sandbox import Sandbox  # noqa: E402
from support.server import Server  # noqa: E402
from support.stock import uuid7  # noqa: E402
from support.waiting import wait_until  # noqa: E402

SETTINGS = {"webhook_allow": "127.0.0.1", "webhook_allow_http": True, "webhook_schedule": ",".join(["1"] * 32),
            "patience": "300ms", "reconcile_interval": "200ms"}
SHORT_SCHEDULE = {"webhook_schedule": "1"}
SHORT_WINDOW = {"charge_window": "1s", "stripe_timeout": "1s"}
HEALTHY = {"error_rate": 0, "latency_ms": 0}
AWAY = {"error_rate": 1, "error_status": 503, "latency_ms": 0}  # does nothing
SILENT = {"error_rate": 0, "latency_ms": 40_000}                # does what is asked; its answer comes after the kill
RETURN_URL = "https://shop.example/return"
ASKED_FOR = "pm_card_authenticationRequired"
ASKED_FOR_ONCE = "pm_card_authenticationRequiredOnSetup"


class KeptSandbox(Sandbox):
    """A sandbox that keeps its state in a file."""

    def __init__(self, binary, journal):
        self._again = lambda: super(KeptSandbox, self).__init__(binary, "--data", journal)
        self._again()

    def restart(self):
        """Kills it first: requests that it has not read are lost."""
        self.process.kill()
        self._again()


class Shop(Merchant):
    """A merchant that records each request under an idempotency key, and its answer."""

    def __init__(self, server, made, name):
        super().__init__(server, name=name)
        self.use_stripe(webhook=name != "unsigned")
        self._made = made
        made["merchants"][name] = {"id": self.id, "key": self.key["key"], "stripe_key": self.stripe_key,
                                   "stripe_webhook_secret": self.stripe_webhook_secret}

    def make(self, name, path, body):
        """POST with the name as idempotency key. Answers None where a card was not saved in time: it has no id yet."""
        key = name.replace(" ", "-")
        answer = ask(self.api, path, body, idempotency_key=key)
        assert answer.status == 201 or answer.codes == ["PROVIDER_UNAVAILABLE"], answer
        self._made["answers"].append({"merchant": self.name, "path": path, "key": key, "asked": body,
                                      "status": answer.status, "answer": hashlib.sha256(answer.body).hexdigest()})
        if answer.status == 201:
            self._made["objects"][name] = answer.data["id"]
        return answer.json.get("data")

    def charge(self, name, method="pm_card_visa", **fields):
        body = {"amount": "10.00", "currency": "USD", "provider": "stripe"} | fields
        return self.make(name, "/v1/payments", body if "saved_card_id" in body else body | {"payment_method": method})

    def save_card(self, name, method="pm_card_visa", **fields):
        email = f"{name.replace(' ', '-')}@shop.example"
        return self.make(name, "/v1/payments/cards", {"payment_method_id": method, "customer_email": email} | fields)

    def give_back(self, name, payment, amount=None):
        return self.make(name, "/v1/refunds", {"payment_id": payment["id"]} | ({"amount": amount} if amount else {}))


def rows(server, sql, *values):
    with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db", timeout=10)) as database:
        return database.execute(sql, values).fetchall()


def operation(server, payment):
    """look_up and absent_us of its open charge."""
    found, = rows(server, "SELECT look_up, absent_us FROM operations WHERE kind = 'charge' AND subject_id = ?",
                  uuid.UUID(payment["id"]).bytes)
    return found


def finish_some(shop):
    """Payments, refunds and cards that are final."""
    shop.charge("completed", description="tea", metadata={"b": "2", "a": "1"}, customer_email="payer@shop.example")
    shop.charge("yen", amount="1000", currency="JPY")
    shop.charge("declined", "pm_card_visa_chargeDeclined")
    shop.give_back("part", shop.charge("partly refunded"), "4.00")
    shop.give_back("whole", shop.charge("refunded"))
    shop.end(shop.charge("captured in part", capture_method="manual"), "capture", {"amount": "6.00"})
    shop.end(shop.charge("canceled", capture_method="manual"), "cancel")
    shop.charge("paid by card", saved_card_id=shop.save_card("card kept")["id"])


def begin_some(shop):
    """Payments, refunds and cards that wait for a payer, the merchant or a bank. Answers those that leave_open() goes on with."""
    shop.charge("at the bank", ASKED_FOR, return_url=RETURN_URL)
    shop.charge("authorised", capture_method="manual")
    shop.save_card("card at the bank", ASKED_FOR_ONCE, return_url=RETURN_URL)
    shop.give_back("refund at the bank", shop.charge("refund waits", "pm_sandbox_refundRequiresAction"))
    begun = {}
    for how in ("unanswered", "lost"):
        begun[how] = {
            "refund": shop.charge(f"refund {how}"),
            "capture": shop.charge(f"capture {how}", capture_method="manual"),
            "cancel": shop.charge(f"cancel {how}", capture_method="manual"),
            "detach": shop.save_card(f"detach {how}"),
            "authenticate": shop.charge(f"authenticate {how}",
                                        saved_card_id=shop.save_card(f"card to authenticate {how}", ASKED_FOR)["id"]),
        }
    return begun


def leave_open(shop, how, begun):
    """Opens an operation of each kind, to which Stripe gives no answer."""
    shop.charge(f"charge {how}")
    shop.charge(f"processing {how}", "pm_sandbox_processing")
    shop.charge(f"decline {how}", "pm_card_visa_chargeDeclined")
    shop.charge(f"save while paying {how}", save_card=True, customer_email=f"saves-{how}@shop.example")
    shop.save_card(f"save {how}")
    shop.save_card(f"set up {how}", ASKED_FOR_ONCE, return_url=RETURN_URL)
    shop.give_back(f"giving back {how}", begun["refund"], "3.00")
    shop.end(begun["capture"], "capture", {"amount": "6.00"}, expect=202)
    shop.end(begun["cancel"], "cancel", expect=202)
    shop.api.post(f"/v1/payments/{begun['authenticate']['id']}/authenticate", {"return_url": RETURN_URL}, expect=202)
    shop.api.delete(f"/v1/payments/cards/{begun['detach']['id']}", expect=200)


def outlive_windows(late, sandbox):
    """Charges that are only looked up, because their window is over. One of them was looked up and not found."""
    def wait_for(payment, *wanted, what):
        wait_until(lambda: all(operation(late.server, payment)[column] for column in wanted), what=what)
    set_faults(sandbox, **AWAY)
    absent = late.charge("absent once")
    wait_for(absent, 0, what="its window to end")
    set_faults(sandbox, **HEALTHY)
    wait_for(absent, 0, 1, what="it not to be found")
    set_faults(sandbox, **SILENT)
    found = late.charge("late, charged")
    set_faults(sandbox, **AWAY)
    missing = late.charge("late, never charged")
    for payment in (found, missing):
        wait_for(payment, 0, what="its window to end")


def leave_undelivered(shop, receiver, gone):
    """An event that was given up, and an endpoint that answered 410. From now on every delivery fails."""
    def wait_for(what, condition):
        wait_until(lambda: rows(shop.server, f"SELECT 1 FROM {condition}"), what=what)
    wait_until(lambda: not rows(shop.server, "SELECT 1 FROM outbox WHERE merchant_id = ? AND status <> 'delivered'",
                                uuid.UUID(shop.id).bytes), what="all events to be delivered")
    receiver.answer_next(Answer(410))
    gone.use_webhook(receiver.url)
    gone.charge("its endpoint is gone")
    wait_for("the endpoint to be gone", "merchants WHERE webhook_stopped")
    receiver.otherwise = Answer(500)
    shop.charge("its event died")
    wait_for("the event to be given up", "outbox WHERE status = 'dead'")


def make_keys(server, shop, made):
    made["superadmin"] = server.command_json("createsuperadmin", "--name", "root", "--mode", "live")["key"]
    made["read_only"] = shop.create_key("payments:read")["key"]
    revoked = shop.create_key()
    server.command("revokeapikey", "--key", revoked["id"])
    made["revoked"] = revoked["key"]
    idle = Merchant(server, name="inactive")
    idle.activate(False)
    made["inactive"] = idle.key["key"]


def charge_what_is_lacking(server, sandbox, shop, made):
    """A payment that Stripe has and the database lacks, as after a restore. The service must not run."""
    known = uuid.UUID(made["objects"]["charge lost"])
    (body,), = rows(server, "SELECT body FROM operations WHERE kind = 'charge' AND subject_id = ?", known.bytes)
    lacking = uuid7((known.int >> 80) * 1000)  # made at the same time
    form = body.replace(str(known), str(lacking)).replace("charge-lost", "lacking")
    assert form.count("lacking") == 1, form
    set_faults(sandbox, **HEALTHY)
    answer = requests.post(f"{sandbox.url}/v1/payment_intents", data=form, timeout=10,
                           headers={"Authorization": f"Bearer {shop.stripe_key}", "Idempotency-Key": f"pay_{lacking}",
                                    "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 200, answer.text
    set_faults(sandbox, **AWAY)
    made["objects"]["lacking"] = str(lacking)
    return answer.json()


def restart(server, end, **settings):
    """Ends it, and starts it with these settings besides its own."""
    end()
    server.settings = SETTINGS | {"stripe_api_base": server.settings["stripe_api_base"]} | settings
    server.start()


def make(server, sandbox, receiver, made):
    shop = Shop(server, made, "shop")
    made["webhook_secret"] = shop.use_webhook(receiver.url)
    late = Shop(server, made, "late")
    finish_some(shop)
    begun = begin_some(shop)
    Shop(server, made, "unsigned").charge("without an endpoint")
    leave_undelivered(shop, receiver, Shop(server, made, "gone"))
    make_keys(server, shop, made)

    restart(server, server.terminate, **SHORT_WINDOW)
    shop.give_back("its event waits too", shop.charge("its event waits"))
    outlive_windows(late, sandbox)
    server.terminate()
    made["from_us"], = rows(server, "SELECT max(created_us) FROM operations")[0]
    set_faults(sandbox, **SILENT)
    restart(server, lambda: None)
    leave_open(shop, "unanswered", begun["unanswered"])
    sandbox.process.signal(signal.SIGSTOP)
    leave_open(shop, "lost", begun["lost"])
    server.kill()
    sandbox.restart()

    lacking = charge_what_is_lacking(server, sandbox, shop, made)
    restart(server, lambda: None, stripe_api_base=sandbox.url)
    send_event(server, event("payment_intent.succeeded", lacking), shop.stripe_webhook_secret)
    assert stored_events(server, shop), "the event of the payment that is lacking is not kept"
    wait_until(lambda: rows(server, "SELECT 1 FROM operations WHERE kind = 'catch_up' AND attempts > 1"),
               what="Stripe to be asked in vain")
    new = Shop(server, made, "new")  # may pay: the service does not ask Stripe what it lacks of a new account
    sandbox.process.signal(signal.SIGSTOP)
    new.charge("just sent")
    server.kill()


def keep(server, made, journal):
    """Writes the files."""
    with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db")) as database:
        lines = "\n".join(database.iterdump()) + "\n"
    (FOLDER / "database.sql").write_text(lines)
    for name in ("master.key", "pepper.key"):
        shutil.copyfile(f"{server.data_dir}/{name}", FOLDER / name)
    (FOLDER / "made.json").write_text(json.dumps(made, indent=1) + "\n")
    (FOLDER / "sandbox.jsonl").write_text(journal)


def needed(path, from_us):
    """The last line of each object in a sandbox's journal, but for events and for answers from before from_us."""
    last = {}
    for line in path.read_text().splitlines(keepends=True):
        entry = json.loads(line)
        is_old = entry["kind"] == "answer" and entry["created_us"] < from_us
        if "text" not in entry:
            last.pop((entry["key"], entry["kind"], entry["id"]), None)
        elif entry["kind"] != "event" and not is_old:
            last[entry["key"], entry["kind"], entry["id"]] = line
    return "".join(last.values())


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make.py PAYMENTSD")
    binary = Path(sys.argv[1]).resolve()
    made = {"merchants": {}, "answers": [], "objects": {}}
    with tempfile.TemporaryDirectory(prefix="paymentsd-old-") as folder, contextlib.ExitStack() as stack:
        journal = Path(folder) / "sandbox.jsonl"
        receiver = stack.enter_context(contextlib.closing(Receiver()))
        sandbox = KeptSandbox(binary, journal)
        stack.callback(lambda: sandbox.process.kill())
        server = Server(binary, stripe_api_base=sandbox.url, **SETTINGS | SHORT_SCHEDULE)
        stack.callback(server.discard)
        make(server, sandbox, receiver, made)
        made["killed_s"] = int(time.time())
        sandbox.process.kill()
        keep(server, made, needed(journal, made.pop("from_us")))


if __name__ == "__main__":
    main()
