"""Nodes compare times that others wrote, so a node whose clock is wrong takes no work."""
import pathlib
import subprocess

import pytest

from nodes_fixture import at_node, wait_for_beats
from stub_fixture import pay
from support.database import open_database
from support.server import Server
from support.waiting import wait_until

CLOCK = pathlib.Path(__file__).parent / "support" / "clock.c"


@pytest.fixture
def start_late(start_nodes, stub_stripe, binary, tmp_path):
    """start_late(20, beside=node): another node, whose clock is 20 s late."""
    library = tmp_path / "clock.so"
    subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, CLOCK], check=True)
    started = []

    class Late(Server):
        def start(self, *words):
            self.launch(*words)

    def start(late_s, beside):
        Late.launcher = ("env", f"LD_PRELOAD={library}", f"CLOCK_BACK_S={late_s}")
        started.append(Late(binary, stripe_api_base=stub_stripe.url, data_dir=beside.data_dir,
                            database=beside.settings["database"], reconcile_interval="250ms"))
        return started[-1]

    yield start
    for server in started:
        server.close()


def test_a_node_whose_clock_is_wrong_is_not_ready(start_shops, start_late):
    shop, = start_shops(1)
    late = start_late(20, beside=shop.server)
    late.wait_for_log(message="the clock is too far from the database's: the service is not ready until it is set")
    answer = late.api().get("/readyz", expect=503)
    reason = "this machine's clock is more than 10 s from the database's"
    assert answer.json == {"status": "not ready", "reason": reason}
    refused = pay(at_node(shop, late))
    assert (refused.status, refused.codes) == (503, ["OVERLOADED"])
    assert refused.errors[0]["message"] == f"{reason}; nothing was recorded, try again"
    assert pay(shop).status == 201


def test_a_node_whose_clock_is_ahead_by_more_than_a_day_deletes_nothing(start_shops, start_late):
    shop, = start_shops(1)
    recorded = transactions(shop.server)
    ahead = start_late(-100_000, beside=shop.server)
    ahead.wait_for_log(message="the clock is too far from the database's: the service is not ready until it is set")
    wait_for_beats(shop.server, 3)
    assert recorded and recorded <= transactions(shop.server)


def transactions(node):
    with open_database(node) as database:
        return set(database.execute("SELECT id FROM commits").fetchall())


def test_a_clock_that_is_a_little_late_is_told_of(start_shops, start_late):
    shop, = start_shops(1)
    late = start_late(3, beside=shop.server)
    assert -5000 < late.wait_for_log(message="the clock differs from the database's")["ahead_ms"] < -1000
    assert 1000 < late.metric("clock_distance_ms") < 5000 and shop.server.metric("clock_distance_ms") < 1000
    wait_until(lambda: late.api().get("/readyz").status == 200, what="/readyz")
