"""Nodes start together on an empty database, and beside nodes of a newer version."""
import threading

from stub_fixture import pay
from support.background import InBackground
from support.database import open_database
from support.waiting import wait_until

NODES = 3


def upgrade(node, *statements):
    """As a newer version's node does at its start: one more step of the schema."""
    with open_database(node) as database:
        version, = database.execute("SELECT max(version) FROM schema_version").fetchone()
        for statement in statements:
            database.execute(statement.format(version=version + 1))
        database.execute("INSERT INTO schema_version (version) VALUES (?)", (version + 1,))


def test_nodes_that_start_together_migrate_once(start_nodes, stub_stripe):
    first, = start_nodes(1)
    first.terminate()
    with open_database(first) as database:
        for name, in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall():
            database.execute(f"DROP TABLE {name} CASCADE")
        for name in ("advance_generation", "id_after"):
            database.execute(f"DROP FUNCTION IF EXISTS {name} CASCADE")
    nodes, over = [], threading.Event()

    def serve():  # a node is killed when the thread that started it ends
        nodes.extend(start_nodes(1, beside=first))
        over.wait()

    serving = [InBackground(serve) for _ in range(NODES)]
    try:
        wait_until(lambda: len(nodes) == NODES, what="the nodes")
        with open_database(first) as database:
            versions = [version for version, in database.execute("SELECT version FROM schema_version ORDER BY version")]
            assert database.execute("SELECT count(*) FROM nodes").fetchone() == (NODES,)
        assert versions == list(range(1, len(versions) + 1))
        for node in nodes:
            node.terminate()
    finally:
        over.set()
    for call in serving:
        call.result()


def test_a_node_serves_on_where_a_newer_one_has_added_a_step(start_nodes, start_shops):
    at_a, at_b = start_shops(2)
    upgrade(at_a.server, "ALTER TABLE payments ADD COLUMN newer TEXT", "ALTER TABLE operations ADD COLUMN newer TEXT",
            "CREATE TABLE newer (id BIGINT PRIMARY KEY)")
    assert pay(at_a).data["status"] == "completed"
    at_b.server.restart()
    assert pay(at_b, key="order-2").data["status"] == "completed" and pay(at_b).status == 201
    start_nodes(1, beside=at_a.server)
    assert "--name" in at_a.server.command("createmerchant", "--help").stdout
    at_a.server.command("createmerchant", "--name", "beside")


def test_a_node_refuses_a_step_that_only_newer_ones_can_bear(start_shops):
    shop, = start_shops(1)
    shop.server.terminate()
    upgrade(shop.server, "INSERT INTO meta (name, value) VALUES ('oldest_schema', CAST('{version}' AS BYTEA))")
    refused = shop.server.command("serve", check=False)
    assert refused.returncode != 0 and "newer paymentsd" in refused.stderr
    with open_database(shop.server) as database:
        database.execute("DELETE FROM meta WHERE name = 'oldest_schema'")
    shop.server.start()
