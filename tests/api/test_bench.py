"""The load generator of `make bench` and `make pressure`, and the report of `make bench`."""
import os
import sys
import threading
from pathlib import Path

import pytest

from support.http_listener import Answer, HttpListener

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

import generator  # noqa: E402
import report  # noqa: E402

BUILD = Path(os.environ.get("PAYMENTSD", "build/paymentsd")).parent
SLOW = Answer(200, delay_s=0.3)  # to GET /slow
GET = generator.get("/", "key")
CREATE = generator.create("key")


@pytest.fixture(name="answers")
def answers_of_a_server():
    """Answers are taken from this list, the last one again and again."""
    return [Answer(200)]


@pytest.fixture(name="requests")
def requests_to_a_server(answers):
    return []


@pytest.fixture(name="listener")
def listener_that_keeps_requests(answers, requests):
    lock = threading.Lock()

    def respond(request):
        with lock:
            requests.append(request)
            if request.target == "/slow":
                return SLOW
            return answers.pop(0) if len(answers) > 1 else answers[0]
    listener = HttpListener(respond)
    yield listener
    listener.close()


@pytest.fixture(name="load")
def load_on_the_listener(listener):
    def run(records, *words):
        with generator.written(records) as file:
            return generator.run(BUILD, listener.port, file, *words)
    return run


def test_a_stall_is_charged_to_every_request_that_it_delays(load, answers):
    answers.insert(0, Answer(200, delay_s=0.5))
    result = load([GET], "-r", "100", "-n", "50")
    assert result["answered"] == 50 and result["p50_ms"] > 100
    group, = result["groups"]
    assert group["p50_ms"] > 100 > group["took_p50_ms"] and group["took_max_ms"] > 400


def test_without_a_rate_a_stall_is_charged_to_one_request(load, answers):
    answers.insert(0, Answer(200, delay_s=0.5))
    result = load([GET], "-n", "50")
    assert result["p50_ms"] < 100 and result["max_ms"] > 400


def test_each_payment_has_a_key_of_its_own(load, requests):
    assert load([CREATE], "-c", "4", "-n", "20")["answered"] == 20
    assert len({request.header("Idempotency-Key") for request in requests}) == 20
    assert {request.header("X-API-Key") for request in requests} == {"key"}


def test_a_replay_repeats_its_request(load, requests):
    load([generator.replay("key", 7)], "-n", "3")
    assert len({request.raw for request in requests}) == 1


def test_failures_are_counted_apart(load, answers):
    answers[:] = [Answer(503), Answer(200, cut_after=5), Answer(200)]
    result = load([GET], "-n", "5")
    assert (result["answered"], result["failed"], result["unanswered"]) == (3, 2, 0)


def test_a_failure_is_repeated_until_it_succeeds_where_that_is_asked(load, answers, requests):
    answers[:] = [Answer(503), Answer(200, cut_after=5), Answer(200)]
    result = load([CREATE], "-a", "-n", "2")
    assert (result["answered"], result["failed"]) == (2, 2)
    assert len(requests) == 4 and len({request.header("Idempotency-Key") for request in requests}) == 2


def test_requests_are_drawn_at_random_or_sent_in_order(load, requests):
    records = [generator.get(f"/{number}", "key") for number in range(10)]
    load(records, "-n", "25", "-o")
    assert [request.target for request in requests] == [f"/{number % 10}" for number in range(25)]
    requests.clear()
    load(records, "-n", "200")
    assert {request.target for request in requests} == {f"/{number}" for number in range(10)}
    assert [request.target for request in requests] != [f"/{number % 10}" for number in range(200)]


def test_each_run_makes_other_payments(load, requests):
    for _ in range(2):
        load([CREATE], "-n", "5")
    assert len({request.header("Idempotency-Key") for request in requests}) == 10
    assert len({request.json["amount"] for request in requests}) >= 5


def test_a_label_does_not_wait_for_the_connections_of_another(load):
    result = load([generator.get("/slow", "key", "slow"), generator.get("/", "key", "quick")], "-o", "-n", "6", "-r", "50")
    slow, quick = result["groups"]
    assert (slow["label"], slow["count"], quick["label"], quick["count"]) == ("slow", 3, "quick", 3)
    assert slow["max_ms"] > 1000 * 2 * SLOW.delay_s and quick["max_ms"] < 1000 * SLOW.delay_s


def test_a_connection_is_opened_when_none_of_its_label_is_free(load, listener):
    load([generator.get("/slow", "key")], "-c", "100", "-n", "3", "-r", "100")
    assert listener.connections_accepted == 3


def test_groups_tell_statuses_apart_and_what_was_due_at_first(load, answers):
    answers[:] = [Answer(503, headers={"Retry-After": "1"}), Answer(503), Answer(200, cut_after=5), Answer(201)]
    result = load([GET], "-o", "-r", "20", "-n", "30", "-f", "1")
    assert [(group["settled"], group["status"], group["count"], group["retry_after"]) for group in result["groups"]] == [
        (False, 0, 1, 0), (False, 201, 17, 0), (False, 503, 2, 1), (True, 201, 10, 0)]
    assert 15 <= result["groups"][1]["per_second"] <= 17 and result["groups"][3]["per_second"] > 5
    assert (result["answered"], result["failed"], result["failed_status"]) == (27, 3, 0)


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
