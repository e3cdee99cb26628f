"""Measures the service on a PostgreSQL server of its own, with durable commits, on the same processors and disk."""
import shutil
import uuid
from pathlib import Path

import generator
import seed_postgresql
from seed import accounts
from support.client import Api
from support.database import open_database
from support.merchant import Merchant
from support.postgresql import Cluster
from targets import FIRST_HAS, GETS, LISTS, MERCHANTS, SETTINGS, QuietServer, requests_of

SERVER = {"fsync": "on", "max_connections": 200, "shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
PAGES = 5  # of each list, that are reached by a cursor


class Node(QuietServer):
    """With the keys of the first node."""

    def __init__(self, binary, keys_from=None, **settings):
        self._keys_from = keys_from
        super().__init__(binary, **settings)

    def launch(self, *words):
        for file in Path(self._keys_from).glob("*.key") if self._keys_from else ():
            shutil.copy(file, self.data_dir)
        super().launch(*words)


class Nodes:
    """Some nodes on one server. As in Paymentsd, the first merchant has nearly all payments."""

    def __init__(self, build, upstream, rows, count):
        self.name = f"PostgreSQL, {count} node{'s' if count > 1 else ''}"
        self._cluster = Cluster(**SERVER)
        self._nodes = []
        try:
            self._start(build, upstream, rows, count)
        except BaseException:
            self.close()
            raise

    def _start(self, build, upstream, rows, count):
        settings = SETTINGS | upstream.settings | {"database": self._cluster.uri}
        first = Node(build / "paymentsd", **settings)
        self._nodes.append(first)
        merchants = [Merchant.with_stripe(first) for _ in range(1 + MERCHANTS)]
        for merchant in merchants:
            merchant.use_webhook(upstream.url + "/webhook")
        ids = self._seed(first, merchants, rows)
        key = merchants[0].key["key"]
        self.requests = requests_of(key, ids) | {"page": pages(first, key)}
        self._nodes += [Node(build / "paymentsd", first.data_dir, **settings) for _ in range(count - 1)]

    def _seed(self, first, merchants, rows):
        with open_database(first) as database:
            owners = {bytes(account[0]): account for account in accounts(database)}
        main = uuid.UUID(merchants[0].id).bytes
        others = [owner for owner in owners if owner != main]
        cycle = [owner for other in others for owner in (*[main] * (FIRST_HAS // MERCHANTS), other)]
        seed_postgresql.seed(self._cluster.uri, rows, [owners[owner] for owner in cycle])
        with open_database(first) as database:
            percent = min(100, 100 * 4 * GETS / rows)
            found = database.execute(f"SELECT id FROM payments TABLESAMPLE SYSTEM ({percent}) WHERE merchant_id = ?"
                                     f" ORDER BY random() LIMIT {GETS}", (main,)).fetchall()
        return [str(uuid.UUID(bytes=bytes(row[0]))) for row in found]

    @property
    def ports(self):
        return [node.port for node in self._nodes]

    @property
    def memory_pids(self):
        """Without the server, whose processes share their memory."""
        return [node.process.pid for node in self._nodes]

    @property
    def pids(self):
        server = self._cluster.process.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        lasting = [pid for pid in map(int, children) if "autovacuum worker" not in command_of(pid)]
        return [*self.memory_pids, server, *lasting]

    def close(self):
        for node in self._nodes:
            node.close()
        self._cluster.close()


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return "autovacuum worker"  # it has just ended


def pages(server, key):
    """Requests for the pages that follow the first one of each list."""
    api, requests = Api(server.url, key), []
    for query in LISTS:
        cursor = api.get(f"/v1/payments?{query}").json["meta"]["next_cursor"]
        for _ in range(PAGES):
            if cursor is None:
                break
            path = f"/v1/payments?{query}&cursor={cursor}"
            requests.append(generator.get(path, key))
            cursor = api.get(path).json["meta"]["next_cursor"]
    return requests
