"""Several nodes: services that share one PostgreSQL database, their keys and their Stripe, which is the stub."""
import os
import signal

import pytest

from support.database import open_database
from support.merchant import Merchant
from support.server import Server
from support.waiting import wait_until

NODES = {"patience": "10s", "reconcile_interval": "250ms", "stripe_timeout": "30s", "webhook_allow": "127.0.0.1",
         "webhook_allow_http": True}


@pytest.fixture
def start_nodes(binary, stub_stripe):
    """start_nodes(3): their Servers. start_nodes(1, beside=node): another one."""
    if "TEST_POSTGRESQL" not in os.environ:
        pytest.skip("only PostgreSQL is shared by several nodes")
    started = []

    def start(count, beside=None, **settings):
        first = beside
        made = []
        for _ in range(count):
            shared = {} if first is None else {"data_dir": first.data_dir, "database": first.settings["database"]}
            stripe = {"stripe_api_base": stub_stripe.url}
            made.append(Server(binary, **NODES | stripe | settings | shared))
            started.append(made[-1])
            first = first or made[-1]
        return made

    yield start
    for server in reversed(started):
        server.process.signal(signal.SIGCONT)
        server.close()


@pytest.fixture
def start_shops(start_nodes):
    """start_shops(2): one merchant with Stripe credentials, as a client of each node sees it."""
    def start(count, **settings):
        nodes = start_nodes(count, **settings)
        shop = Merchant.with_stripe(nodes[0])
        return [at_node(shop, node) for node in nodes]
    return start


def at_node(shop, node):
    """The same merchant, whose client asks this node."""
    other = object.__new__(Merchant)
    other.__dict__.update(shop.__dict__, server=node, api=node.api(shop.key["key"]))
    return other


def beats(node):
    with open_database(node) as database:
        return [beat for beat, in database.execute("SELECT beat FROM nodes").fetchall()]


def wait_for_beats(node, count):
    """Until each node has made so many more."""
    begun = max(beats(node))
    wait_until(lambda: min(beats(node)) >= begun + count, what="the nodes to beat")
