"""Filters that match little among many payments: each answer passes a bounded number of rows, and its cursor goes on from
there; the list is complete all the same."""
import csv
import io
import uuid

import pytest

from support.database import SERVER, open_database
from support.merchant import Merchant
from support.server import Server
from support.shape import refused

MANY = 210_000
PASSED_MAX = 10_000
# The id of the row i, in the database's words.
ID = "convert_to(lpad(CAST(i AS TEXT), 16, '0'), 'UTF8')" if SERVER else "CAST(printf('%016d', i) AS BLOB)"
EUROS = [5, 104_999, 105_000, 199_990]  # of the payments, counted from the oldest


class Stock:
    def __init__(self, server):
        self.server, self.merchant = server, Merchant(server)
        server.terminate()
        with open_database(server) as database:
            database.execute(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
                " INSERT INTO payments (id, merchant_id, livemode, amount_minor, amount_thousandths, currency, status, provider,"
                " idempotency_key, capture_manual, captured_minor, refunded_minor, capturable, action_given,"
                " credential_version_id, created_us, updated_us)"
                f" SELECT {ID}, ?, 0, 1000, 10000, 'USD', 'completed', 'stripe', 'order-' || i,"
                " 0, 1000, 0, 0, 0, ?, 0, 0 FROM n", (MANY, uuid.UUID(self.merchant.id).bytes, bytes(16)))
            database.executemany("UPDATE payments SET currency = 'EUR' WHERE id = ?", [(self.id_of(i).bytes,) for i in EUROS])
        server.start()

    @staticmethod
    def id_of(number):
        return uuid.UUID(bytes=b"%016d" % number)

    def get(self, expect=200, **query):
        return self.merchant.api.unrecorded().get("/v1/payments", query=query, expect=expect)


@pytest.fixture(scope="module")
def stock(binary, openapi):
    server = Server(binary)
    yield Stock(server)
    server.close()


def test_pages_may_hold_less_than_they_could_and_lead_to_the_whole_list(stock):
    query, found, empty, pages = {"currency": "EUR", "page_size": 100}, [], 0, 0
    while query.get("cursor", "first"):
        page = stock.get(**query)
        found += [item["id"] for item in page.data]
        assert page.meta["has_more"] == (page.meta["next_cursor"] is not None)
        query["cursor"] = page.meta["next_cursor"]
        empty += not page.data
        pages += 1
    assert found == [str(stock.id_of(i)) for i in reversed(EUROS)]
    assert MANY / PASSED_MAX <= pages <= MANY / PASSED_MAX + 2 and empty > pages / 2


def test_a_filter_that_matches_much_fills_its_pages(stock):
    for query in ({}, {"currency": "USD"}, {"status": "completed"}, {"provider": "stripe", "min_amount": "10"}):
        page = stock.get(page_size=100, **query)
        assert len(page.data) == 100 and page.meta["has_more"]


def test_an_export_goes_on_by_itself_to_the_end(stock):
    answer = stock.merchant.api.get("/v1/payments?currency=EUR", headers={"Accept": "text/csv"}, expect=200)
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [str(stock.id_of(i)) for i in reversed(EUROS)]


def test_an_export_may_find_nothing(stock):
    answer = stock.merchant.api.get("/v1/payments?currency=CHF", headers={"Accept": "text/csv"}, expect=200)
    assert len(answer.body.splitlines()) == 1


def test_a_total_says_when_it_was_not_counted_to_the_end(stock):
    meta = stock.get(currency="EUR", count="true").meta
    assert (meta["total"], meta["total_exceeded"]) == (len(EUROS) - 1, True)
    assert stock.get(currency="USD", count="true").meta["total"] == 10_000
    assert "total_exceeded" not in stock.get(status="failed", count="true").meta


def test_a_page_by_number_is_skipped_to_only_so_far(stock):
    assert [item["id"] for item in stock.get(page=2001, page_size=100).data] == [
        str(stock.id_of(i)) for i in range(MANY - 200_001, MANY - 200_101, -1)]
    assert [item["id"] for item in stock.get(page=2, page_size=1, currency="EUR").data] == []
    answer = refused(stock.get(expect=422, page=2002, page_size=100), 422, "VALIDATION_ERROR", "page")
    assert "next_cursor" in answer.errors[0]["message"]
    refused(stock.get(expect=422, page=5, page_size=1, currency="EUR"), 422, "VALIDATION_ERROR", "page")


def test_a_page_that_is_found_at_once_takes_one_statement(stock):
    before = stock.server.metric("store_lists_prepared_total")
    assert len(stock.get(currency="USD", min_amount="1", max_amount="77", page_size=20).data) == 20
    assert stock.server.metric("store_lists_prepared_total") == before + 1


def test_a_list_of_a_known_shape_prepares_no_statement(stock):
    def prepared():
        return stock.server.metric("store_lists_prepared_total")
    for number in range(20):  # so that each database thread has read one
        stock.get(page_size=1, min_amount=f"{number}.00")
    before = prepared()
    assert before > 0
    for number in range(20):
        stock.get(page_size=2, min_amount=f"{number}.50")
    assert prepared() - before <= 4, "of a thread that has read none so far"
