"""Several nodes on one PostgreSQL, any of which may be killed or stand still, and so may the database. Their merchant's
clients ask any node that runs, as a load balancer would choose it."""
import random
import signal

from support.database import rows_of
from support.merchant import Merchant
from support.postgresql import Cluster
from support.receiver import Receiver
from support.sandbox import Sandbox
from support.waiting import wait_until
from world import SETTINGS, KillableServer, World

GIVEN_UP_WITHIN_S = 40  # 30 are promised


class AnyNode:
    """The merchant's client at one of the nodes, chosen anew for each use."""

    def __init__(self, world, key):
        self._world, self._key = world, key

    def __getattr__(self, name):
        return getattr(random.choice(self._world.serving()).api(self._key), name)


class NodesWorld(World):
    """`are_told`: each node gets all of Stripe's events."""

    ask_again = (409, 503)  # no failure of a node or of the database is a client's 500

    def __init__(self, binary, count, are_told=True, **settings):  # not World's, which has one server with a database of its own
        self.sandbox = Sandbox(binary)
        self.receiver = Receiver()
        self.database = Cluster()
        self.nghttpx = self.plan = self.last = None
        self.operations = 0
        self._answered, self._bodies = {}, {}
        self.paused = set()
        self.nodes = []
        for _ in range(count):
            shared = {"data_dir": self.nodes[0].data_dir} if self.nodes else {}
            self.nodes.append(KillableServer(binary, None, **SETTINGS | settings | shared | {
                "database": self.database.uri, "stripe_api_base": self.sandbox.url}))
        self.server = self.nodes[0]  # whose settings the commands have
        self.merchant = Merchant(self.server)
        self.merchant.api = AnyNode(self, self.merchant.key["key"])
        self.merchant.use_stripe()
        self.merchant.use_webhook(self.receiver.url)
        for node in self.nodes if are_told else ():
            self.at_stripe("POST", "webhook_endpoints", {
                "url": f"{node.url}/v1/webhooks/stripe/{self.merchant.id}", "enabled_events[]": "*",
                "secret": self.merchant.stripe_webhook_secret})

    def close(self):
        for node in reversed(self.nodes):
            self.resume(node)
            node.close()
        self.database.close()
        self.receiver.close()
        self.sandbox.close()

    def serving(self):
        return [node for node in self.nodes if node not in self.paused and node.process.exit_status() is None]

    def ask(self, method, path, body=None, key=None, **options):
        answer = super().ask(method, path, body, key, **options)
        if answer is not None and key:
            self._bodies[path, key] = body
        return answer

    # What happens to them

    def kill(self, node):
        node.kill()
        self.paused.discard(node)

    def pause(self, node):
        node.process.signal(signal.SIGSTOP)
        self.paused.add(node)

    def resume(self, node):
        node.process.signal(signal.SIGCONT)
        self.paused.discard(node)

    def rows(self):
        """The nodes that the database knows."""
        return {name for name, in rows_of(self.server, "SELECT id FROM nodes")}

    def wait_until_given_up(self, known):
        """Until the others have removed at least one of these rows."""
        wait_until(lambda: known - self.rows(), timeout=GIVEN_UP_WITHIN_S, what="a node to be given up")

    def restart_database(self):
        """It loses its connections and its memory, as if it had crashed."""
        self.database.stop(signal.SIGQUIT)
        self.database.start()

    # What must be true

    def check_answers(self):
        """Each node has what was answered, and answers it again."""
        for (path, key), body in self._bodies.items():
            self.repeat(lambda: self.ask("POST", path, body, key), f"{key} to be answered again")

    def check_keys(self, ledger):
        """Each key has made one payment."""
        keys = [key for path, key in self._bodies if path == "/v1/payments"]
        assert len(ledger.payments) == len(set(keys)), f"{len(ledger.payments)} payments under {len(keys)} keys"

    def check_nothing_is_leased(self):
        wait_until(lambda: not self._left(), timeout=60, what="all work to end")

    def _left(self):
        return rows_of(self.server, "SELECT 1 FROM outbox WHERE status = 'processing'"
                                    " UNION ALL SELECT 1 FROM operations WHERE kind IN ('charge', 'refund', 'capture')")

    def check_audit(self):
        self.server.command("verify-audit")
