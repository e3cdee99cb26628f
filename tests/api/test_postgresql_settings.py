"""A server that refuses a setting of the planner, as other databases that speak PostgreSQL's protocol may, serves as well. One
that refuses any other setting is not used."""
import pytest

from support.merchant import Merchant
from support.place import Place
from support.postgresql_pair import uri
from support.postgresql_proxy import PostgresqlProxy

PLANNER = ["plan_cache_mode", "enable_seqscan", "jit"]


@pytest.fixture
def proxy(postgresql):
    postgresql.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    proxy = PostgresqlProxy(postgresql)
    yield proxy
    proxy.close()


def misspell(proxy, name):
    proxy.replace(f"SET {name}", f"SET {name[:-1]}_")


def test_a_server_may_lack_the_settings_of_the_planner(proxy, start_server, sandbox):
    for name in PLANNER:
        misspell(proxy, name)
    server = start_server(sandbox.url, database=uri(proxy))
    assert Merchant.with_stripe(server).pay()["status"] == "completed"


def test_a_server_may_refuse_the_settings_of_the_planner_as_not_supported(proxy, start_server, sandbox):
    proxy.replace("SET plan_cache_mode = force_generic_plan", "SELECT 1 FROM other_database.here.t")  # 0A000
    server = start_server(sandbox.url, database=uri(proxy))
    assert Merchant.with_stripe(server).pay()["status"] == "completed"


@pytest.mark.parametrize("name", ["default_transaction_isolation", "synchronous_commit", "statement_timeout", "lock_timeout",
                                  "idle_in_transaction_session_timeout", "client_min_messages", "bytea_output"])
def test_a_server_that_refuses_another_setting_is_not_used(name, proxy, binary, tmp_path):
    misspell(proxy, name)
    place = Place(binary, tmp_path)
    place.settings = {"database": uri(proxy)}
    assert "(SQLSTATE 42704)" in place.refused("migrate")
