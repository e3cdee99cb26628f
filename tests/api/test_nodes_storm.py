"""Three nodes get requests about the same payments, keys and cards at the same moment, and Stripe sends each event to all
of them. Afterwards our books equal the sandbox's, and each merchant's event was sent. `make race` sets ROUNDS."""
import collections
import concurrent.futures
import os
import random
import uuid

import pytest

from nodes_fixture import at_node
from support.at_stripe import AtStripe
from support.database import open_database
from support.ledger import Ledger, ReceivedEvents
from support.merchant import Merchant
from support.waiting import wait_until

ROUNDS = int(os.environ.get("ROUNDS", "10"))
NODES = 3
# What a caller may be answered. A node that kept losing conflicts says 503, and has then recorded nothing.
BUSY = (503, "OVERLOADED")
CREATED = {(201, None), (409, "IDEMPOTENCY_IN_PROGRESS"), BUSY}
REFUNDED = {(201, None), (422, "REFUND_EXCEEDS_PAYMENT"), (409, "CONFLICT"), BUSY}
ENDED = {(200, None), (202, None), (409, "CONFLICT"), BUSY}


class Storm:
    def __init__(self, shops, rng):
        self.shops = shops
        self.rng = rng
        self.pool = concurrent.futures.ThreadPoolExecutor(4 * NODES)
        self.answers = collections.Counter()

    def at_once(self, *asked):
        """Asks all of it at once, each of a node by chance: (method, allowed answers, path, body, key)."""
        def ask(one):
            path, body, key, allowed = one
            answer = self.rng.choice(self.shops).api.unrecorded().post(path, body, idempotency_key=key)
            seen = (answer.status, answer.codes[0] if answer.status >= 400 else None)
            assert seen in allowed, answer
            self.answers[seen] += 1
            return answer
        return list(self.pool.map(ask, asked))

    def make(self, **fields):
        """A payment that three callers ask for under one key."""
        body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"} | fields
        create = ("/v1/payments", body, f"order-{uuid.uuid4()}", CREATED)
        made = {answer.data["id"] for answer in self.at_once(create, create, create) if answer.status == 201}
        assert len(made) <= 1
        if not made:
            made = {self.at_once((*create[:3], CREATED))[0].data["id"]}
        return made.pop()

    def give_back(self, payment):
        """Refunds that together exceed it."""
        wishes = [("/v1/refunds", {"payment_id": payment, "amount": amount}, None, REFUNDED)
                  for amount in ("6.00", "6.00", "3.00", "2.50")]
        self.at_once(*wishes)

    def end(self, payment):
        self.at_once(*((f"/v1/payments/{payment}/{how}", None, None, ENDED)
                       for how in ("capture", "cancel", "capture", "cancel")))

    def save(self):
        body = {"payment_method_id": "pm_card_visa", "customer_email": f"{self.rng.randrange(10)}@shop.example"}
        self.at_once(*[("/v1/payments/cards", body, None, CREATED)] * NODES)

    def round(self):
        self.give_back(self.make())
        self.end(self.make(capture_method="manual"))
        self.give_back(self.make(save_card=True, customer_email=f"{self.rng.randrange(5)}@shop.example"))
        self.save()


@pytest.fixture
def shops(start_nodes, sandbox, receiver):
    nodes = start_nodes(NODES, stripe_api_base=sandbox.url, stripe_rate="off", webhook_schedule=",".join(["1"] * 20))
    shop = Merchant.with_stripe(nodes[0])
    shop.use_webhook(receiver.url)
    for node in nodes:
        AtStripe(sandbox, shop).send_events_to(node, shop.stripe_webhook_secret)
    return [at_node(shop, node) for node in nodes]


def test_three_nodes_keep_the_books(shops, sandbox, receiver):
    storm = Storm(shops, random.Random(7))
    for _ in range(ROUNDS):
        storm.round()
    print(dict(storm.answers))
    wait_until(lambda: not Ledger(sandbox, shops[0]).open, what="every payment's end", timeout=60)
    ledger = Ledger(sandbox, shops[1])
    ledger.check()
    wait_until(lambda: all(ReceivedEvents(receiver).has_all_of(payment) for payment in ledger.payments.values()),
               what="every event", timeout=60)
    with open_database(shops[0].server) as database:
        def number(query):
            return database.execute(query).fetchone()[0]
        assert number("SELECT count(*) FROM outbox WHERE next_attempt_us = 9223372036854775807") == 0
        assert number("SELECT count(*) FROM (SELECT customer_id FROM cards WHERE status = 'active' AND is_default = 1"
                      " GROUP BY customer_id HAVING count(*) > 1) several") == 0
        assert number("SELECT count(*) FROM (SELECT payment_id FROM payment_history WHERE what = 'completed'"
                      " GROUP BY payment_id HAVING count(*) > 1) several") == 0
    shops[2].server.command("verify-audit")
