"""The connection to PostgreSQL ends at a COMMIT: before it reached the server, after the server has carried it out, or the
server carries it out while the service is already looking for what became of it. Either way the service finds out, and
its callers notice nothing."""
import pytest

from support.ledger import Ledger
from support.place import Place
from support.postgresql_pair import uri
from support.postgresql_proxy import PostgresqlProxy
from support.merchant import Merchant
from support.waiting import wait_until

COMMITS = 8  # a payment's and a refund's, and those that the service makes by itself meanwhile


@pytest.fixture
def proxy(postgresql):
    proxy = PostgresqlProxy(postgresql)
    yield proxy
    proxy.close()


@pytest.fixture
def merchant(start_server, sandbox, postgresql, proxy):
    postgresql.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    server = start_server(sandbox.url, database=uri(proxy), stripe_timeout="1s", patience="2s")
    return Merchant.with_stripe(server)


@pytest.mark.parametrize("how", ["unsent", "unanswered", "late"])
def test_a_lost_commit_is_looked_up(how, merchant, proxy, postgresql, sandbox):
    for number in range(1, COMMITS + 1):
        proxy.cut_commit(how, number)
        payment = merchant.pay()
        assert payment["status"] == "completed"
        assert merchant.refund(payment, "1.00")["status"] == "completed"
        wait_until(lambda: proxy.cut is None, what="the cut")
    Ledger(sandbox, merchant).check()
    assert len(Ledger(sandbox, merchant).payments) == COMMITS
    assert proxy.cuts == COMMITS
    ruled_out = int(postgresql.sql("SELECT count(*) FROM commits WHERE committed = 0"))
    if how != "late":  # the server may not yet have the row when the service looks
        assert (ruled_out > 0) == (how == "unsent")


def test_an_outcome_that_stays_unknown_is_said_to_be(merchant, proxy, sandbox):
    """The server cannot be asked for longer than the service looks. The caller repeats the request."""
    body = {"amount": "5.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    proxy.refuse_after_cut = True
    proxy.cut_commit("unanswered", after=b"INSERT INTO payments ")
    refused = merchant.api.post("/v1/payments", body, idempotency_key="order-1", expect=503)
    assert refused.codes == ["OUTCOME_UNKNOWN"] and refused.headers["Retry-After"]
    proxy.refusing = False

    def repeated():
        answer = merchant.api.post("/v1/payments", body, idempotency_key="order-1")
        assert answer.status == 201 or answer.status in (409, 503), answer
        return answer.status == 201 and merchant.payment(answer.data["id"])["status"] == "completed"
    wait_until(repeated, what="the payment", timeout=60)
    ledger = Ledger(sandbox, merchant)
    ledger.check()
    assert len(ledger.payments) == 1


@pytest.mark.parametrize("lost, said", [("statement", "nothing was recorded, try again"),
                                        ("commit", "look before you try again")])
def test_a_command_knows_what_became_of_it_unless_its_commit_was_sent(lost, said, proxy, postgresql, binary, tmp_path):
    postgresql.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    place = Place(binary, tmp_path)
    place.settings = {"database": uri(proxy)}
    place.run("migrate")
    if lost == "statement":
        proxy.cut_at("INSERT INTO audit_log ")  # its last statement
    else:
        proxy.cut_commit("unsent", after=b"INSERT INTO merchants ")
    assert said in place.refused("createmerchant", "--name", "shop")
