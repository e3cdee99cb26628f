"""The server ends statements and COMMITs with 40001 and 40003, as distributed databases do: each one in turn. It really
undoes the transaction. The service runs it again, and its callers notice nothing."""
import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.database import connect
from support.ledger import Ledger
from support.merchant import Merchant
from support.place import Place
from support.postgresql_pair import uri
from support.waiting import wait_until

TABLES = ("payments", "payment_history", "idempotency_keys", "replies", "operations", "outbox", "refunds")

# Fails once, at the call with the number that `fail_at` holds, counted from `calls`, or at one in every so many. A
# sequence is not undone.
INJECT = """
CREATE SEQUENCE calls;
CREATE TABLE fail_at (number BIGINT, state TEXT, every BIGINT);
CREATE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF nextval('calls') % COALESCE((SELECT every FROM fail_at), 1000000) = (SELECT number FROM fail_at) THEN
RAISE EXCEPTION 'injected' USING ERRCODE = (SELECT state FROM fail_at);
END IF; RETURN NULL; END $$;
"""
AT_STATEMENT = "CREATE TRIGGER inject AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT EXECUTE FUNCTION inject();"
AT_COMMIT = ("CREATE CONSTRAINT TRIGGER inject AFTER INSERT OR UPDATE ON {} DEFERRABLE INITIALLY DEFERRED"
             " FOR EACH ROW EXECUTE FUNCTION inject();")


@pytest.fixture
def merchant(start_server, sandbox, postgresql):
    postgresql.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return Merchant.with_stripe(start_server(sandbox.url, database=uri(postgresql)))


def pay_and_refund(merchant):
    payment = merchant.pay()
    assert payment["status"] == "completed"
    assert merchant.refund(payment, "1.00")["status"] == "completed"


@pytest.mark.parametrize("state", ["40001", "40003"])
@pytest.mark.parametrize("where", [AT_STATEMENT, AT_COMMIT], ids=["statement", "commit"])
def test_each_in_turn(where, state, merchant, postgresql, sandbox):
    postgresql.sql(INJECT + "".join(where.format(table) for table in TABLES))
    pay_and_refund(merchant)
    calls = int(postgresql.sql("SELECT last_value FROM calls"))
    assert calls >= 6
    for number in range(1, calls + 1):
        postgresql.sql(f"DELETE FROM fail_at; ALTER SEQUENCE calls RESTART; INSERT INTO fail_at VALUES ({number}, '{state}')")
        pay_and_refund(merchant)
        assert int(postgresql.sql("SELECT last_value FROM calls")) >= number
    ledger = Ledger(sandbox, merchant)
    ledger.check()
    assert len(ledger.payments) == 1 + calls


@pytest.mark.parametrize("where", [AT_STATEMENT, AT_COMMIT], ids=["statement", "commit"])
def test_many_at_once(where, merchant, postgresql, sandbox):
    """Payments that share a transaction, one of whose statements fails in every so many."""
    postgresql.sql(INJECT + "".join(where.format(table) for table in TABLES) + "INSERT INTO fail_at VALUES (0, '40001', 31)")
    with ThreadPoolExecutor(16) as buyers:
        for paying in [buyers.submit(pay_and_refund, merchant) for _ in range(100)]:
            paying.result()
    ledger = Ledger(sandbox, merchant)
    ledger.check()
    assert len(ledger.payments) == 100


def test_a_first_start_may_meet_another_ones_table_of_versions(postgresql, binary, tmp_path):
    """It has seen that there is none, and then finds it."""
    postgresql.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    place = Place(binary, tmp_path)
    place.settings = {"database": uri(postgresql)}
    with contextlib.closing(connect(place)) as other, ThreadPoolExecutor(1) as node:
        other.execute("LOCK TABLE pg_class IN SHARE MODE")
        migrating = node.submit(place.run, "migrate")
        wait_until(lambda: postgresql.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                          " AND query LIKE 'CREATE TABLE IF NOT EXISTS schema_version%'") == "1")
        other.execute("CREATE TABLE schema_version (version BIGINT PRIMARY KEY)")
        other.commit()
        migrating.result()
