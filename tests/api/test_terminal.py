"""The service in a terminal stops when the terminal is closed. A log that nobody reads does not block it."""
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import tty

import pytest

from support.client import Api
from support.waiting import PATIENCE_S, scaled, wait_until


@contextlib.contextmanager
def in_a_terminal(place, log, *, nohup=False):
    """Runs the service in its own terminal, with its log in a file. Yields the terminal and the process."""
    master, slave = pty.openpty()
    # The tests themselves may run under nohup.
    words = ["env", "--default-signal=HUP", "setsid", "--ctty", *(["nohup"] if nohup else []), *place.argv("serve", "--listen", "127.0.0.1:0")]
    with open(log, "wb") as written:
        process = subprocess.Popen(words, env=place.environment(), cwd=log.parent, stdin=slave, stdout=slave, stderr=written)
    os.close(slave)
    try:
        yield master, process
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(master)


def entries(log):
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def port_of(log):
    return wait_until(lambda: next((entry["port"] for entry in entries(log) if entry["message"] == "listening"), None))


def test_it_ends_when_its_terminal_is_closed(place, tmp_path):
    log = tmp_path / "log"
    with in_a_terminal(place, log) as (master, process):
        wait_until(lambda: any(entry["message"] == "ready" for entry in entries(log)))
        os.close(master)
        assert process.wait(scaled(PATIENCE_S)) == 0
    assert [entry["message"] for entry in entries(log)][-2:] == ["stopping", "stopped"]


def test_nohup_lets_it_outlive_its_terminal(place, tmp_path):
    log = tmp_path / "log"
    with in_a_terminal(place, log, nohup=True) as (master, process):
        port = port_of(log)
        os.close(master)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: any(entry["message"] == "settings reloaded" for entry in entries(log)))
        with socket.create_connection(("127.0.0.1", port)):
            pass
        process.terminate()
        assert process.wait(scaled(PATIENCE_S)) == 0


def test_without_a_terminal_sighup_reloads_the_settings(start_server, sandbox):
    server = start_server(sandbox.url)
    server.reload()
    server.wait_for_log(message="settings reloaded")
    assert server.api().get("/readyz").status == 200


# A log that nobody reads

def pipe():
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    return read, write


def stream_socket():
    ours, its = socket.socketpair()
    return ours.detach(), its.detach()


def pseudo_terminal():
    master, slave = pty.openpty()
    tty.setraw(slave)
    return master, slave


class Unread:
    """A log that is read only on demand."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.text = ""
        os.set_blocking(descriptor, False)

    def read(self):
        """The entries that have arrived."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.text += os.read(self.descriptor, 65536).decode()
        lines = self.text.split("\n")
        self.text = lines.pop()
        return [json.loads(line) for line in lines if line]

    def read_until(self, wanted, before=lambda: None):
        """The first entry that is wanted."""
        def found():
            before()
            return next(filter(wanted, self.read()), None)
        return wait_until(found)


@pytest.mark.parametrize("make", [pipe, stream_socket, pseudo_terminal], ids=lambda make: make.__name__)
def test_a_log_that_nobody_reads_blocks_nothing(place, make):
    ours, its = make()
    process = subprocess.Popen(place.argv("serve", "--listen", "127.0.0.1:0"), env=place.environment(), stderr=its,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    os.close(its)
    log = Unread(ours)
    try:
        api = Api(f"http://127.0.0.1:{log.read_until(lambda entry: entry['message'] == 'listening')['port']}")

        def dropped():
            shown = api.get("/metrics").body.decode()
            return int(re.search(r"^payments_log_dropped_total (\d+)$", shown, re.MULTILINE)[1])

        wait_until(lambda: dropped() > 100, what="lines to be dropped")
        assert api.get("/healthz").status == 200
        said = log.read_until(lambda entry: entry.get("dropped", 0) > 100, before=lambda: api.get("/healthz"))
        assert said["level"] == "warn" and "nobody read the log" in said["message"]
        log.read()
        count = dropped()
        for _ in range(5):
            log.read_until(lambda entry: entry["message"] == "request", before=lambda: api.get("/healthz"))
        assert dropped() == count
        process.terminate()
        assert process.wait(scaled(PATIENCE_S)) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
