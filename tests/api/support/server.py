"""The service itself: `paymentsd serve` with a data directory and a port of its own."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from . import leaks
from .client import Api
from .database import drop_database, new_database, open_database
from .process import Process, environment
from .recording import record
from .waiting import scaled, wait_until

SANITIZER_REPORT = re.compile(r"(Address|Thread|Leak|Memory)Sanitizer|runtime error: ")
CLI_TIMEOUT_S = 30
SHOW_KEYS = ("createapikey", "createsuperadmin")  # once, on stdout
PORTS = range(10000, 32000)  # below those that the system gives to connections, which would take one during a restart

# Every server that runs: a failing test shows what theirs logged.
running = []


def reserve_port():
    """A port, and a socket: no other test gets this port while that is open."""
    while True:
        port, reservation = random.SystemRandom().choice(PORTS), socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0paymentsd-test-port-{port}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return port, reservation
        except OSError:
            pass
        reservation.close()


class Server:
    """Settings are those of the service by their names: patience="2s" is PAYMENTS_PATIENCE=2s."""

    launcher = ()  # a command that runs the service, with its arguments

    def __init__(self, binary, **settings):
        self.binary = binary
        self.data_dir = tempfile.mkdtemp(prefix="paymentsd-test-")
        self._made = None if "database" in settings else new_database()
        self.settings = settings | ({"database": self._made} if self._made else {})
        self.secrets = set()    # must never be shown, nor anything that leaks.py knows by its shape
        self.process = None
        self.port, self._reservation = reserve_port()  # kept over restarts
        self._seen = 0          # log lines already checked
        self._mark = 0          # log lines before the present test
        running.append(self)
        try:
            self.start()
        except BaseException:
            self.discard()
            raise

    # Running it

    def start(self, *words):
        self.launch(*words)
        wait_until(self._is_ready, what="/readyz")

    def launch(self, *words):
        """Starts it, with these flags too, and does not wait until it is ready."""
        self.process = Process([*self.launcher, self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", *words],
                               self.process_environment())
        self._seen = self._mark = 0
        port = self.process.err.wait_for(_port_of_listening)
        assert port, self._explained("did not say where it listens")
        self.port = port

    def terminate(self):
        """Asks it to end, waits until it did, and holds it to a clean end."""
        self.process.signal(signal.SIGTERM)
        try:
            status = self.process.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(self._explained("did not end on SIGTERM")) from None
        assert status == 0, self._explained(f"ended with status {status}")
        self._refuse_bad_log()

    def kill(self):
        """The end without a warning, as a power failure would bring it."""
        self.process.kill()
        self._refuse_bad_log()

    def restart(self):
        """A new process on the same data and port; the old one is ended in good order if it still runs."""
        if self.process.exit_status() is None:
            self.terminate()
        self.start()

    def restart_making_due(self, absent_older_us=0):
        """Nobody can wait for what is due in ten minutes or an hour: it is made due now, and an absence that a look-up saw
        older."""
        self.terminate()
        with open_database(self) as database:
            changed = database.execute(
                "UPDATE operations SET next_attempt_us = 1,"
                " absent_us = CASE WHEN absent_us > 0 THEN absent_us - ? ELSE 0 END", (absent_older_us,)).rowcount
        assert changed > 0
        self.vouch()
        self.start()

    def vouch(self):
        """As if the stopped service's database, which a test has changed, were the very one that it stopped with. Only a
        file shows a change."""
        if self._made:
            return
        file = os.stat(f"{self.data_dir}/payments.db")
        with open(f"{self.data_dir}/payments.db.stopped", "w", encoding="ascii") as mark:
            mark.write(f"{file.st_ino} {file.st_ctime_ns // 10**9}.{file.st_ctime_ns % 10**9:09}\n")

    def reload(self):
        self.process.signal(signal.SIGHUP)

    def close(self):
        """The end of its use: like terminate, where it runs, and then nothing of it is left."""
        try:
            if self.process.exit_status() is None:
                self.terminate()
            leaks.refuse_in_files(self.data_dir, self.secrets)
        finally:
            self.discard()

    def discard(self):
        if self.process is not None:
            self.process.kill()
        if self in running:
            running.remove(self)
        shutil.rmtree(self.data_dir, ignore_errors=True)
        drop_database(self._made)

    # Talking to it

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def api(self, key=None, **headers):
        """A client, whose exchanges are held to the API's description."""
        return Api(self.url, key, record, **headers)

    def environment(self):
        given = {"data_dir": self.data_dir} | self.settings
        return environment(**{f"PAYMENTS_{name.upper()}": _setting(value) for name, value in given.items()})

    def process_environment(self):
        """The service's own, where a command's is not the same."""
        return self.environment()

    def command(self, *words, check=True, **options):
        """Runs a command of the program on this server's data, with this server's settings."""
        done = subprocess.run([str(self.binary), *map(str, words)], env=self.environment(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=scaled(CLI_TIMEOUT_S),
                              **options)
        leaks.refuse_in_output(words, done.stderr)
        if words[0] not in SHOW_KEYS:
            leaks.refuse_in_output(words, done.stdout)
        assert not check or done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr or done.stdout}"
        return done

    def command_json(self, *words):
        return json.loads(self.command(*words, "--json").stdout)

    # Its log and metrics

    def metric(self, name):
        """The value of payments_NAME, a whole number without labels."""
        return int(re.search(rf"^payments_{name} (\d+)$", self.api().get("/metrics").body.decode(), re.MULTILINE)[1])

    def log(self):
        """The entries that the present process logged."""
        return [json.loads(line) for line in self.process.err.all() if _is_entry(line)]

    def wait_for_log(self, **fields):
        """The first entry with these fields."""
        def wanted(line):
            entry = json.loads(line) if _is_entry(line) else {}
            return entry if all(entry.get(name) == value for name, value in fields.items()) else None
        entry = self.process.err.wait_for(wanted)
        assert entry, self._explained(f"did not log {fields}")
        return entry

    def mark_log(self):
        self._mark = self.process.err.count()

    def log_since_mark(self):
        return self.process.err.all(self._mark)

    def check(self):
        """Fails where it has ended by itself or has logged what it must not."""
        status = self.process.exit_status()
        assert status in (None, 0, -signal.SIGKILL), self._explained(f"ended with status {status}")
        self._refuse_bad_log()

    def _refuse_bad_log(self):
        lines = self.process.err.all(self._seen)
        self._seen += len(lines)
        if any(SANITIZER_REPORT.search(line) for line in lines):
            raise AssertionError("a sanitizer's report:\n" + "\n".join(lines[-200:]))
        for line in lines:
            assert _is_entry(line), f"a log line that is not a JSON object: {line}"
            leaked = leaks.found(line) + [secret for secret in list(self.secrets) if secret in line]
            assert not leaked, f"the log shows a secret: {line}"

    def _is_ready(self):
        assert self.process.exit_status() is None, self._explained("ended at start")
        return Api(self.url).get("/readyz").status == 200

    def _explained(self, what):
        return f"paymentsd {what}; it logged:\n" + "\n".join(self.process.err.all()[-100:])


def _setting(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_entry(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _port_of_listening(line):
    entry = json.loads(line) if _is_entry(line) else {}
    return int(entry["port"]) if entry.get("message") == "listening" else None
