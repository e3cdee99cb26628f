"""The service's books beside the sandbox's: what was charged, and what is told of it."""
import json
import urllib.request
from collections import defaultdict


class Books:
    """Everything a merchant has by now, here and at the sandbox."""

    def __init__(self, sandbox, merchant):
        self.payments = {payment["id"]: payment for payment in _all_payments(merchant)}
        self.charges = defaultdict(list)  # by our payment's id
        with urllib.request.urlopen(sandbox.url + "/_sandbox/ledger", timeout=30) as answer:
            for charge in json.load(answer)["charges"]:
                if charge["metadata"].get("merchant_id") == merchant.id:
                    self.charges[charge["metadata"]["payment_id"]].append(charge)

    @property
    def open(self):
        """Payments whose end is not known yet."""
        return [payment for payment in self.payments.values() if payment["status"] == "pending"]

    def check(self):
        """Nobody paid twice, and what we say of each payment is what Stripe did."""
        assert self.charges.keys() <= self.payments.keys(), "a charge without a payment of ours"
        for payment_id, payment in self.payments.items():
            paid = [charge for charge in self.charges[payment_id] if charge["paid"]]
            assert len(paid) <= 1, f"paid {len(paid)} times: {payment}"
            expected = "completed" if paid else "failed"
            assert payment["status"] == expected, f"Stripe has {self.charges[payment_id]}: {payment}"
            assert not paid or payment["provider_ref"] == paid[0]["payment_intent"], payment


def _all_payments(merchant):
    found, page = [], 1
    while True:
        answer = merchant.api.get("/v1/payments", query={"page": page, "page_size": 100}, expect=200)
        found += answer.data
        if len(answer.data) < 100:
            return found
        page += 1


class Told:
    """The events that a receiver got, each by its first delivery, by payment."""

    def __init__(self, receiver):
        self.events = defaultdict(list)
        seen = set()
        for event in receiver.events():
            if event["id"] not in seen:
                seen.add(event["id"])
                self.events[event["data"]["payment_id"]].append(event)

    def types(self, payment):
        return [event["type"] for event in self.events[payment["id"]]]

    def has_ended(self, payment):
        """Whether the present status of the payment was told."""
        return f"payment.{payment['status']}" in self.types(payment)
