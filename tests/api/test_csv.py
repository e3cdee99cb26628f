"""The whole list of payments as CSV: every row once, whatever its length, in one answer that is made as it is read."""
import csv
import http.client
import io
import signal

import pytest

from support.merchant import Merchant
from support.server import Server
from support.shape import refused, succeeded
from support.stock import add_payments, payment, utc_us
from support.stripe_model import DECLINE
from support.waiting import SCALE, wait_until

COLUMNS = ["id", "created_at", "updated_at", "status", "amount", "currency", "amount_captured", "amount_refunded",
           "livemode", "provider", "provider_ref", "idempotency_key", "payment_method", "saved_card_id", "capture_method",
           "capturable", "customer_email", "description", "failure_code", "failure_decline_code", "failure_message",
           "return_url", "metadata", "merchant_id"]
MANY = 6000
OF_A_MERCHANT = 8


def as_csv(api, query="", accept="text/csv"):
    """The Answer, and its rows by their titles."""
    answer = api.get("/v1/payments" + query, headers={"Accept": accept}, expect=200)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="payments.csv"'
    assert answer.body.startswith(b"\xef\xbb\xbf")  # or Excel takes it for another encoding
    text = answer.body.decode("utf-8-sig")
    assert "\ufeff" not in text
    assert text.endswith("\r\n")
    titles, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert titles == COLUMNS
    return answer, [dict(zip(titles, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def stocked(binary, openapi):
    """A merchant with many payments, of both modes, and another one's among them."""
    server = Server(binary)
    merchant, other = Merchant(server), Merchant(server)
    merchant.test = merchant.client(mode="test")
    server.terminate()
    merchant.stock = [payment(merchant, utc_us("2025-01-01T00:00:00") + i * 60000000, amount=f"{i}.01", livemode=i % 3 == 0,
                              status="failed" if i % 40 == 0 else "completed", description=f"Order {i}, {'x' * 300}")
                      for i in range(MANY)]
    add_payments(server, merchant.stock + [payment(other, utc_us("2025-01-01T00:00:00")) for _ in range(10)])
    server.start()
    yield merchant
    server.close()


def test_a_row_says_what_the_payment_is(merchant):
    made = [merchant.pay("12.50", "EUR", description='a "quoted", long\u00e9 text', customer_email="jane@example.com",
                         metadata={"order": "1001", 'a "note"': "x,y"}),
            merchant.pay("500", "JPY", payment_method=DECLINE)]
    answer, rows = as_csv(merchant.api)
    assert answer.headers["X-Request-Id"] and answer.headers["Cache-Control"] == "no-store"
    failed, paid = rows
    for row, said in zip((paid, failed), made, strict=True):
        for name in set(COLUMNS) - {"failure_code", "failure_decline_code", "failure_message", "metadata"}:
            value = said[name]
            assert row[name] == ("" if value is None else str(value).lower() if isinstance(value, bool) else value), name
    assert paid["metadata"] == r'{"a \"note\"":"x,y","order":"1001"}' and paid["failure_code"] == ""
    assert (failed["failure_code"], failed["failure_message"]) == (made[1]["failure"]["code"], made[1]["failure"]["message"])


def test_an_empty_list_is_a_row_of_titles(merchant):
    assert as_csv(merchant.api)[1] == []
    assert as_csv(merchant.api, "?status=refunded")[1] == []


@pytest.mark.parametrize("text", ["=1+1", "+41", "-1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "\uff1d1"])
def test_a_value_that_a_spreadsheet_would_run_is_made_text(merchant, text):
    merchant.pay(description=text, metadata={"=a": text})
    row, = as_csv(merchant.api)[1]
    assert row["description"] == "'" + text
    assert row["metadata"].startswith("{")


def test_the_whole_list_is_there_once_newest_first(stocked):
    _, rows = as_csv(stocked.api)
    assert [row["id"] for row in rows] == [str(row["id"]) for row in reversed(stocked.stock)]
    assert {row["merchant_id"] for row in rows} == {stocked.id}


def test_head_answers_the_headers_and_sends_none_of_the_list(stocked):
    answer = stocked.api.request("HEAD", "/v1/payments", headers={"Accept": "text/csv"}, expect=200)
    assert (answer.headers.get_content_type(), answer.body) == ("text/csv", b"")
    assert "Content-Length" not in answer.headers  # it is not known before the list was read
    wait_until(lambda: stocked.server.metric("exports_in_flight") == 0)


def test_the_filters_of_the_list_apply(stocked):
    _, rows = as_csv(stocked.api, "?status=failed&livemode=false&min_amount=100")
    assert [row["amount"] for row in rows] == [str(row["amount"]) for row in reversed(stocked.stock)
                                               if row["status"] == "failed" and not row["livemode"] and row["amount"] >= 100]
    assert len(rows) > 50


def test_a_test_key_gets_test_payments_alone(stocked):
    _, rows = as_csv(stocked.test)
    assert len(rows) == MANY * 2 // 3 and {row["livemode"] for row in rows} == {"false"}
    assert as_csv(stocked.test, "?livemode=true")[1] == []


@pytest.mark.parametrize("accept, is_csv", [
    ("text/csv", True), ("TEXT/CSV; charset=utf-8", True), ("text/csv, */*;q=0.1", True), ("text/csv, application/json", False),
    ("application/json", False), ("*/*", False), ("text/html", False), (None, False)])
def test_a_client_that_accepts_csv_gets_it(merchant, accept, is_csv):
    answer = merchant.api.get("/v1/payments", headers={"Accept": accept}, expect=200)
    assert answer.headers.get_content_type() == ("text/csv" if is_csv else "application/json")


@pytest.mark.parametrize("query, field", [("?status=x", "status"), ("?page=1", "page"), ("?page_size=10", "page_size"), ("?count=true", "count"),
                                          ("?colour=red", "colour")])
def test_an_error_is_answered_as_json(merchant, query, field):
    answer = merchant.api.get("/v1/payments" + query, headers={"Accept": "text/csv"})
    refused(answer, 422, "VALIDATION_ERROR", field)
    assert "Content-Disposition" not in answer.headers


def test_a_cursor_does_not_go_with_it(stocked):
    cursor = stocked.api.get("/v1/payments?page_size=1", expect=200).meta["next_cursor"]
    answer = stocked.api.get("/v1/payments", query={"cursor": cursor}, headers={"Accept": "text/csv"})
    refused(answer, 422, "VALIDATION_ERROR", "cursor")


def test_it_needs_the_scope_to_read_payments(merchant):
    answer = merchant.client("merchant:read").get("/v1/payments", headers={"Accept": "text/csv"})
    refused(answer, 403, "AUTH_INSUFFICIENT_SCOPE")


# --- while it is sent

def begin(server, key):
    """An answer of which the first piece is there and the rest was not read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/v1/payments", headers={"X-API-Key": key, "Accept": "text/csv"})
    response = connection.getresponse()
    assert response.status == 200 and response.read(1000)
    return connection, response


@pytest.fixture
def long_list(start_server):
    """A merchant whose list is longer than all that lies between its reader and the service."""
    merchant = Merchant(start_server("http://127.0.0.1:9"))
    merchant.server.terminate()
    add_payments(merchant.server, [payment(merchant, utc_us("2025-01-01T00:00:00") + i * 1000000, description="y" * 1000)
                                   for i in range(16000)])
    merchant.server.start()
    return merchant


def test_a_key_that_is_revoked_gets_no_more(long_list):
    connection, response = begin(long_list.server, long_list.key["key"])
    long_list.server.command("revokeapikey", "--key", long_list.key["id"])
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    long_list.server.wait_for_log(message="a CSV export was cut off")


def test_the_end_of_the_service_cuts_it(long_list):
    connection, response = begin(long_list.server, long_list.key["key"])
    long_list.server.process.signal(signal.SIGTERM)
    long_list.server.wait_for_log(message="stopping")
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    assert long_list.server.process.wait() == 0


def test_a_reader_who_leaves_costs_nothing_more(long_list):
    for _ in range(20):
        connection, _ = begin(long_list.server, long_list.key["key"])
        connection.close()
    api = long_list.server.api()
    wait_until(lambda: b"payments_http_connections 1\n" in api.get("/metrics").body)


def test_a_merchant_has_its_share_of_those_that_are_sent_at_once(long_list):
    server, open_ones = long_list.server, [begin(long_list.server, long_list.key["key"]) for _ in range(OF_A_MERCHANT)]
    others_key = long_list.create_key()["key"]
    for api in (long_list.api, server.api(others_key)):
        refused(api.get("/v1/payments", headers={"Accept": "text/csv"}), 503, "OVERLOADED")
        succeeded(api.get("/v1/payments"))
    assert as_csv(Merchant(server).api)[1] == []
    for connection, _ in open_ones:
        connection.close()
    wait_until(lambda: server.metric("exports_in_flight") == 0)
    assert len(as_csv(long_list.api)[1]) == 16000


def memory_bytes(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


@pytest.mark.skipif(SCALE != 1, reason="sanitizers keep what was freed")
def test_a_long_list_costs_no_memory(long_list):
    as_csv(long_list.api, "?max_amount=1")
    before = memory_bytes(long_list.server)
    answer, rows = as_csv(long_list.api)
    assert len(rows) == 16000 and len(answer.body) > 18_000_000
    assert memory_bytes(long_list.server) - before < 8_000_000
