"""The list of payments: each filter, filters together, pages by number and by cursor, and whose payments it shows."""
import itertools
import random
import uuid
from decimal import Decimal

import pytest

from support.merchant import Merchant
from support.server import Server
from support.shape import refused, succeeded
from support.stock import add_payments, payment, utc_us

NEW_YEAR_US = utc_us("2025-01-01T00:00:00")
HOUR_US = 3600 * 1000000
CARD = uuid.UUID("01942189-35a0-7b2c-9d4e-5f60718293a4")
AMOUNTS = {"USD": ["0.01", "9.99", "10.00", "10.01", "250.00", "9999999999.99"], "EUR": ["10.00", "99.95"],
           "JPY": ["1", "10", "11", "5000"], "KWD": ["0.010", "9.990", "10.010", "10.000"]}
STATUSES = ["completed"] * 17 + ["pending", "failed", "refunded"]


class Stock:
    """A service with thousands of payments of two merchants, and what they are. Nothing is ever added."""

    def __init__(self, server):
        rng = random.Random(1)
        self.server = server
        self.merchant, self.other = Merchant(server), Merchant(server)
        self.test_key = self.merchant.client(mode="test")
        server.terminate()
        self.payments = [self.made(self.merchant, i, rng) for i in range(3000)]
        others = [self.made(self.other, i, rng) for i in range(500)]
        # Another merchant has rows with the same values, and both modes have.
        for row in (self.payments[100], self.payments[101], others[0]):
            row |= {"idempotency_key": "order-twice", "provider_ref": "pi_twice"}
        self.payments[100]["livemode"], self.payments[101]["livemode"] = True, False
        add_payments(server, self.payments + others)
        server.start()

    @staticmethod
    def made(merchant, i, rng):
        currency = rng.choice(list(AMOUNTS))
        return payment(merchant, NEW_YEAR_US + i // 3 * HOUR_US + rng.choice([0, 1, 999, 1000, 1500000]) + i % 3, rng=rng,
                       amount=rng.choice(AMOUNTS[currency]), currency=currency, status=rng.choice(STATUSES),
                       livemode=rng.random() < 0.3, provider_ref=f"pi_{merchant.id}_{i}" if rng.random() < 0.9 else None,
                       saved_card_id=CARD if rng.random() < 0.02 else None)

    def expected(self, wanted=lambda row: True, test_only=False):
        """The ids of those that are wanted, newest first."""
        return [str(row["id"]) for row in sorted(self.payments, key=lambda row: row["id"].bytes, reverse=True)
                if wanted(row) and not (test_only and row["livemode"])]

    def listed(self, api=None, **query):
        """The ids of the whole list, by cursor to its end, and the total that every page told."""
        pages = list(by_cursor(api or self.merchant.api, count="true", **query))
        assert len({page.meta["total"] for page in pages}) == 1
        return [item["id"] for page in pages for item in page.data], pages[0].meta["total"]


def by_cursor(api, page_size=100, **query):
    """The pages of a list from its first to its last."""
    query["page_size"] = page_size
    while True:
        page = api.get("/v1/payments", query=query, expect=200)
        yield page
        query["cursor"] = page.meta["next_cursor"]
        if query["cursor"] is None:
            return
        api = api.unrecorded()


@pytest.fixture(scope="module")
def stock(binary, openapi):
    server = Server(binary)
    yield Stock(server)
    server.close()


FILTERS = {
    "provider=stripe": lambda row: True,
    "status=completed": lambda row: row["status"] == "completed",
    "status=pending": lambda row: row["status"] == "pending",
    "status=failed": lambda row: row["status"] == "failed",
    "status=refunded": lambda row: row["status"] == "refunded",
    "currency=JPY": lambda row: row["currency"] == "JPY",
    "currency=usd": lambda row: row["currency"] == "USD",
    "currency=CHF": lambda row: False,
    "min_amount=10": lambda row: row["amount"] >= 10,
    "min_amount=10.001": lambda row: row["amount"] >= Decimal("10.001"),
    "min_amount=10.0000000000001": lambda row: row["amount"] > 10,
    "min_amount=0": lambda row: True,
    "max_amount=10.00": lambda row: row["amount"] <= 10,
    "max_amount=9.9999": lambda row: row["amount"] < 10,
    "max_amount=9999999999.99": lambda row: True,
    "max_amount=9999999999.98": lambda row: row["amount"] < 9999999999,
    "max_amount=0": lambda row: False,
    "min_amount=999999999999999999999999999999": lambda row: False,
    "max_amount=999999999999999999999999999999": lambda row: True,
    "since=2025-01-31T00:00:00Z": lambda row: row["at_us"] >= utc_us("2025-01-31T00:00:00"),
    "since=2025-01-31T00:00:00.001Z": lambda row: row["at_us"] >= utc_us("2025-01-31T00:00:00") + 1000,
    "since=2025-01-31T00:00:00.000002Z": lambda row: row["at_us"] >= utc_us("2025-01-31T00:00:00") + 2,
    "until=2025-01-31T00:00:00.001Z": lambda row: row["at_us"] < utc_us("2025-01-31T00:00:00") + 1000,
    "until=2025-01-31T00:00:00.000001Z": lambda row: row["at_us"] < utc_us("2025-01-31T00:00:00") + 1,
    "until=2025-01-31": lambda row: row["at_us"] < utc_us("2025-01-31T00:00:00"),
    "until=2025-01-31T02:00:00%2B02:00": lambda row: row["at_us"] < utc_us("2025-01-31T00:00:00"),
    "since=9999-12-31T23:59:59.999999Z": lambda row: False,
    "until=1970-01-01T00:00:00Z": lambda row: False,
    "since=1970-01-01&until=9999-12-31": lambda row: True,
    "provider_ref=pi_twice": lambda row: row["provider_ref"] == "pi_twice",
    "provider_ref=pi_none": lambda row: False,
    "idempotency_key=order-twice": lambda row: row["idempotency_key"] == "order-twice",
    "idempotency_key=order-none": lambda row: False,
    f"saved_card_id={CARD}": lambda row: row["saved_card_id"] == CARD,
    f"saved_card_id={str(CARD).upper()}": lambda row: row["saved_card_id"] == CARD,
    f"saved_card_id={uuid.UUID(int=1)}": lambda row: False,
    "livemode=true": lambda row: row["livemode"],
    "livemode=false": lambda row: not row["livemode"],
}


def query_of(*filters):
    return {name: value.replace("%2B", "+") for one in filters for name, _, value in
            (part.partition("=") for part in one.split("&"))}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_finds_what_it_names_and_nothing_else(stock, text):
    expected = stock.expected(FILTERS[text])
    assert stock.listed(**query_of(text)) == (expected, len(expected))


@pytest.mark.parametrize("text", FILTERS)
def test_a_test_key_is_shown_test_payments_alone(stock, text):
    expected = stock.expected(FILTERS[text], test_only=True)
    assert stock.listed(stock.test_key, **query_of(text)) == (expected, len(expected))


def test_several_filters_apply_together(stock):
    rng = random.Random(2)
    found_some = 0
    for _ in range(60):
        chosen = {text.partition("=")[0]: text for text in rng.sample(list(FILTERS), rng.randint(2, 5))}.values()
        if any("&" in text for text in chosen):
            continue
        expected = stock.expected(lambda row: all(FILTERS[text](row) for text in chosen))
        listed = stock.listed(stock.merchant.api.unrecorded(), **query_of(*chosen))
        assert listed == (expected, len(expected)), list(chosen)
        found_some += bool(expected)
    assert found_some > 5


def test_the_seeds_own_filters(stock):
    for text in ("provider=stripe&status=completed", "provider=stripe&min_amount=100&currency=USD",
                 "provider=stripe&since=2025-06-01T00:00:00Z"):
        succeeded(stock.merchant.api.get(f"/v1/payments?{text}"))


@pytest.mark.parametrize("bad, name", [
    ("provider=paypal", "provider"), ("provider=Stripe", "provider"), ("provider=", "provider"),
    ("status=done", "status"), ("status=COMPLETED", "status"), ("status=", "status"),
    ("status=completed,failed", "status"), ("status=' OR 1=1 --", "status"),
    ("currency=US", "currency"), ("currency=XXX", "currency"), ("currency=", "currency"), ("currency=USDX", "currency"),
    ("min_amount=-1", "min_amount"), ("min_amount=1e3", "min_amount"), ("min_amount=", "min_amount"),
    ("min_amount=ten", "min_amount"), ("max_amount=.5", "max_amount"), ("max_amount=1.", "max_amount"),
    ("max_amount= 1", "max_amount"), ("max_amount=1,00", "max_amount"), ("max_amount=0x10", "max_amount"),
    ("since=yesterday", "since"), ("since=", "since"), ("since=2025-13-01", "since"), ("since=2025-02-30", "since"),
    ("since=1735689600", "since"), ("until=2025-01-01T00:00:00", "until"), ("until=1969-12-31", "until"),
    ("until=2025-01-01T25:00:00Z", "until"),
    ("provider_ref=", "provider_ref"), ("provider_ref=" + "x" * 256, "provider_ref"),
    ("idempotency_key=", "idempotency_key"), ("idempotency_key=" + "x" * 256, "idempotency_key"),
    ("saved_card_id=card", "saved_card_id"), ("saved_card_id=", "saved_card_id"),
    ("livemode=1", "livemode"), ("livemode=True", "livemode"), ("livemode=", "livemode"),
    ("cursor=", "cursor"), ("count=", "count"), ("count=1", "count"), ("count=yes", "count"), ("cursor=abc", "cursor"), ("cursor=" + "A" * 32, "cursor"), ("cursor=" + "é" * 16, "cursor"),
    ("colour=red", "colour"), ("amount=10", "amount"), ("merchant_id=" + str(CARD), "merchant_id"), ("=1", '""'),
    ("status[]=completed", "status[]"), ("Status=completed", "Status"),
    ("status=completed&status=completed", "status"), ("since=2025-01-01&since=2025-01-01", "since"),
])
def test_a_bad_or_unknown_filter_is_named(stock, bad, name):
    parts = [part.partition("=") for part in bad.split("&")]
    query = [(key, value) for key, _, value in parts]
    refused(stock.merchant.api.get("/v1/payments", query=query), 422, "VALIDATION_ERROR", name)


@pytest.mark.parametrize("path, name", [
    ("/v1/payments?idempotency_key=a+b", "idempotency_key"), ("/v1/payments?idempotency_key=a%20b", "idempotency_key"),
    ("/v1/payments?provider_ref=pi_1+", "provider_ref"), ("/v1/payments?since=2025-01-31T00:00:00+02:00", "since"),
    ("/v1/payments?saved_card_id=+", "saved_card_id"), ("/v1/payments?min_amount=+10", "min_amount"),
    ("/v1/payments/cards?customer_email=user+tag@example.com", "customer_email"),
    ("/v1/customers?email=user+tag@example.com", "email"),
    ("/v1/refunds?until=2025-01-31T00:00:00+02:00", "until"),
    ("/v1/webhooks/logs?event_type=payment.completed+", "event_type"), ("/v1/audit/logs?severity=+info", "severity"),
])
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_a_plus_that_was_not_escaped_is_refused_and_not_looked_for(server, path, name, accept):
    api = Merchant(server).client()
    answer = refused(api.get(path, headers={"Accept": accept}), 422, "VALIDATION_ERROR", name)
    assert "%2B" in answer.errors[0]["message"]


def test_an_escaped_plus_finds_the_payment_and_the_card(merchant):
    payment = merchant.pay(idempotency_key="a+b")
    card = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa",
                                                    "customer_email": "user+tag@example.com"}, expect=201).data
    assert [item["id"] for item in merchant.api.get("/v1/payments?idempotency_key=a%2Bb").data] == [payment["id"]]
    found = merchant.api.get("/v1/payments/cards?customer_email=user%2Btag@example.com").data
    assert [item["id"] for item in found] == [card["id"]]


def test_every_bad_filter_is_named_at_once(stock):
    answer = stock.merchant.api.get("/v1/payments?status=x&currency=y&since=z&page=0&page_size=0&colour=red&livemode=2")
    refused(answer, 422, "VALIDATION_ERROR", "status", "currency", "since", "page", "page_size", "colour", "livemode")


# --- pages

@pytest.mark.parametrize("page_size", [1, 7, 50, 99, 100])
def test_pages_by_number_and_by_cursor_are_the_same_list(stock, page_size):
    query = {"status": "failed", "page_size": page_size}
    expected = stock.expected(FILTERS["status=failed"])
    cursor = None
    for number in range(1, len(expected) // page_size + 2):
        part = expected[(number - 1) * page_size:number * page_size]
        numbered = stock.merchant.api.get("/v1/payments", query=query | {"page": number}, expect=200)
        assert [item["id"] for item in numbered.data] == part
        assert numbered.meta == {"page": number, "page_size": page_size, "has_more": number * page_size < len(expected),
                                 "next_cursor": numbered.meta["next_cursor"]}
        if cursor:
            after = stock.merchant.api.get("/v1/payments", query=query | {"cursor": cursor}, expect=200)
            assert after.data == numbered.data
            assert after.meta == {"page_size": page_size, "has_more": numbered.meta["has_more"],
                                  "next_cursor": numbered.meta["next_cursor"]}
        cursor = numbered.meta["next_cursor"]
        assert (cursor is not None) == numbered.meta["has_more"]
        if cursor is None:
            break


def test_a_page_that_ends_with_the_list_has_no_next(stock):
    query = {"saved_card_id": str(CARD)}
    total = len(stock.expected(lambda row: row["saved_card_id"] == CARD))
    assert 2 < total < 100
    for size in (total - 1, total, total + 1):
        page = stock.merchant.api.get("/v1/payments", query=query | {"page_size": size}, expect=200)
        assert (page.meta["next_cursor"] is None) == (size >= total)


def test_pages_after_the_last_are_empty(stock):
    for page in (31, 1000, 1000000):
        answer = stock.merchant.api.get("/v1/payments", query={"page": page, "page_size": 100}, expect=200)
        assert (answer.data, answer.meta["has_more"], answer.meta["next_cursor"]) == ([], False, None)


def test_a_total_is_told_where_it_is_asked_for(stock):
    def meta(**query):
        return stock.merchant.api.get("/v1/payments", query={"page_size": 100} | query, expect=200).meta
    plain = meta()
    assert meta(count="false") == plain and set(plain) == {"page", "page_size", "has_more", "next_cursor"}
    assert meta(count="true") == plain | {"total": 3000}
    assert meta(count="true", page=1000) == {"page": 1000, "page_size": 100, "total": 3000, "has_more": False, "next_cursor": None}
    after = meta(cursor=plain["next_cursor"])
    assert meta(cursor=plain["next_cursor"], count="true") == after | {"total": 3000}


def test_a_cursor_works_with_any_filters_and_page_size(stock):
    page = stock.merchant.api.get("/v1/payments", query={"page_size": 30, "status": "completed"}, expect=200)
    place = stock.expected().index(page.data[-1]["id"])
    after = stock.merchant.api.get("/v1/payments", query={"page_size": 40, "cursor": page.meta["next_cursor"]}, expect=200)
    assert [item["id"] for item in after.data] == stock.expected()[place + 1:place + 41]


def test_a_cursor_goes_together_with_a_range_of_time(stock):
    query = {"since": "2025-01-05", "until": "2025-01-10", "page_size": 50}
    expected = stock.expected(lambda row: utc_us("2025-01-05T00:00:00") <= row["at_us"] < utc_us("2025-01-10T00:00:00"))
    assert stock.listed(**query) == (expected, len(expected)) and len(expected) > 100


def test_a_cursor_that_was_tampered_with_is_refused(stock):
    cursor = stock.merchant.api.get("/v1/payments?page_size=1", expect=200).meta["next_cursor"]
    succeeded(stock.merchant.api.get("/v1/payments", query={"cursor": cursor}))
    for place, other in itertools.product(range(len(cursor)), "Aa0_"):
        if cursor[place] != other:
            changed = cursor[:place] + other + cursor[place + 1:]
            refused(stock.merchant.api.get("/v1/payments", query={"cursor": changed}), 422, "VALIDATION_ERROR", "cursor")
    for changed in (cursor[:-1], cursor + "A", cursor * 2, cursor + "=", str(CARD)):
        refused(stock.merchant.api.get("/v1/payments", query={"cursor": changed}), 422, "VALIDATION_ERROR", "cursor")


def test_a_cursor_shows_nobody_what_is_anothers(stock):
    cursor = stock.merchant.api.get("/v1/payments?page_size=1", expect=200).meta["next_cursor"]
    page = stock.other.api.get("/v1/payments", query={"cursor": cursor, "page_size": 100}, expect=200)
    assert {item["merchant_id"] for item in page.data} == {stock.other.id}


def test_a_cursor_and_a_page_do_not_go_together(stock):
    cursor = stock.merchant.api.get("/v1/payments?page_size=1", expect=200).meta["next_cursor"]
    refused(stock.merchant.api.get("/v1/payments", query={"cursor": cursor, "page": 1}), 422, "VALIDATION_ERROR", "page")


def test_a_cursor_of_another_list_is_refused(stock):
    cursor = stock.merchant.api.get("/v1/payments?page_size=1", expect=200).meta["next_cursor"]
    for path in ("/v1/webhooks/logs", "/v1/audit/logs"):
        refused(stock.merchant.api.get(path, query={"cursor": cursor}), 422, "VALIDATION_ERROR", "cursor")


def test_a_listed_payment_is_the_payment(stock):
    for item in stock.merchant.api.get("/v1/payments?page_size=20", expect=200).data:
        assert item == stock.merchant.payment(item["id"])


def test_an_admin_lists_for_the_merchant_that_it_names(stock):
    key = stock.server.command_json("createsuperadmin", "--name", "root", "--mode", "live")["key"]
    admin = stock.server.api(key, X_Merchant_Id=stock.other.id)
    answer = admin.get("/v1/payments?count=true", expect=200)
    assert answer.meta["total"] == 500 and {item["merchant_id"] for item in answer.data} == {stock.other.id}
