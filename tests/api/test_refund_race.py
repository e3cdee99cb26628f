"""64 refunds of one payment at once, round after round: never a cent more than was paid is given back, no refund is refused
that there was room for, and our amounts equal Stripe's. `make race` sets the number of rounds."""
import collections
import concurrent.futures
import http.client
import json
import os
import random
import threading
import uuid

import requests

from support.ledger import Ledger, minor
from support.waiting import scaled

ROUNDS = int(os.environ.get("ROUNDS", "8"))
AT_ONCE = 64
AMOUNTS = [("USD", "10.00", 2), ("JPY", "5000", 0), ("KWD", "1.500", 3)]
TIMEOUT_S = 60


class Crowd:
    """64 callers, each with a connection of its own, who ask at the same moment. What they are answered is looked at
    here alone: its form is what other tests are about."""

    def __init__(self, merchant):
        self.merchant = merchant
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.start = threading.Barrier(AT_ONCE)
        self.own = threading.local()

    def ask(self, bodies_and_keys):
        return list(self.pool.map(self._ask, bodies_and_keys))

    def _ask(self, body_and_key):
        body, key = body_and_key
        if not hasattr(self.own, "connection"):
            server = self.merchant.server
            self.own.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=scaled(TIMEOUT_S))
        headers = {"X-API-Key": self.merchant.key["key"]} | ({"Idempotency-Key": key} if key else {})
        self.start.wait()
        self.own.connection.request("POST", "/v1/refunds", json.dumps(body), headers)
        response = self.own.connection.getresponse()
        return response.status, json.loads(response.read())


def shown(amount_minor, decimals):
    whole, part = divmod(amount_minor, 10 ** decimals)
    return f"{whole}.{part:0{decimals}}" if decimals else str(whole)


def wishes(rng, paid_minor, unit):
    """The amounts that 64 callers ask for, in minor units (None: all that is left), with their idempotency keys."""
    kind = rng.choice(["parts", "anything", "all", "all or a part", "twice"])
    if kind == "parts":  # half as many again as there is room for
        return [(paid_minor // (AT_ONCE * 2 // 3) // unit * unit, None)] * AT_ONCE
    if kind == "all":
        return [(None, None)] * AT_ONCE
    amounts = [rng.randint(1, paid_minor // rng.choice([1, 5, 40]) // unit) * unit for _ in range(AT_ONCE)]
    if kind == "all or a part":
        return [(rng.choice([None, amount]), None) for amount in amounts]
    if kind == "twice":  # each request two times under one key
        return [(amount, str(uuid.UUID(int=rng.getrandbits(128)))) for amount in amounts[:AT_ONCE // 2]] * 2
    return [(amount, None) for amount in amounts]


def refunded_at_stripe(sandbox, merchant, payment):
    answer = requests.get(f"{sandbox.url}/v1/refunds", params={"payment_intent": payment["provider_ref"], "limit": 100},
                          headers={"Authorization": f"Bearer {merchant.stripe_key}"}, timeout=scaled(TIMEOUT_S)).json()
    assert not answer["has_more"]
    return {refund["id"]: refund["amount"] for refund in answer["data"] if refund["status"] == "succeeded"}


def run_round(crowd, sandbox, number):
    rng = random.Random(number)
    currency, paid, decimals = AMOUNTS[rng.randrange(len(AMOUNTS))]
    paid_minor = minor(paid)
    merchant = crowd.merchant
    payment = merchant.pay(paid, currency)
    asked = wishes(rng, paid_minor, 10 if decimals == 3 else 1)
    answers = crowd.ask([({"payment_id": payment["id"]} | ({"amount": shown(amount, decimals)} if amount else {}), key)
                         for amount, key in asked])
    made, refused_minor, codes = {}, [], collections.Counter()
    for (amount, _), (status, body) in zip(asked, answers):
        if status == 201:
            refund = body["data"]
            assert refund["status"] == "completed", f"round {number}: Stripe was asked for too much: {refund}"
            assert amount is None or minor(refund["amount"]) == amount, f"round {number}: {refund}"
            made[refund["provider_ref"]] = minor(refund["amount"])
            codes["made"] += 1
            continue
        code, = {error["code"] for error in body["errors"]}
        assert (status, code) in [(422, "REFUND_EXCEEDS_PAYMENT"), (409, "CONFLICT"), (409, "IDEMPOTENCY_IN_PROGRESS")], \
            f"round {number}: {status} {body}"
        codes[code] += 1
        if code != "IDEMPOTENCY_IN_PROGRESS":
            refused_minor.append(amount or 1)
    total = sum(made.values())
    assert 0 < total <= paid_minor, f"round {number}: {total} of {paid_minor} were given back"
    assert all(amount > paid_minor - total for amount in refused_minor), f"round {number}: there was room for what was refused"
    assert refunded_at_stripe(sandbox, merchant, payment) == made, f"round {number}: Stripe has other refunds"
    now = merchant.payment(payment["id"])
    assert (minor(now["amount_refunded"]), now["status"]) == (total, "refunded" if total == paid_minor else "completed"), now
    return codes + collections.Counter(rounds=1)


def test_64_refunds_at_once_never_exceed_their_payment(merchant, sandbox):
    crowd, counts = Crowd(merchant), collections.Counter()
    with crowd.pool:
        for number in range(ROUNDS):
            counts += run_round(crowd, sandbox, number)
    Ledger(sandbox, merchant).check()
    assert counts["rounds"] == ROUNDS
    print(f"\n{ROUNDS} rounds of {AT_ONCE} at once: {dict(counts)}; the ledger are the ledger's")
