"""The service in someone's terminal: it ends with it, and what nobody reads does not hold it up."""
import contextlib
import json
import os
import pty
import signal
import socket
import subprocess

import pytest

from support.waiting import PATIENCE_S, scaled, wait_until


@contextlib.contextmanager
def in_a_terminal(place, log, *, nohup=False):
    """The service with a terminal of its own, which is yielded with it; its log goes to a file."""
    master, slave = pty.openpty()
    words = ["setsid", "--ctty", *(["nohup"] if nohup else []), *place.argv("serve", "--listen", "127.0.0.1:0")]
    with open(log, "wb") as written:
        process = subprocess.Popen(words, env=place.environment(), stdin=slave, stdout=slave, stderr=written)
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
        port_of(log)
        os.close(master)
        assert process.wait(scaled(PATIENCE_S)) == 0
    assert [entry["message"] for entry in entries(log)][-2:] == ["stopping", "stopped"]


def test_nohup_lets_it_outlive_its_terminal(place, tmp_path):
    log = tmp_path / "log"
    with in_a_terminal(place, log, nohup=True) as (master, process):
        port = port_of(log)
        os.close(master)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: any(entry["message"] == "settings read again" for entry in entries(log)))
        with socket.create_connection(("127.0.0.1", port)):
            pass
        process.terminate()
        assert process.wait(scaled(PATIENCE_S)) == 0


def test_without_a_terminal_a_hang_up_reloads(start_server, sandbox):
    server = start_server(sandbox.url)
    server.reload()
    server.wait_for_log(message="settings read again")
    assert server.api().get("/readyz").status == 200
