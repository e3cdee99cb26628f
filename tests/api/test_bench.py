"""The load generator and the report of `make bench`."""
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.http_listener import Answer, HttpListener

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

import report  # noqa: E402

LOAD = Path(os.environ.get("PAYMENTSD", "build/paymentsd")).parent / "tests" / "bench" / "load"


@pytest.fixture(name="answers")
def answers_of_a_server():
    """Answers are taken from this list, the last one again and again."""
    return [Answer(200)]


@pytest.fixture(name="requests")
def requests_to_a_server(answers):
    return []


@pytest.fixture(name="load")
def load_on_a_server(answers, requests, tmp_path):
    lock = threading.Lock()

    def respond(request):
        with lock:
            requests.append(request)
            return answers.pop(0) if len(answers) > 1 else answers[0]
    listener = HttpListener(respond)

    def run(line, *words):
        (tmp_path / "requests").write_text(line + "\n")
        done = subprocess.run([LOAD, *words, str(listener.port), tmp_path / "requests"], stdout=subprocess.PIPE, check=False)
        return json.loads(done.stdout)
    yield run
    listener.close()


def test_a_stall_is_charged_to_every_request_that_it_delays(load, answers):
    answers.insert(0, Answer(200, delay_s=0.5))
    result = load("GET / key", "-r", "100", "-n", "50")
    assert result["answered"] == 50 and result["p50_ms"] > 100


def test_without_a_rate_a_stall_is_charged_to_one_request(load, answers):
    answers.insert(0, Answer(200, delay_s=0.5))
    result = load("GET / key", "-n", "50")
    assert result["p50_ms"] < 100 and result["max_ms"] > 400


def test_each_payment_has_a_key_of_its_own(load, requests):
    assert load("POST /v1/payments key", "-c", "4", "-n", "20")["answered"] == 20
    assert len({request.header("Idempotency-Key") for request in requests}) == 20
    assert {request.header("X-API-Key") for request in requests} == {"key"}


def test_a_replay_repeats_its_request(load, requests):
    load("POST /v1/payments key replay-7", "-n", "3")
    assert len({request.raw for request in requests}) == 1


def test_failures_are_counted_apart(load, answers):
    answers[:] = [Answer(503), Answer(200, cut_after=5), Answer(200)]
    result = load("GET / key", "-n", "5")
    assert (result["answered"], result["failed"], result["unanswered"]) == (3, 2, 0)


def test_a_failure_is_repeated_until_it_succeeds_where_that_is_asked(load, answers, requests):
    answers[:] = [Answer(503), Answer(200, cut_after=5), Answer(200)]
    result = load("POST /v1/payments key", "-a", "-n", "2")
    assert (result["answered"], result["failed"]) == (2, 2)
    assert len(requests) == 4 and len({request.header("Idempotency-Key") for request in requests}) == 2


def test_the_report_shows_every_result_and_marks_the_disturbed_ones():
    results = [{"group": "100 payments", "target": "paymentsd", "phase": "get", "kind": "get", "per_second": 1234.5, "cpu_us": 16.4,
                "connections": 64, "others_percent": 20},
               {"group": "100 payments", "target": "paymentsd", "phase": "writes", "pwrites": 7.04, "bytes written": 24_000,
                "syncs": 0.5}]
    text = report.markdown("about", results)
    assert "| paymentsd | get * | 1,234 | 16 | – |" in text and "Other programs" in text
    assert "writes 7.0 times and 24.0 kB" in text


def test_the_plot_pairs_the_targets_and_leaves_out_constant_rates():
    phases = [("100 payments", "paymentsd", "get", 16.4), ("100 payments", "paymentsd", "list", 50.1),
              ("100 payments, constant rate", "paymentsd", "get, at 5/s", 99.1), ("100 payments", "Node", "get", 76.2)]
    plot = report.svg([{"group": group, "target": target, "phase": phase, "kind": phase.split(",")[0], "cpu_us": cpu_us}
                       for group, target, phase, cpu_us in phases])
    assert plot.index(">16</text>") < plot.index(">76</text>") < plot.index(">50</text>") and ">99</text>" not in plot
