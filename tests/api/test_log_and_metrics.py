"""An operator's tools: the log's line of each request, and /metrics."""
import re
import threading

from support.merchant import ObservedMerchant
from support.raw import Raw
from support.stub import executed

PAYMENT = b'{"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}'


def line_of(server, answer):
    return server.wait_for_log(message="request", request_id=answer.headers["X-Request-Id"])


# The log

def test_a_request_line_says_who_asked_what_was_refused_and_how_long_it_took(server, merchant):
    api = server.api(merchant.key["key"], X_Forwarded_For="203.0.113.77")
    line = line_of(server, api.get("/v1/merchant/me"))
    assert line["client"] == "203.0.113.77" and line["error_code"] == "" and line["level"] == "info"
    assert line["merchant_id"] == merchant.id and line["duration_us"] >= 0 and "us" not in line
    assert line_of(server, api.get("/v1/nothing"))["error_code"] == "NOT_FOUND"
    assert line_of(server, api.get("/v1/payments?colour=red"))["error_code"] == "VALIDATION_ERROR"
    assert line_of(server, server.api("x", X_Forwarded_For="2001:db8::77").get("/v1/merchant/me")).items() >= {
        "error_code": "AUTH_INVALID_KEY", "client": "2001:db8::77", "status": 401}.items()


def test_a_clean_stop_logs_no_error(start_server, stub_stripe):
    server = start_server(stub_stripe.url)
    merchant = ObservedMerchant(server, stub_stripe)
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(delay_s=0.5))
    payer = threading.Thread(target=merchant.pay)
    with Raw(server) as late:
        head = (f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nX-API-Key: {merchant.key['key']}\r\nIdempotency-Key: late\r\n"
                f"Content-Length: {len(PAYMENT)}\r\n\r\n")
        late.send(head.encode() + PAYMENT[:10])
        payer.start()
        stub_stripe.wait_for("POST", "/v1/payment_intents")
        stopping = threading.Thread(target=server.terminate)
        stopping.start()
        server.wait_for_log(message="stopping")
        late.send(PAYMENT[10:])
        assert server.wait_for_log(message="request", path="/v1/payments", status=503)["error_code"] == "OVERLOADED"
        payer.join()
        stopping.join()
    assert [entry for entry in server.log() if entry["level"] == "error"] == []


def test_a_start_that_is_not_ready_yet_logs_no_error(server):
    asked = [entry for entry in server.log() if entry["message"] == "request" and entry["path"] == "/readyz"]
    assert asked and all(entry["level"] == "info" for entry in asked)


# Metrics

def metrics(server):
    return server.api().get("/metrics", expect=200).body.decode()


def test_a_service_with_a_database_of_its_own_is_its_only_node(server):
    assert [server.metric(name) for name in ("nodes", "nodes_removed_total")] == [1, 0]
    assert server.metric("clock_distance_ms") < 1000


def test_every_metric_has_its_help_and_type_before_its_samples(server):
    """As `promtool check metrics` requires."""
    help_of, type_of, seen = {}, {}, set()
    for line in metrics(server).splitlines():
        if line.startswith("#"):
            _, kind, name, text = line.split(" ", 3)
            assert name not in seen and name not in (help_of if kind == "HELP" else type_of), line
            {"HELP": help_of, "TYPE": type_of}[kind][name] = text
            continue
        name = re.match(r"[a-z_]+", line)[0]
        seen.add(name)
        assert re.fullmatch(r'[a-z_]+(\{[a-z]+="[a-z0-9]+"\})? \d+', line), line
        assert name in help_of and name in type_of, name
        assert name.endswith("_total") == (type_of[name] == "counter"), name
    assert seen == set(help_of) == set(type_of) and len(seen) > 18
    assert all(len(text) > 10 and text.endswith(".") for text in help_of.values())
