"""A PostgreSQL server that refuses: read-only, without room on its disk, without connections, with connections and
prepared statements that vanish. Requests get 503, nothing is recorded, and the service recovers by itself."""
import contextlib
import subprocess
import tempfile

import pytest

from support.ledger import Ledger
from support.merchant import Merchant
from support.postgresql_pair import uri
from support.waiting import wait_until


@pytest.fixture
def server(start_server, sandbox, postgresql):
    postgresql.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return start_server(sandbox.url, database=uri(postgresql), reconcile_interval="1s")


@pytest.fixture
def merchant(server):
    merchant = Merchant.with_stripe(server)
    merchant.pay()
    return merchant


def pay(merchant):
    body = {"amount": "7.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    answer = merchant.api.post("/v1/payments", body, idempotency_key="order-7")
    assert answer.status in (201, 503)
    return answer


def refused(merchant):
    """A payment is refused clearly, as is not true at once of a server that was asked to change."""
    answer = pay(merchant)
    return answer.status == 503 and answer.codes == ["OVERLOADED"] and answer.headers["Retry-After"]


def recovers(merchant, sandbox):
    """Each of the service's connections comes back by itself."""
    wait_until(lambda: merchant.server.api().get("/readyz").status == 200, what="/readyz")
    answer = wait_until(lambda: (answer := pay(merchant)).status == 201 and answer, what="the payment")
    wait_until(lambda: merchant.payment(answer.data["id"])["status"] == "completed", what="the payment to be completed")
    ledger = Ledger(sandbox, merchant)
    ledger.check()
    assert sorted(payment["amount"] for payment in ledger.payments.values()) == ["10.00", "7.00"]


@contextlib.contextmanager
def _setting(postgresql, name, value):
    postgresql.set(name, value)
    try:
        yield
    finally:
        postgresql.sql(f"ALTER SYSTEM RESET {name}")
        postgresql.sql("SELECT pg_reload_conf()")


def test_a_read_only_server(merchant, postgresql, sandbox):
    with _setting(postgresql, "default_transaction_read_only", "on"):
        wait_until(lambda: refused(merchant), what="a refusal")
        unready = wait_until(lambda: merchant.server.api().get("/readyz").json.get("reason"), what="/readyz")
        assert unready == "the database cannot be written"
    recovers(merchant, sandbox)


def test_no_room_on_the_disk(merchant, postgresql, sandbox):
    """As the server says it: to fill a disk takes a file system of its own."""
    postgresql.sql("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON payments FOR EACH STATEMENT EXECUTE FUNCTION refuse()""")
    assert refused(merchant)
    postgresql.sql("DROP FUNCTION refuse CASCADE")
    recovers(merchant, sandbox)


def test_connections_that_are_terminated_are_not_noticed(merchant, postgresql, sandbox):
    for _ in range(5):
        postgresql.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'paymentsd'")
        assert merchant.api.get("/v1/payments").status == 200
        assert merchant.pay("7.00", idempotency_key="order-7")["status"] == "completed"
    recovers(merchant, sandbox)


def test_no_connection_left(merchant, postgresql, sandbox):
    """The service's own are terminated, and others take their places."""
    postgresql.sql("CREATE ROLE few LOGIN CONNECTION LIMIT 4; GRANT ALL ON SCHEMA public TO few;"
                   " GRANT ALL ON ALL TABLES IN SCHEMA public TO few")
    merchant.server.terminate()
    merchant.server.settings["database"] = uri(postgresql).replace("postgres@", "few@")
    merchant.server.start()
    postgresql.sql("ALTER ROLE few CONNECTION LIMIT 0")
    postgresql.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'few'")
    wait_until(lambda: refused(merchant), what="a refusal")
    postgresql.sql("ALTER ROLE few CONNECTION LIMIT 8")  # one that ends counts until it has ended
    recovers(merchant, sandbox)


def test_a_commit_is_durable_whatever_the_role_says(merchant, postgresql):
    postgresql.sql("ALTER ROLE postgres SET synchronous_commit = off")
    postgresql.sql("ALTER ROLE postgres SET statement_timeout = 1000")
    try:
        merchant.server.restart()
        postgresql.sql("""
            CREATE TABLE seen (setting TEXT, timeout TEXT);
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('statement_timeout'));
            RETURN NULL; END $$;
            CREATE TRIGGER see AFTER INSERT ON payments FOR EACH STATEMENT EXECUTE FUNCTION see()""")
        merchant.pay()
        assert postgresql.sql("SELECT DISTINCT * FROM seen") == "on|0"
    finally:
        postgresql.sql("ALTER ROLE postgres RESET ALL")


def test_prepared_statements_that_a_migration_of_another_node_makes_invalid(merchant, postgresql, sandbox):
    """"cached plan must not change result type"."""
    postgresql.sql("ALTER TABLE payments ADD COLUMN later BIGINT; ALTER TABLE merchants ADD COLUMN later BIGINT")
    recovers(merchant, sandbox)


def test_a_slow_server(merchant, postgresql, sandbox):
    """A statement that waits for a lock is refused before the request's client gives up."""
    holder = subprocess.Popen(["psql", "-qX", "-h", str(postgresql.directory), "-p", str(postgresql.port), "-U", "postgres",
                               "-c", "BEGIN; LOCK TABLE payments; SELECT pg_sleep(60)", "postgres"],
                              stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: postgresql.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock'"
                                          " AND relation = 'payments'::regclass"), what="the lock")
        assert refused(merchant)
    finally:
        holder.kill()
        holder.wait()
        postgresql.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'"
                       " AND pid <> pg_backend_pid()")
    recovers(merchant, sandbox)


@pytest.mark.parametrize("database", ["postgresql://user:s3cr@t@127.0.0.1:1/db", "postgresql://user:s3cr/t@127.0.0.1:1/db",
                                      "postgresql://user:s3cr@127.0.0.1:1/db", "postgresql://s3cr:t@/db?s3cr=1"])
def test_a_password_is_in_no_message(binary, database):
    with tempfile.TemporaryDirectory() as directory:
        for command in ("serve", "migrate", "check-config"):
            done = subprocess.run([binary, command], text=True, capture_output=True, check=False,
                                  env={"PAYMENTS_DATABASE": database, "PAYMENTS_DATA_DIR": directory})
            assert "s3cr" not in done.stdout + done.stderr
            assert done.returncode != 0 or command == "check-config"
