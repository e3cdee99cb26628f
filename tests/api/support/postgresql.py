"""A private PostgreSQL server from Debian's packages, for tests. Its directory, with its socket, is under $TMPDIR. It
listens on TCP only if it is given a port. It ends with the process that started it, and its directory goes with it,
however that process ends.

initdb and postgres refuse to run as root, so root runs them as the user postgres.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from .waiting import scaled, wait_until

PROGRAMS = "/usr/lib/postgresql"  # VERSION/bin, which is not on the PATH
OWNER = "postgres"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
LOG_LINES_SHOWN = 20

# Without fsync a killed server still loses nothing: only a power failure would take what the kernel has not written.
# A language's own order of letters shows statements that rely on the order of bytes.
SETTINGS = {"fsync": "off", "max_connections": 400, "shared_buffers": "64MB", "log_line_prefix": "%m [%p] "}
INITDB = ("--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu",
          "--icu-locale=en-US", "--no-sync", "--no-instructions")

# Removes the directory $0 when its input ends. A server that is about to end may still write there.
REMOVER = 'trap "" INT TERM HUP; cat; until rm -rf "$0"; do sleep 0.1; done'


class Unavailable(Exception):
    """Why there is no server, in one line."""


def programs():
    """The directory of the newest PostgreSQL's programs."""
    found = [path.parent for path in pathlib.Path(PROGRAMS).glob("*/bin/postgres")]
    if not found:
        raise Unavailable(f"there is no PostgreSQL in {PROGRAMS}: run `scripts/deps test`")
    return max(found, key=lambda path: int(path.parent.name))


class Cluster:
    """Settings are those of postgresql.conf: fsync="on"."""

    def __init__(self, port=None, **settings):
        self.programs = programs()
        self.port = port or 5432  # without TCP it is only a part of the socket's name
        self.settings = SETTINGS | {"listen_addresses": "127.0.0.1" if port else ""} | settings
        self.process = None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="paymentsd-pg-"))
        self._remover = subprocess.Popen(["sh", "-c", REMOVER, self.directory], stdin=subprocess.PIPE, cwd="/",
                                         stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            if os.geteuid() == 0:
                shutil.chown(self.directory, OWNER, OWNER)
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def data(self):
        return self.directory / "data"

    @property
    def uri(self):
        """Parameters may follow it after a `&`."""
        return f"postgresql://{OWNER}@/postgres?host={self.directory}&port={self.port}"

    def start(self):
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        self.process = self._spawn("postgres", "-D", self.data, "-k", self.directory, "-p", self.port, *settings)
        wait_until(self._is_ready, START_TIMEOUT_S, "PostgreSQL to accept connections")

    def stop(self, how=signal.SIGINT):
        """SIGINT ends it in good order, SIGQUIT at once."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(scaled(STOP_TIMEOUT_S))
            self.process = None

    def close(self):
        try:
            self.stop(signal.SIGQUIT)
        finally:
            self._remover.communicate()

    def _initialise(self):
        if self._spawn("initdb", "-D", self.data, *INITDB).wait() != 0:
            raise Unavailable(f"initdb failed:\n{self._log_end()}")

    def _is_ready(self):
        if self.process.poll() is not None:
            raise Unavailable(f"PostgreSQL ended at its start:\n{self._log_end()}")
        return subprocess.run([self.programs / "pg_isready", "-q", "-h", self.directory, "-p", str(self.port)],
                              check=False).returncode == 0

    def _log_end(self):
        return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])

    def _spawn(self, program, *arguments):
        """Runs it, with its output in the log. The kernel ends it, at once, with this process."""
        owner = ["--reuid", OWNER, "--regid", OWNER, "--init-groups"] if os.geteuid() == 0 else []
        with open(self.directory / "log", "ab") as log:
            return subprocess.Popen(["setpriv", "--pdeathsig", "QUIT", *owner, self.programs / program,
                                     *map(str, arguments)],
                                    cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)
