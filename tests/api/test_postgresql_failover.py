"""Two PostgreSQL servers with synchronous replication: the primary dies, stands still or is cut off while payments are
made, and the standby is promoted. What was answered is there, the books equal Stripe's, and the service goes on by
itself within ten seconds of the promotion. Until then it answers 503 and does nothing."""
import contextlib
import signal
import threading
import time
import uuid

import pytest

from support.background import InBackground
from support.ledger import Ledger
from support.merchant import Merchant
from support.postgresql_pair import PostgresqlServer, uri
from support.postgresql_proxy import PostgresqlProxy
from support.waiting import scaled, wait_until

BUYERS = 4
RESUMES_S = 10
REFUSALS = ("OVERLOADED", "OUTCOME_UNKNOWN", "CATCHING_UP")


@pytest.fixture
def primary():
    server = PostgresqlServer()
    yield server
    server.close()


@pytest.fixture
def standby(primary):
    server = PostgresqlServer(primary)
    primary.wait_for_standby()
    yield server
    server.close()


class Buyers:
    """They buy one thing after the other, each under a key of its own, and repeat a request that is refused for now."""

    def __init__(self, merchant):
        self.merchant = merchant
        self.bought = {}     # our id by idempotency key, as it was answered
        self.wrong = []      # answers that no buyer should see
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._buy, daemon=True) for _ in range(BUYERS)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join(scaled(60))
            assert not thread.is_alive(), "a request is not answered"

    def wait_for_more(self, count, timeout=RESUMES_S):
        until = len(self.bought) + count
        wait_until(lambda: len(self.bought) >= until, what="further payments", timeout=timeout)

    def _buy(self):
        while not self._over.is_set():
            key = f"order-{uuid.uuid4()}"
            while not self._is_bought(key):
                time.sleep(0.05)

    def _is_bought(self, key):
        body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
        answer = self.merchant.api.post("/v1/payments", body, idempotency_key=key)
        if answer.status == 201 and answer.data["status"] in ("completed", "pending"):
            self.bought[key] = answer.data["id"]
            return True
        for_now = (answer.status == 503 and answer.codes[0] in REFUSALS or
                   answer.status == 409 and answer.codes == ["IDEMPOTENCY_IN_PROGRESS"])
        if not for_now:
            self.wrong.append(answer)
        return not for_now


@pytest.fixture
def buying():
    """buying(merchant): buyers, who stop with the test."""
    all_buyers = []

    def start(merchant):
        all_buyers.append(Buyers(merchant))
        all_buyers[-1].wait_for_more(20)
        return all_buyers[-1]

    yield start
    for buyers in all_buyers:
        buyers.stop()


def check_books(sandbox, merchant, buyers):
    buyers.stop()
    assert not buyers.wrong, buyers.wrong
    wait_until(lambda: not Ledger(sandbox, merchant).open, what="every payment to end", timeout=60)
    ledger = Ledger(sandbox, merchant)
    ledger.check()
    assert set(buyers.bought.values()) == set(ledger.payments), "what was answered is what there is"


def fail_over(buyers, server, standby):
    wait_until(lambda: server.api().get("/readyz").status == 503, what="/readyz to see it", timeout=30)
    reason = server.api().get("/readyz").json["reason"]
    assert reason == "the database cannot be written"
    standby.promote()
    buyers.wait_for_more(BUYERS)
    wait_until(lambda: server.api().get("/readyz").status == 200, what="/readyz to see it")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_the_primary_ends(number, primary, standby, start_server, buying, sandbox):
    server = start_server(sandbox.url, database=uri(primary, standby), reconcile_interval="1s", stripe_timeout="2s")
    merchant = Merchant.with_stripe(server)
    buyers = buying(merchant)
    primary.signal_all(number)
    fail_over(buyers, server, standby)
    check_books(sandbox, merchant, buyers)


def test_the_primary_is_cut_off(primary, standby, start_server, buying, sandbox):
    with contextlib.closing(PostgresqlProxy(primary)) as proxy:
        server = start_server(sandbox.url, database=uri(proxy, standby), reconcile_interval="1s", stripe_timeout="2s")
        merchant = Merchant.with_stripe(server)
        buyers = buying(merchant)
        proxy.drop_everything()
        fail_over(buyers, server, standby)
        check_books(sandbox, merchant, buyers)


def test_a_returning_primary_harms_nothing(primary, standby, start_server, buying, sandbox):
    """It was not fenced, and comes back as it was. The service stays where it is. What begins there cannot be committed,
    because its standby does not follow any more."""
    server = start_server(sandbox.url, database=uri(primary, standby), reconcile_interval="1s", stripe_timeout="2s")
    merchant = Merchant.with_stripe(server)
    buyers = buying(merchant)
    primary.kill()
    fail_over(buyers, server, standby)
    primary.start()
    buyers.wait_for_more(20)
    check_books(sandbox, merchant, buyers)


def test_a_commit_whose_wait_for_the_standby_was_cancelled(primary, standby, start_server, sandbox):
    """The server says that it has committed, and warns that the standby may not have it. The service waits until it has."""
    waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    server = start_server(sandbox.url, database=uri(primary, standby), reconcile_interval="1s")
    merchant = Merchant.with_stripe(server)
    standby.signal_all(signal.SIGSTOP)
    paying = InBackground(merchant.pay)
    pid = wait_until(lambda: primary.sql(f"SELECT min(pid) {waiting}"), what="a COMMIT that waits")
    primary.sql(f"SELECT pg_cancel_backend({pid})")
    wait_until(lambda: primary.sql(f"SELECT count(*) {waiting} AND pid <> {pid}") != "0", what="the service to look")
    assert not paying.over
    standby.signal_all(signal.SIGCONT)
    assert paying.result(30)["status"] == "completed"
    Ledger(sandbox, merchant).check()
