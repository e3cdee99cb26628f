"""Every kind of operation as a step that a client does and repeats until it is done."""
import contextlib
import os
import sqlite3

import requests

from support.http_listener import Answer
from support.stripe_model import AUTHENTICATE

# From 4000 pages on it is copied back; what it is long from before may be copied, and it begin again, meanwhile.
LOG_COMMITS = 8200

PAID = ["payment.completed"]


class Step:
    """prepare() makes what it needs. attempt() does it, as far as it is not done yet, and answers the Answer,
    or None where it is to be repeated. is_settled() tells whether all of it has come to its end."""

    events = PAID  # that are told of its payment, in order

    def prepare(self, world, key):
        """Makes the `subject` of attempt() and is_settled()."""

    def attempt(self, world, key, subject):
        raise NotImplementedError

    def payment_id(self, subject, answer):
        """The id of the step's payment, or None."""
        return answer.data["id"]

    def is_settled(self, world, subject, answer):
        payment_id = self.payment_id(subject, answer)
        payment = payment_id and world.payment(payment_id)
        if payment_id is None:
            return True
        return bool(payment) and self.is_as_expected(payment) and self._was_told(world, payment_id)

    def is_as_expected(self, payment):
        return payment["status"] == "completed"

    def _was_told(self, world, payment_id):
        sent = [delivery for delivery in world.receiver.deliveries if payment_id.encode() in delivery.body]
        return {delivery.header("X-Event-Type") for delivery in sent} >= set(self.events)


def pay(world, key, method="pm_card_visa", **fields):
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe"} | fields
    return world.ask("POST", "/v1/payments", body | ({} if "saved_card_id" in fields else {"payment_method": method}), key)


def paid(world, key):
    """A payment that is completed."""
    answer = world.repeat(lambda: pay(world, key), f"{key} to be answered")
    return world.repeat(lambda: (now := world.payment(answer.data["id"])) and now["status"] == "completed" and now,
                        f"{key} to be completed")


class Charge(Step):
    name = "charge"
    method = "pm_card_visa"

    def attempt(self, world, key, subject):
        return pay(world, key, self.method)


class Decline(Charge):
    name = "decline"
    method = "pm_card_visa_chargeDeclined"
    events = ["payment.failed"]

    def is_as_expected(self, payment):
        return payment["status"] == "failed"


class UnknownOutcome(Charge):
    """Charged, and Stripe answers 500, again and again."""

    name = "unknown outcome"
    method = "pm_sandbox_serverError"


class Processing(Charge):
    name = "processing"
    method = "pm_sandbox_processing"


class ProcessingFails(Decline):
    name = "processing fails"
    method = "pm_sandbox_processingFails"


class Authenticate(Step):
    """3-D Secure: the payer comes back from the bank's page, and an event tells."""

    name = "3-D Secure"

    def attempt(self, world, key, subject):
        answer = pay(world, key, AUTHENTICATE, return_url="https://shop.example/return")
        if answer is None:
            return None
        action = answer.data["next_action"]
        now = world.payment(answer.data["id"])
        if now is None or (action is None and now["status"] == "pending" and now["next_action"] is None):
            return None  # not known yet where the payer is to go
        action = action or now["next_action"]
        if action and now["status"] == "pending":
            requests.post(action["redirect_url"], data={"action": "complete"}, allow_redirects=False, timeout=30)
        return answer


class Capture(Step):
    name = "capture"
    how, body = "capture", {"amount": "6.00"}
    events = ["payment.capturable", "payment.completed"]

    def attempt(self, world, key, subject):
        answer = pay(world, key, capture_method="manual")
        now = answer and world.payment(answer.data["id"])
        if not now or (now["status"] == "pending" and not now["capturable"] and now["provider_ref"] is None):
            return None
        done = now["status"] != "pending" or world.ask("POST", f"/v1/payments/{now['id']}/{self.how}", self.body,
                                                       fine=(200, 202))
        return answer if done else None

    def is_as_expected(self, payment):
        return (payment["status"], payment["amount_captured"]) == ("completed", "6.00")


class Cancel(Capture):
    name = "cancel"
    how, body = "cancel", None
    events = ["payment.capturable", "payment.failed"]

    def is_as_expected(self, payment):
        return payment["status"] == "failed"


def save_card(world, key, method="pm_card_visa", **fields):
    return world.ask("POST", "/v1/payments/cards",
                     {"payment_method_id": method, "customer_email": f"{key}@shop.example"} | fields, key)


def card_saved(world, key):
    return world.repeat(lambda: save_card(world, key), f"the card of {key} to be saved").data["id"]


def methods_at_stripe(world, key):
    """How many cards the customer has, of the card that was saved under the key. There is one customer."""
    customers = world.at_stripe("GET", "customers", {"email": f"{key}@shop.example"})
    if customers is None:
        return None
    customer, = customers["data"]
    methods = world.at_stripe("GET", "payment_methods", {"customer": customer["id"], "type": "card"})
    return methods and len(methods["data"])


def cards_here(world, key):
    answer = world.ask("GET", f"/v1/payments/cards?customer_email={key}@shop.example")
    return None if answer is None else len(answer.data)


class SaveCard(Step):
    name = "save a card"
    events = []

    def prepare(self, world, key):
        return key

    def attempt(self, world, key, subject):
        return save_card(world, key)

    def payment_id(self, subject, answer):
        return None

    def is_settled(self, world, subject, answer):
        return cards_here(world, subject) == 1 and methods_at_stripe(world, subject) == 1


class SetUpCard(SaveCard):
    """The payer comes back from the bank's page, and an event tells."""

    name = "set a card up"

    def attempt(self, world, key, subject):
        answer = save_card(world, key, "pm_card_authenticationRequiredOnSetup",
                           return_url="https://shop.example/return")
        card = answer and world.ask("GET", f"/v1/payments/cards/{answer.data['id']}")
        if not card:
            return None
        if card.data["status"] == "pending":
            requests.post(card.data["next_action"]["redirect_url"], data={"action": "complete"}, allow_redirects=False,
                          timeout=30)
        return answer


class DeletePendingCard(Step):
    """A card that the payer has not set up yet can no longer be set up."""

    name = "delete a pending card"

    def prepare(self, world, key):
        saved = world.repeat(lambda: save_card(world, key, "pm_card_authenticationRequiredOnSetup",
                                               return_url="https://shop.example/return"), f"the card of {key} to be saved")
        return key, saved.data["id"]

    def attempt(self, world, key, subject):
        return world.ask("DELETE", f"/v1/payments/cards/{subject[1]}", fine=(200, 404))

    def payment_id(self, subject, answer):
        return None

    def is_settled(self, world, subject, answer):
        customers = world.at_stripe("GET", "customers", {"email": f"{subject[0]}@shop.example"})
        setups = customers and world.at_stripe("GET", "setup_intents", {"customer": customers["data"][0]["id"]})
        return setups and [setup["status"] for setup in setups["data"]] == ["canceled"]


class SaveWhilePaying(Step):
    """The customer is made, then charged, then the method is read that Stripe attached to him."""

    name = "save while paying"

    def prepare(self, world, key):
        return key

    def attempt(self, world, key, subject):
        return pay(world, key, save_card=True, customer_email=f"{key}@shop.example")

    def is_settled(self, world, subject, answer):
        return (super().is_settled(world, subject, answer) and cards_here(world, subject) == 1
                and methods_at_stripe(world, subject) == 1)


class DeleteCard(SaveCard):
    name = "delete a card"

    def prepare(self, world, key):
        return key, card_saved(world, key)

    def attempt(self, world, key, subject):
        return world.ask("DELETE", f"/v1/payments/cards/{subject[1]}", fine=(200, 404))

    def is_settled(self, world, subject, answer):
        return cards_here(world, subject[0]) == 0 and methods_at_stripe(world, subject[0]) == 0


class ChargeSavedCard(Step):
    name = "charge a saved card"

    def prepare(self, world, key):
        return card_saved(world, f"card-{key}")

    def attempt(self, world, key, subject):
        return pay(world, key, saved_card_id=subject)


class BringBack(Step):
    """A saved card's payment that failed because nobody was there to authenticate."""

    name = "authenticate"
    events = ["payment.failed", "payment.completed"]

    def prepare(self, world, key):
        card = world.repeat(lambda: save_card(world, f"card-{key}", AUTHENTICATE), f"the card of {key} to be saved").data["id"]
        payment = world.repeat(lambda: pay(world, key, saved_card_id=card), f"{key} to be answered").data
        return world.repeat(lambda: (now := world.payment(payment["id"])) and now["status"] == "failed" and now,
                            f"{key} to fail")

    def attempt(self, world, key, subject):
        now = world.payment(subject["id"])
        if now and now["status"] == "failed":
            world.ask("POST", f"/v1/payments/{subject['id']}/authenticate", {"return_url": "https://shop.example/return"},
                      fine=(200, 202))
            now = world.payment(subject["id"])
        if now is None or now["status"] == "failed" or (now["status"] == "pending" and now["next_action"] is None):
            return None  # not known yet where the payer is to go
        if now["status"] == "pending":
            requests.post(now["next_action"]["redirect_url"], data={"action": "complete"}, allow_redirects=False, timeout=30)
        return world.ask("GET", f"/v1/payments/{subject['id']}")


class Refund(Step):
    name = "refund"
    events = PAID + ["payment.refunded"]
    amount, left_as = None, "refunded"

    def prepare(self, world, key):
        return paid(world, f"paid-{key}")

    def attempt(self, world, key, subject):
        body = {"payment_id": subject["id"]} | ({"amount": self.amount} if self.amount else {})
        return world.ask("POST", "/v1/refunds", body, key)

    def payment_id(self, subject, answer):
        return subject["id"]

    def is_as_expected(self, payment):
        return (payment["status"], payment["amount_refunded"]) == (self.left_as, self.amount or "10.00")


class PartialRefund(Refund):
    name = "partial refund"
    amount, left_as = "4.00", "completed"


class RefundAtStripe(PartialRefund):
    """At its dashboard: an inbound event tells."""

    name = "inbound event"

    def attempt(self, world, key, subject):
        refund = {"payment_intent": subject["provider_ref"], "amount": 400}
        return world.at_stripe("POST", "refunds", refund, key) and world.ask("GET", f"/v1/payments/{subject['id']}")


class Webhook(Charge):
    """The endpoint fails at first."""

    name = "webhook"

    def prepare(self, world, key):
        world.receiver.answer_next(Answer(500))


class Credentials(Step):
    """New ones, and a payment with them."""

    name = "credentials"

    def prepare(self, world, key):
        return {"provider": "stripe", "stripe": {"secret_key": world.merchant.stripe_key,
                                                 "webhook_secret": world.merchant.stripe_webhook_secret}}

    def attempt(self, world, key, subject):
        return world.ask("PUT", "/v1/merchant/providers", subject) and pay(world, key)


def lengthen_log(server):
    with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db", timeout=10, isolation_level=None)) as log:
        log.execute("PRAGMA wal_autocheckpoint = 0")
        log.execute("PRAGMA synchronous = OFF")
        for _ in range(LOG_COMMITS // 2):
            log.execute("INSERT INTO meta VALUES ('of a test', x'00')")
            log.execute("DELETE FROM meta WHERE name = 'of a test'")


class LongLog(Charge):
    """SQLite's write-ahead log has grown so long that it is copied back."""

    name = "long log"

    def prepare(self, world, key):
        syncs = world.plan.seen()["database sync"]
        lengthen_log(world.server)
        return syncs

    def is_settled(self, world, subject, answer):
        return super().is_settled(world, subject, answer) and world.plan.seen()["database sync"] > subject


class Stop(Charge):
    """Asked to end: what is under way is ended, and the log copied back."""

    name = "stop"

    def attempt(self, world, key, subject):
        answer = pay(world, key)
        if answer and subject is not None and not subject["stopped"]:
            subject["stopped"] = True
            world.stop()
        return answer

    def prepare(self, world, key):
        return {"stopped": False}


ON_SQLITE = () if os.environ.get("TEST_POSTGRESQL") else (LongLog,)
STEPS = (Charge, Decline, UnknownOutcome, Authenticate, Capture, Cancel, SaveCard, SaveWhilePaying, SetUpCard,
         DeletePendingCard, DeleteCard, ChargeSavedCard, BringBack, Refund, PartialRefund, RefundAtStripe, Webhook, Credentials,
         *ON_SQLITE, Stop)
# The steps of a crowd, which run at the same time: each may be killed at a call that another makes.
CROWD = (Charge, Decline, UnknownOutcome, Processing, ProcessingFails, Authenticate, Capture, Cancel, SaveCard, SaveWhilePaying,
         SetUpCard, DeletePendingCard, DeleteCard, ChargeSavedCard, BringBack, Refund, PartialRefund, RefundAtStripe, Credentials)
