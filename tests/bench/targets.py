"""What is measured: the service with a seeded database, and others beside it. A target has a `name`, the `port` that it
listens on, its processes (`pids`) and `requests`: the records of each kind, for the load generator."""
import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
import uuid
from pathlib import Path

import generator
from seed import accounts, sample, seed
from support.merchant import Merchant
from support.process import Process, environment
from support.server import Server
from support.waiting import wait_until

SETTINGS = {"webhook_allow": "127.0.0.0/8", "webhook_allow_http": True, "connections": 16000,
            "connections_per_address": 16000, "operations": 16000, "queue": 16000, "log_level": "warn"}
MERCHANTS = 100   # beside the first one
FIRST_HAS = 1000  # of the seeded payments, for every one that another merchant has
GETS, REPLAYS = 20_000, 2_000
# Drawn at random for lists. The largest one has 50 payments, the others 20; the last one finds none.
LISTS = ("page_size=20", "page_size=50", "status=completed&page_size=20", "status=failed&page_size=20",
         "currency=EUR&page_size=20", "min_amount=100&currency=USD&page_size=20", "min_amount=500&max_amount=510&page_size=20",
         "status=refunded&page_size=20", "status=pending&page_size=20")
PEER = Path(__file__).resolve().parent / "peer"


def requests_of(key, ids):
    """The requests of one API key, by kind."""
    requests = {
        "get": [generator.get(f"/v1/payments/{payment}", key) for payment in ids],
        "list": [generator.get(f"/v1/payments?{query}", key) for query in LISTS],
        "create": generator.creates(key),
        "replay": [generator.replay(key, number) for number in range(REPLAYS)],
    }
    requests["mixed"] = requests["get"][:700] + (requests["create"] * 23)[:200] + (requests["list"] * 12)[:100]
    return requests


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_port(port):
    def is_open():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return False
        return True
    wait_until(is_open, what=f"port {port}")


@contextlib.contextmanager
def unguarded(path):
    """A database that nobody else has open, without a journal: the fastest way to fill it."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -1000000")
        yield database
        database.execute("PRAGMA journal_mode = WAL")


class QuietServer(Server):
    """One that logs too little to say where it listens."""

    def launch(self, *words):
        self.port = self.port or free_port()
        self.process = Process([*self.launcher, self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", *words],
                               self.environment())
        wait_for_port(self.port)


class Paymentsd(QuietServer):
    """Its first merchant has nearly all payments; a hundred others share the rest."""

    name = "paymentsd"

    def __init__(self, build, upstream, rows):
        super().__init__(build / "paymentsd", **SETTINGS, **upstream.settings)
        merchants = [Merchant.with_stripe(self) for _ in range(1 + MERCHANTS)]
        for merchant in merchants:
            merchant.use_webhook(upstream.url + "/webhook")
        self.terminate()
        self._seed(merchants, rows)
        self.vouch()
        self.start()

    @property
    def pids(self):
        return (self.process.pid,)

    @property
    def database(self):
        return f"{self.data_dir}/payments.db"

    def _seed(self, merchants, rows):
        first = uuid.UUID(merchants[0].id).bytes
        with unguarded(self.database) as database:
            owners = {account[0]: account for account in accounts(database)}
            cycle = [owner for other in owners if other != first for owner in (*[first] * (FIRST_HAS // MERCHANTS), other)]
            seed(database, rows, [owners[owner] for owner in cycle])
            self.key, ids = merchants[0].key["key"], sample(database, merchants[0].id, GETS)
            shared = [requests_of(merchant.key["key"], sample_of_few(database, merchant)) for merchant in merchants[1:]]
        self.payment = f"/v1/payments/{ids[0]}"
        self.requests = requests_of(self.key, ids)
        self.requests |= {f"{kind} of {MERCHANTS}": [request for requests in shared for request in requests[kind]]
                          for kind in ("get", "list", "create")}


def sample_of_few(database, merchant):
    """The ids of the first payments of a merchant."""
    found = database.execute("SELECT id FROM payments WHERE merchant_id = ? ORDER BY id LIMIT 200",
                             (uuid.UUID(merchant.id).bytes,))
    return [str(uuid.UUID(bytes=payment)) for payment, in found]


def install_peer(folder):
    """Copies the peer into the folder, where npm installs its packages at the versions of package-lock.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in PEER.iterdir():
        shutil.copy(file, folder)
    if not (folder / "node_modules" / "fastify").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)


class Peer:
    """The same rows behind what one would otherwise write in Node: tests/bench/peer."""

    name = "Node"

    def __init__(self, installed, upstream, rows, folder, source):
        """Runs in the folder where install_peer put it. Takes its rows from the database of a Paymentsd."""
        self.port = free_port()
        path = folder / f"peer-{rows}.db"
        self._process = Process(["node", installed / "server.js"], environment(
            NODE_ENV="production", PORT=str(self.port), DATABASE=str(path), STRIPE=upstream.url,
            WEBHOOK_URL=upstream.url + "/webhook", SEED=source))
        found = self._process.out.wait_for(lambda line: line.startswith("{") and json.loads(line), timeout=600)
        assert found, "\n".join(self._process.err.all())
        with contextlib.closing(sqlite3.connect(path)) as database:
            ids = [str(uuid.UUID(bytes=row[0])) for row in database.execute(
                "SELECT id FROM payments WHERE rowid % ? = 0 AND merchant = (SELECT merchant FROM keys) LIMIT ?",
                (max(1, rows // GETS), GETS))]
        self.requests = requests_of(found["key"], ids)
        self.pids = (self._process.pid,)

    def close(self):
        self._process.kill()


class Nginx:
    """Serves one payment as a file."""

    name = "nginx, a file"

    def __init__(self, folder, payment):
        self.port = free_port()
        (folder / "payment.json").write_bytes(payment)
        (folder / "nginx.conf").write_text(f"""
            daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; keepalive_requests 100000000; open_file_cache max=10;
                client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
                uwsgi_temp_path {folder}; scgi_temp_path {folder};
                server {{ listen 127.0.0.1:{self.port}; location / {{ root {folder}; default_type application/json; }} }}
            }}""")
        self._process = Process(["/usr/sbin/nginx", "-e", "stderr", "-c", folder / "nginx.conf"], environment())
        wait_for_port(self.port)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.pids = (self._process.pid, *map(int, children))
        self.requests = {"get": [generator.get("/payment.json", "none")]}

    def close(self):
        self._process.kill()
