"""The service's payments compared with the sandbox's ledger, and the events that a receiver got."""
import json
import urllib.request
from collections import defaultdict


class Ledger:
    """A merchant's payments, here and at the sandbox, as they are now."""

    def __init__(self, sandbox, merchant):
        self.payments = {payment["id"]: payment for payment in _all_payments(merchant)}
        self.charges = defaultdict(list)  # by our payment's id
        self.refunded_minor = defaultdict(int)  # by the intent's id
        with urllib.request.urlopen(sandbox.url + "/_sandbox/ledger", timeout=30) as answer:
            at_sandbox = json.load(answer)
        for charge in at_sandbox["charges"]:
            if charge["metadata"].get("merchant_id") == merchant.id:
                self.charges[charge["metadata"]["payment_id"]].append(charge)
        for refund in at_sandbox["refunds"]:
            # Without a balance transaction it lets go what was authorised and never captured.
            if refund["status"] == "succeeded" and refund["balance_transaction"] is not None:
                self.refunded_minor[refund["payment_intent"]] += refund["amount"]

    @property
    def open(self):
        """Payments whose end, or some of whose refunds, are not known yet."""
        return [payment for payment in self.payments.values()
                if payment["status"] == "pending" or minor(payment["amount_refunded"]) != self.refunded_of(payment)]

    def refunded_of(self, payment):
        """The amount that Stripe gave back of it, in minor units."""
        return self.refunded_minor[payment["provider_ref"]]

    def check(self):
        """Nobody paid twice, and each payment's state here is Stripe's."""
        assert self.charges.keys() <= self.payments.keys(), "a charge without a payment of ours"
        for payment_id, payment in self.payments.items():
            authorised = [charge for charge in self.charges[payment_id] if charge["paid"]]
            assert len(authorised) <= 1, f"paid {len(authorised)} times: {payment}"
            paid = [charge for charge in authorised if charge["captured"]]
            given_back = self.refunded_of(payment)
            whole = given_back > 0 and given_back == minor(payment["amount_captured"])
            expected = ("refunded" if whole else "completed") if paid else "failed"
            assert payment["status"] == expected, f"Stripe has {self.charges[payment_id]}: {payment}"
            assert minor(payment["amount_refunded"]) == given_back, payment
            if paid:
                assert payment["provider_ref"] == paid[0]["payment_intent"], payment
                assert minor(payment["amount_captured"]) == paid[0]["amount_captured"], payment


def minor(amount):
    """The amount in minor units, for a currency with two decimals."""
    return int(amount.replace(".", ""))


def _all_payments(merchant):
    found, page = [], 1
    while True:
        answer = merchant.api.get("/v1/payments", query={"page": page, "page_size": 100}, expect=200)
        found += answer.data
        if len(answer.data) < 100:
            return found
        page += 1


class ReceivedEvents:
    """The events that a receiver got, each by its first delivery, by the payment or card that they are about."""

    def __init__(self, receiver):
        self.events = defaultdict(list)
        seen = set()
        for event in receiver.events():
            if event["id"] not in seen:
                seen.add(event["id"])
                self.events[event["data"]["id"]].append(event)

    def types(self, payment):
        return [event["type"] for event in self.events[payment["id"]]]

    def has_all_of(self, payment):
        """Whether the events of the payment's present state have all come."""
        types = self.types(payment)
        end = "payment.failed" if payment["status"] == "failed" else "payment.completed"
        return end in types and (payment["amount_refunded"] == "0.00" or "payment.refunded" in types)
