"""The program opens a database of the version before, which holds unfinished work of every kind, and finishes that work.
old_database/make.py made the database."""
import contextlib
import hashlib
import sqlite3
import urllib.parse
import uuid

import pytest
import requests

from support.database import history
from support.ledger import Ledger, ReceivedEvents
from support.merchant import ask
from support.old_database import OldDatabase
from support.receiver import payments_signature
from support.waiting import wait_until

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
SETTINGS = {"reconcile_interval": "200ms", "webhook_schedule": ",".join(["1"] * 32)}

# Names from make.py. "unanswered": Stripe did it, and its answer was lost. "lost": Stripe never got the request.
COMPLETED = ("completed", "yen", "partly refunded", "captured in part", "paid by card", "its event died", "at the bank",
             "authorised", "refund unanswered", "refund lost", "capture unanswered", "capture lost", "charge unanswered",
             "processing unanswered", "authenticate unanswered", "lacking")
FAILED = ("declined", "canceled", "cancel unanswered", "cancel lost", "decline unanswered", "decline lost")
REFUNDED = ("refunded", "its event waits", "refund waits")
CHARGES_LOST = ("charge lost", "processing lost", "decline lost")
SAVES_LOST = ("save while paying unanswered", "save while paying lost")  # nothing was charged: the customer comes first
AUTHENTICATION_LOST = ("authenticate lost",)
AUTHENTICATING = ("authenticate", "authenticate lost")
LATE = ("absent once", "late, never charged")  # their charge window was over

# A retry of these comes later than a test can wait for.
DUE_LATER = {"sync", "card_setup", "refunds"}
# Stripe makes a Refund when an authorisation is released. For an hour the service checks whether there was a charge.
RELEASED = {("refunds", name) for name in ("canceled", "cancel unanswered", "cancel lost")}

PAID = ["payment.completed"]
NOT_PAID = ["payment.failed"]
# What each payment's endpoint is told from now on.
TOLD = {"completed": [], "declined": [], "its event died": [], "its event waits": PAID + ["payment.refunded"],
        "its endpoint is gone": PAID, "without an endpoint": PAID, "at the bank": PAID, "authorised": PAID,
        "charge unanswered": PAID, "charge lost": PAID, "processing lost": PAID, "decline unanswered": NOT_PAID,
        "decline lost": NOT_PAID, "capture unanswered": PAID, "capture lost": PAID, "cancel unanswered": NOT_PAID,
        "cancel lost": NOT_PAID, "refund unanswered": ["payment.refunded"], "refund lost": ["payment.refunded"],
        "authenticate lost": PAID}
REQUEST_FOR_LACKING = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
CARDS = {"save-unanswered", "save-lost", "set-up-unanswered", "set-up-lost"}


class OldMerchant:
    """A merchant of the old database."""

    def __init__(self, server, made, name):
        self.id = made["merchants"][name]["id"]
        self.stripe_key = made["merchants"][name]["stripe_key"]
        self.server = server
        self.api = server.api(made["merchants"][name]["key"])

    def payment(self, payment_id):
        return self.api.get(f"/v1/payments/{payment_id}", expect=200).data


class World:
    """The old database, served by the present program, and its sandbox. Everything is named as in make.py."""

    def __init__(self, old, server, sandbox, receiver):
        self.made = old.made
        self.server = server
        self.sandbox = sandbox
        self.receiver = receiver

    def merchant(self, name):
        return OldMerchant(self.server, self.made, name)

    def payment(self, name, merchant="shop"):
        return self.merchant(merchant).payment(self.object_id(name))

    def status(self, name, merchant="shop"):
        return self.payment(name, merchant)["status"]

    def at_stripe(self, path, merchant="shop"):
        answer = requests.get(f"{self.sandbox.url}/v1/{path}", timeout=10,
                              headers={"Authorization": f"Bearer {self.made['merchants'][merchant]['stripe_key']}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def intents(self):
        return self.at_stripe("payment_intents?limit=100")["data"]

    def object_id(self, name):
        return self.made["objects"][name]

    def authenticate_all(self, kind):
        """Every payer who is asked by a bank agrees. kind: "payment_intents" or "setup_intents"."""
        for one in self.at_stripe(f"{kind}?limit=100")["data"]:
            if one["status"] == "requires_action":
                page = urllib.parse.urlsplit(one["next_action"]["redirect_to_url"]["url"])
                answer = requests.post(f"{self.sandbox.url}{page.path}?{page.query}", data={"action": "complete"},
                                       allow_redirects=False, timeout=10)
                assert answer.status_code == 303, answer.text

    def complete_refunds(self):
        for refund in self.at_stripe("refunds?limit=100")["data"]:
            if refund["status"] == "requires_action":
                requests.post(f"{self.sandbox.url}/_sandbox/refunds/{refund['id']}", json={"status": "succeeded"},
                              timeout=10).raise_for_status()


@pytest.fixture
def open_old(start_server, start_sandbox, receiver, tmp_path):  # noqa: F811
    """open_old(age_s): a World, that long after its service was killed. Meanwhile payers and a bank have acted."""
    def open_(age_s):
        old = OldDatabase(age_s, tmp_path)
        sandbox = start_sandbox("--data", old.journal, launcher=old.launcher)
        server = start_server(sandbox.url, **SETTINGS)
        version = schema_version(server)
        server.terminate()
        server.port = 0
        old.put_into(server, receiver.url)
        world = World(old, server, sandbox, receiver)
        world.authenticate_all("payment_intents")
        world.complete_refunds()
        server.command("migrate")
        assert schema_version(server) == version
        server.command("verify-audit")
        server.start()
        return world
    return open_


def rows(server, sql):
    with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db", timeout=10)) as database:
        return database.execute(sql).fetchall()


def schema_version(server):
    return rows(server, "SELECT max(version) FROM schema_version")


def open_operations(world):
    """(kind, name of the payment, refund or card) of each, but for those that ask for events."""
    names = {uuid.UUID(object_id).bytes: name for name, object_id in world.made["objects"].items()}
    return {(kind, names.get(subject, subject.hex())) for kind, subject in
            rows(world.server, "SELECT kind, subject_id FROM operations WHERE kind <> 'events'")}


def capture(world, name, body=None):
    return ask(world.merchant("shop").api, f"/v1/payments/{world.object_id(name)}/capture", body, 200).data


def settle(world, *charges, others=frozenset()):
    """Waits until only these charges, whose outcome is unknown, and the other operations are open. Meanwhile the merchant
    captures, payers agree to what their banks ask, and what is due later becomes due."""
    unknown = {("charge", name) for name in charges} | others
    capture(world, "authorised")
    wait_until(lambda: {kind for kind, _ in open_operations(world) - unknown} <= DUE_LATER, what="every call to be made")
    wait_until(lambda: "processing" not in [intent["status"] for intent in world.intents()], what="Stripe to process all")
    world.authenticate_all("payment_intents")
    world.authenticate_all("setup_intents")
    world.server.restart_making_due()
    wait_until(lambda: open_operations(world) == unknown | RELEASED, what="all other operations to end")


def look_again_in_an_hour(world):
    world.server.restart_making_due(absent_older_us=HOUR_S * 1_000_000)
    wait_until(lambda: not open_operations(world), what="all operations to end")


def assert_statuses(world, **expected):
    found = {name: world.payment(name)["status"] for names in expected.values() for name in names}
    assert found == {name: status for status, names in expected.items() for name in names}


def assert_never_charged(world, names, merchant="shop"):
    for name in names:
        payment = world.payment(name, merchant)
        assert (payment["status"], payment["failure"]["code"]) == ("failed", "provider_unavailable"), payment


def check_books(world):
    for name in world.made["merchants"]:
        Ledger(world.sandbox, world.merchant(name)).check()


def repeat(world, asked):
    return ask(world.merchant(asked["merchant"]).api, asked["path"], asked["asked"], idempotency_key=asked["key"])


# Some time after the kill

def test_every_open_operation_ends_as_it_should(open_old):
    world = open_old(MINUTE_S)
    settle(world, *LATE)
    assert_statuses(world, completed=COMPLETED + CHARGES_LOST[:2] + SAVES_LOST + AUTHENTICATION_LOST, failed=FAILED,
                    refunded=REFUNDED)
    assert [world.status(*one) for one in (("late, charged", "late"), ("just sent", "new"))] == ["completed"] * 2
    assert [world.status(name, "late") for name in LATE] == ["pending"] * 2
    look_again_in_an_hour(world)
    assert_never_charged(world, LATE, "late")
    check_books(world)
    world.server.command("verify-audit")


def test_after_its_window_a_charge_is_only_looked_for(open_old):
    world = open_old(20 * MINUTE_S)
    wait_until(lambda: world.status("absent once", "late") == "failed", what="the second look-up")
    settle(world, *CHARGES_LOST, "just sent", "late, never charged", others={AUTHENTICATING})
    assert_statuses(world, completed=COMPLETED, refunded=REFUNDED, pending=CHARGES_LOST,
                    failed=SAVES_LOST + AUTHENTICATION_LOST)
    look_again_in_an_hour(world)
    assert_never_charged(world, CHARGES_LOST + SAVES_LOST)
    assert_never_charged(world, LATE, "late")
    assert_statuses(world, failed=FAILED + AUTHENTICATION_LOST)
    check_books(world)


def test_after_three_days_nothing_is_sent_again_under_a_key_that_stripe_may_have_forgotten(open_old):
    world = open_old(72 * HOUR_S)
    settle(world, *CHARGES_LOST, "just sent", "late, never charged", others={AUTHENTICATING, ("sync", "capture lost")})
    assert capture(world, "capture lost", {"amount": "6.00"})["amount_captured"] == "6.00"
    look_again_in_an_hour(world)
    assert_statuses(world, completed=COMPLETED, refunded=REFUNDED)
    assert_never_charged(world, CHARGES_LOST + SAVES_LOST)
    check_books(world)
    again = repeat(world, world.made["answers"][0])
    assert (again.status, again.data["id"]) == (201, world.object_id("completed"))


# What callers and endpoints get

def test_a_repeat_gets_the_stored_answer(open_old):
    world = open_old(MINUTE_S)
    stored = [asked for asked in world.made["answers"] if asked["status"] == 201]
    assert len(stored) > 30
    for asked in stored:
        again = repeat(world, asked)
        assert (again.status, again.replayed) == (201, True), again
        assert hashlib.sha256(again.body).hexdigest() == asked["answer"], again
    different = repeat(world, stored[0] | {"asked": stored[0]["asked"] | {"amount": "11.00"}})
    assert (different.status, different.codes) == (422, ["IDEMPOTENCY_KEY_REUSED"])


def test_a_card_is_saved_once_although_its_caller_was_not_answered(open_old):
    world = open_old(MINUTE_S)
    unanswered = [asked for asked in world.made["answers"] if asked["status"] == 503]
    assert {asked["key"] for asked in unanswered} == CARDS
    for asked in unanswered:
        wait_until(lambda asked=asked: repeat(world, asked).status == 201, what=f"{asked['key']} to be answered")
        email = asked["asked"]["customer_email"]
        customer, = world.at_stripe(f"customers?email={email}")["data"]
        at_stripe = world.at_stripe(f"payment_methods?type=card&customer={customer['id']}")["data"]
        here = world.merchant("shop").api.get("/v1/payments/cards", query={"customer_email": email}, expect=200).data
        assert len(at_stripe) == len(here) == (1 if asked["key"].startswith("save") else 0)


def test_endpoints_get_the_events_that_they_did_not_get_and_no_others(open_old, receiver):
    world = open_old(MINUTE_S)
    settle(world, *LATE)
    for name in ("gone", "unsigned"):
        world.merchant(name).api.put("/v1/merchant/webhook", {"webhook_url": receiver.url}, expect=200)

    def told():
        return {name: ReceivedEvents(receiver).types({"id": world.object_id(name)}) for name in TOLD}
    wait_until(lambda: sum(map(len, told().values())) >= sum(map(len, TOLD.values())), what="all events")
    assert told() == TOLD
    delivery = receiver.wait_for(lambda delivery: delivery.json["data"]["id"] == world.object_id("its event waits"))
    assert delivery.header("X-Payments-Signature") == payments_signature(world.made["webhook_secret"], delivery)


def test_a_payment_that_the_database_lacks_is_taken_over_and_its_event_applied(open_old):
    world = open_old(MINUTE_S)
    wait_until(lambda: rows(world.server, "SELECT count(*) FROM inbox WHERE body IS NOT NULL") == [(0,)],
               what="the event to be applied")
    assert history(world.server, world.payment("lacking"))[0][0] == "taken over"
    again = repeat(world, {"merchant": "shop", "path": "/v1/payments", "key": "lacking", "asked": REQUEST_FOR_LACKING})
    assert (again.status, again.data["id"]) == (201, world.object_id("lacking"))


def test_api_keys_and_the_audit_log_are_as_before(open_old):
    world = open_old(MINUTE_S)
    made, api = world.made, world.server.api
    assert [api(made[name]).get("/v1/payments").status for name in ("read_only", "revoked", "inactive")] == [200, 401, 401]
    assert api(made["read_only"]).post("/v1/refunds", {"payment_id": world.object_id("completed")}).status == 403
    entries = api(made["superadmin"]).get("/v1/audit/logs", query={"page_size": 100}, expect=200).data
    assert {"key.created", "key.revoked"} <= {entry["event_type"] for entry in entries}
