"""PostgreSQL servers that fail: a primary with a standby, which a test may kill, freeze and promote."""
import contextlib
import os
import signal
import socket
import subprocess

from .postgresql import INITDB, OWNER, Cluster
from .waiting import PATIENCE_S, scaled, wait_until

COMMAND_TIMEOUT_S = 60


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def uri(*servers):
    """Of the database on the first of these that takes writes."""
    return f"postgresql://{OWNER}@{','.join(f'127.0.0.1:{server.port}' for server in servers)}/postgres"


class PostgresqlServer(Cluster):
    """A server that listens on TCP. With a `primary`, it is a copy that follows it."""

    def __init__(self, primary=None, **settings):
        self.primary = primary
        super().__init__(free_port(), shared_buffers="16MB", max_connections=40, wal_sender_timeout=0,
                         wal_receiver_timeout=0, **settings)

    def _initialise(self):
        primary = self.primary
        made = (self._spawn("initdb", "-D", self.data, *INITDB) if primary is None else
                self._spawn("pg_basebackup", "-h", primary.directory, "-p", primary.port, "-U", OWNER, "-D", self.data,
                            "-R", "--no-sync", "-c", "fast"))
        assert made.wait(scaled(COMMAND_TIMEOUT_S)) == 0, self._log_end()

    def sql(self, text):
        """What the statements answer, as text."""
        done = subprocess.run(["psql", "-qtAX", "-h", self.directory, "-p", str(self.port), "-U", OWNER, "-c", text,
                               "postgres"], text=True, capture_output=True, timeout=scaled(COMMAND_TIMEOUT_S),
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def set(self, name, value):
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def wait_for_standby(self):
        """From now on a commit waits for the standby."""
        self.set("synchronous_standby_names", "*")
        wait_until(lambda: self.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1",
                   what="the standby to follow", timeout=3 * PATIENCE_S)

    def promote(self):
        self.sql("SELECT pg_promote(false)")
        wait_until(lambda: self.sql("SELECT pg_is_in_recovery()") == "f", what="the promotion")

    def signal_all(self, number):
        """To the server and its children, which have no process group in common."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            pids = [pid, *map(int, children.read().split())]
        for one in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)

    def kill(self):
        self.signal_all(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
        super().close()
