"""A child process that cannot outlive the tests, and the lines that it wrote."""
import atexit
import os
import signal
import subprocess
import threading
import time

from .waiting import PATIENCE_S, scaled

_running = set()


@atexit.register
def _kill_what_is_left():
    for process in list(_running):
        process.kill()


def environment(**variables):
    """A child's environment: the given variables and no setting that happens to be set outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    sanitizers = {
        "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        "TSAN_OPTIONS": "exitcode=99",
    }
    for name, value in sanitizers.items():
        kept[name] = ":".join(filter(None, [value, os.environ.get(name)]))
    return kept | variables


class Lines:
    """The lines of a stream, as they come. Any thread."""

    def __init__(self):
        self._changed = threading.Condition()
        self._lines = []
        self._ended = False

    def read_from(self, stream):
        for line in stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self, since=0):
        with self._changed:
            return self._lines[since:]

    def count(self):
        with self._changed:
            return len(self._lines)

    def wait_for(self, wanted, timeout=PATIENCE_S, since=0):
        """The first result of wanted(line) that is true; None where the stream ends or the time is over."""
        deadline = time.monotonic() + scaled(timeout)
        with self._changed:
            while True:
                while since < len(self._lines):
                    result = wanted(self._lines[since])
                    since += 1
                    if result:
                        return result
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)


class Process:
    """Runs argv in a process group of its own; setpriv has the kernel kill it should the tests be killed. It inherits
    the descriptors `fds`."""

    def __init__(self, argv, env, folder=None, fds=()):
        self.out = Lines()
        self.err = Lines()
        self._popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *map(str, argv)], env=env, cwd=folder, start_new_session=True, text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=fds)
        self._readers = [threading.Thread(target=lines.read_from, args=(stream,), daemon=True)
                         for lines, stream in ((self.out, self._popen.stdout), (self.err, self._popen.stderr))]
        for reader in self._readers:
            reader.start()
        _running.add(self)

    @property
    def pid(self):
        return self._popen.pid

    def exit_status(self):
        """None while it runs; -N where signal N ended it."""
        return self._popen.poll()

    def signal(self, number):
        if self.exit_status() is None:
            os.kill(self.pid, number)

    def wait(self, timeout=PATIENCE_S):
        status = self._popen.wait(scaled(timeout))
        for reader in self._readers:
            reader.join()
        _running.discard(self)
        return status

    def kill(self):
        """Ends it and whatever it started, at once, as a power failure would."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait()
