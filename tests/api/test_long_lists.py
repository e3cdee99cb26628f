"""Each list at 10,000 rows. Its total is exact up to there and no further. Read to its end by cursor while rows are added,
it misses nothing and shows nothing twice."""
import uuid

import pytest

from support import stock
from support.events import dispute_of, event, intent_of, send_event
from support.background import InBackground
from support.merchant import Merchant
from support.waiting import wait_until

MANY = 10000
OTHERS = 300
NEW_YEAR_US = stock.utc_us("2025-01-01T00:00:00")
MINUTE_US = 60 * 1000000


class Shop(Merchant):
    """A merchant with a payment that can be refunded, and what it takes to make a row of each list."""

    def __init__(self, server, receiver):
        super().__init__(server)
        self.use_stripe()
        self.use_webhook(receiver.url)
        self.paid = self.pay("100.00")
        # The way into the database is free of what is still on its way.
        wait_until(lambda: self.api.get("/v1/webhooks/logs", expect=200).data[0]["status"] == "delivered")

    def newest(self, path):
        return self.api.get(path, query={"page_size": 1}, expect=200).data[0]["id"]


class Payments:
    path = "/v1/payments"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        rows = [stock.payment(shop, at_us, livemode=livemode) for at_us, livemode in times]
        stock.add_payments(shop.server, rows)
        return [row["id"] for row in rows]

    @staticmethod
    def add(shop):
        return shop.pay()["id"]


class Refunds:
    path = "/v1/refunds"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        of = stock.payment(shop, NEW_YEAR_US, amount="1000.00")
        stock.add_payments(shop.server, [of])
        return stock.add_rows(shop.server, "refunds", [stock.refund(shop, at_us, of, livemode=livemode)
                                                       for at_us, livemode in times])

    @staticmethod
    def add(shop):
        return shop.refund(shop.paid, "0.01")["id"]


class Disputes:
    path = "/v1/disputes"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        of = stock.payment(shop, NEW_YEAR_US)
        stock.add_payments(shop.server, [of])
        return stock.add_rows(shop.server, "disputes", [stock.dispute(shop, at_us, of, livemode=livemode)
                                                        for at_us, livemode in times])

    @classmethod
    def add(cls, shop):
        told = event("charge.dispute.updated", dispute_of(shop.paid, "under_review"))
        send_event(shop.server, told, shop.stripe_webhook_secret)
        return shop.newest(cls.path)


class Cards:
    path = "/v1/payments/cards"
    stored_alone = {"customer_email": "stored@example.com"}

    @staticmethod
    def store(shop, times):
        of = [stock.customer(shop, NEW_YEAR_US, "stored@example.com", livemode=livemode) for livemode in (False, True)]
        stock.add_rows(shop.server, "customers", of)
        return stock.add_rows(shop.server, "cards", [stock.card(shop, at_us, of[livemode], livemode=livemode)
                                                     for at_us, livemode in times])

    @staticmethod
    def add(shop):
        return shop.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=201).data["id"]


class Customers:
    path = "/v1/customers"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        return stock.add_rows(shop.server, "customers", [
            stock.customer(shop, at_us, f"{number}@example.com", livemode=livemode) | {"provider_ref": f"cus_{number}"}
            for number, (at_us, livemode) in enumerate(times)])

    @classmethod
    def add(cls, shop):
        shop.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=201)
        return shop.newest(cls.path)


class InboundEvents:
    path = "/v1/events/inbound"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        return stock.add_rows(shop.server, "inbox", [stock.inbound_event(shop, at_us, livemode=livemode)
                                                     for at_us, livemode in times])

    @classmethod
    def add(cls, shop):
        told = event("payment_intent.payment_failed", intent_of(shop.paid, "requires_payment_method"))
        send_event(shop.server, told, shop.stripe_webhook_secret)
        return shop.newest(cls.path)


class WebhookLogs:
    path = "/v1/webhooks/logs"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        return stock.add_rows(shop.server, "outbox", [stock.event(shop, at_us, livemode=livemode) for at_us, livemode in times])

    @staticmethod
    def add(shop):
        shop.pay()
        return shop.newest("/v1/webhooks/logs")


class AuditLogs:
    path = "/v1/audit/logs"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        return stock.add_rows(shop.server, "audit_log", [stock.audit_entry(shop, at_us) for at_us, _ in times])

    @classmethod
    def add(cls, shop):
        shop.use_stripe()
        return shop.newest(cls.path)


class PaymentEvents:
    path = "/v1/payments/{id}/events"
    stored_alone = None  # it has no filters

    @staticmethod
    def store(shop, times):
        return stock.add_rows(shop.server, "payment_history", [stock.history_entry(shop.paid["id"], at_us) for at_us, _ in times])

    @classmethod
    def add(cls, shop):
        told = event("payment_intent.payment_failed", intent_of(shop.paid, "requires_payment_method"))
        send_event(shop.server, told, shop.stripe_webhook_secret)
        return shop.newest(cls.path.replace("{id}", shop.paid["id"]))


class AdminKeys:
    path = "/v1/admin/api-keys"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def filter(shop):
        return {"merchant_id": shop.id}

    @staticmethod
    def store(shop, times):
        return stock.add_rows(shop.server, "api_keys", [stock.api_key(shop, at_us, livemode=livemode) for at_us, livemode in times])

    @staticmethod
    def add(shop):
        body = {"merchant_id": shop.id, "scopes": ["payments:read"], "livemode": True}
        return shop.admin.post("/v1/admin/api-keys", body, expect=201).data["id"]


class AdminMerchants:
    path = "/v1/admin/merchants"
    stored_alone = {"until": "2026-01-01"}

    @staticmethod
    def store(shop, times):
        if len(times) < MANY:
            return []  # those of another merchant: this list is nobody's
        return stock.add_rows(shop.server, "merchants", [stock.merchant(at_us) for at_us, _ in times])

    @staticmethod
    def add(shop):
        return shop.admin.post("/v1/admin/merchants", {"name": f"shop-{uuid.uuid4()}"}, expect=201).data["id"]


ADMINS = [AdminKeys, AdminMerchants]
LISTS = [Payments, Refunds, Disputes, InboundEvents, Cards, Customers, WebhookLogs, AuditLogs, PaymentEvents, *ADMINS]


def test_every_list_is_among_these(openapi):
    lists = {operation.path for operation in openapi.operations if "cursor" in {p["name"] for p in operation.parameters}}
    assert lists == {kind.path for kind in LISTS}


@pytest.fixture(params=LISTS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def shop(kind, start_server, nghttpx, receiver):
    """A merchant with 10,000 rows of a kind, `stored`, of both modes and among those of another."""
    kept = {"webhooks_kept": "36500d", "history_kept": "36500d"}  # the rows are old
    server = start_server(**nghttpx.settings, **kept, trusted_proxies="127.0.0.1")
    shop, other = Shop(server, receiver), Shop(server, receiver)
    server.terminate()
    times = [(NEW_YEAR_US + i * MINUTE_US, i % 3 == 0) for i in range(MANY)]
    kind.store(other, times[::MANY // OTHERS])
    shop.stored = [str(row_id if isinstance(row_id, uuid.UUID) else uuid.UUID(bytes=row_id)) for row_id in kind.store(shop, times)]
    shop.path = kind.path.replace("{id}", shop.paid["id"])
    server.start()
    shop.admin = server.api(server.command_json("createsuperadmin", "--name", f"admin-{uuid.uuid4()}")["key"])
    shop.reader = shop.admin if kind in ADMINS else shop.api
    shop.filter = kind.filter(shop) if hasattr(kind, "filter") else {}
    return shop


def test_a_total_is_exact_to_10000_and_says_when_there_are_more(kind, shop):
    def page(number, **query):
        query |= {"page": number, "page_size": 100, "count": "true"} | shop.filter
        return shop.reader.get(shop.path, query=query, expect=200)
    kind.add(shop)
    more = page(101)
    assert (more.meta["total"], more.meta["total_exceeded"]) == (MANY, True)
    assert more.data and more.data[-1]["id"] == shop.stored[0] and more.meta["next_cursor"] is None
    if kind.stored_alone is not None:
        first, last, beyond = (page(number, **kind.stored_alone) for number in (1, 100, 101))
        assert first.meta == {"page": 1, "page_size": 100, "total": MANY, "has_more": True,
                              "next_cursor": first.meta["next_cursor"]}
        assert [item["id"] for item in first.data] == shop.stored[:-101:-1]
        assert [item["id"] for item in last.data] == shop.stored[99::-1] and last.meta["next_cursor"] is None
        assert beyond.data == [] and beyond.meta["total"] == MANY


def test_nothing_is_missing_or_twice_while_rows_are_added(kind, shop):
    api, added, over = shop.reader.unrecorded(), [], []

    def add_on():
        while not over:
            added.append(kind.add(shop))

    adding = InBackground(add_on)
    try:
        wait_until(lambda: added or adding.over)
        before, seen, query = list(added), [], {"page_size": 100} | shop.filter
        while query.get("cursor", "first"):
            page = api.get(shop.path, query=query, expect=200)
            seen += [item["id"] for item in page.data]
            query["cursor"] = page.meta["next_cursor"]
            if len(seen) % 1000 == 0:
                had = len(added)
                wait_until(lambda had=had: len(added) > had or adding.over, what="a row to be added")
    finally:
        over.append(True)
        adding.result()
    assert len(added) >= len(before) + 10, "rows came while it was read"
    assert seen == sorted(set(seen), reverse=True), "newest first, none twice"
    assert set(shop.stored) | set(before) <= set(seen), "none missing"
