"""Customers: what is shown of them and of their cards, the list's filters and pages, and whose customers they are."""
import pytest

from cards_fixture import CUSTOMER, delete, make_default, save, saved
from support.at_stripe import press
from support.http_listener import Answer
from support.merchant import Merchant
from support.shape import TIME, UUID7, assert_shape, refused, succeeded
from support.stripe_model import stripe_error
from support.waiting import wait_until

RETURN_URL = "https://shop.example/return"


def listed(api, **query):
    return api.get("/v1/customers", query=query, expect=200).data


def shown(api, customer):
    return api.get(f"/v1/customers/{customer['id']}", expect=200).data


# One customer

def test_a_customer_is_shown_with_its_cards_newest_first(listening, at_stripe):
    first = saved(listening, email="User@Example.com")
    customer, = listed(listening.api)
    assert_shape(customer, {"id": UUID7, "email": "user@example.com", "provider_ref": at_stripe.customers()[0],
                            "livemode": False, "created_at": TIME, "gone_at": None})
    assert shown(listening.api, customer) == customer | {"cards": [first]}
    second = saved(listening, email="user@example.com")
    assert second["is_default"] is False
    make_default(listening, second)
    assert shown(listening.api, customer)["cards"] == [second | {"is_default": True}, first | {"is_default": False}]
    delete(listening, second)
    assert shown(listening.api, customer) == customer | {"cards": [first]}
    delete(listening, first)
    assert shown(listening.api, customer) == customer | {"cards": []}
    assert listed(listening.api) == [customer]


def test_cards_that_are_pending_or_failed_are_shown(listening):
    active = saved(listening)
    pending, failing = (saved(listening, f"pm_card_authenticationRequired{when}", return_url=RETURN_URL)
                        for when in ("", "OnSetup"))
    press(failing, "fail")
    customer, = listed(listening.api)
    wait_until(lambda: shown(listening.api, customer)["cards"][0]["status"] == "failed", what="the card to be failed")
    failed, waiting, usable = shown(listening.api, customer)["cards"]
    assert (failed["id"], failed["failure"]["code"]) == (failing["id"], "setup_intent_authentication_failure")
    assert waiting == pending | {"next_action": {"type": pending["next_action"]["type"]}}, "the page is the card's own"
    assert usable == active


def test_the_newest_100_cards_are_shown(shop):
    cards = [saved(shop, f"pm_own{number}")["id"] for number in range(102)]
    customer, = listed(shop.api)
    assert [card["id"] for card in shown(shop.api, customer)["cards"]] == cards[:1:-1]


def test_a_customer_that_is_deleted_at_stripe_is_gone_and_stays_listed(listening, at_stripe):
    saved(listening)
    customer, = listed(listening.api)
    at_stripe.call("DELETE", f"/v1/customers/{customer['provider_ref']}")
    wait_until(lambda: listed(listening.api)[0]["gone_at"], what="the customer to be gone")
    gone = shown(listening.api, customer)
    assert gone == customer | {"gone_at": gone["gone_at"], "cards": []}
    assert gone["gone_at"] >= customer["created_at"]
    card = saved(listening)
    found, old = listed(listening.api, email=customer["email"])
    assert old == customer | {"gone_at": gone["gone_at"]} and found["gone_at"] is None
    assert found["provider_ref"] != old["provider_ref"]
    assert shown(listening.api, found)["cards"] == [card]


def test_a_customer_that_stripe_refused_to_make_is_not_listed(shop, stub_stripe):
    stub_stripe.answer_next(*CUSTOMER, Answer(400, stripe_error(code="email_invalid")))
    refused(save(shop), 422, "PROVIDER_REJECTED")
    assert listed(shop.api) == []
    saved(shop)
    assert len(listed(shop.api)) == 1


@pytest.mark.parametrize("customer_id", ["0194218b-4800-7a1c-9b2d-3c4d5e6f7081", "cus_1"])
def test_an_unknown_customer_is_not_found(merchant, customer_id):
    refused(merchant.api.get(f"/v1/customers/{customer_id}"), 404, "NOT_FOUND")


# The list

@pytest.fixture(scope="module")
def known(server):
    """A merchant with four customers, one without e-mail and one live, oldest first in `customers`."""
    merchant = Merchant(server)
    merchant.use_stripe("test")
    merchant.test = merchant.client(mode="test")
    for email in ("a@example.com", None, "j\u00f6rg@example.com"):
        saved(merchant, email=email)
    merchant.use_stripe("live")
    saved(merchant, email="a@example.com")
    merchant.customers = listed(merchant.api)[::-1]
    assert [(customer["email"], customer["livemode"]) for customer in merchant.customers] == [
        ("a@example.com", False), (None, False), ("j\u00f6rg@example.com", False), ("a@example.com", True)]
    return merchant


def test_the_list_is_filtered_by_e_mail_and_id_at_stripe(known):
    test_a, _, joerg, live_a = known.customers
    assert listed(known.api, email="A@EXAMPLE.com") == [live_a, test_a]
    assert listed(known.api, email="JO\u0308RG@example.com") == [joerg]
    assert listed(known.api, email="b@example.com") == listed(known.api, provider_ref="cus_none") == []
    for customer in known.customers:
        assert listed(known.api, provider_ref=customer["provider_ref"]) == [customer]
    assert listed(known.api, email=joerg["email"], provider_ref=test_a["provider_ref"]) == []


def test_the_list_is_filtered_by_time(known):
    assert listed(known.api, since="2025-01-01", until="2999-01-01") == known.customers[::-1]
    for query in ({"since": "2999-01-01"}, {"until": "2025-01-01"}):
        assert listed(known.api, **query) == []


def test_the_list_is_filtered_by_mode_and_a_test_key_sees_its_own(known):
    *tests, live = known.customers
    assert listed(known.api, livemode="true") == [live]
    assert listed(known.api, livemode="false") == listed(known.test) == tests[::-1]
    assert listed(known.test, livemode="true") == listed(known.test, provider_ref=live["provider_ref"]) == []
    assert listed(known.test, email="a@example.com") == tests[:1]
    assert shown(known.api, live)["cards"][0]["livemode"]
    refused(known.test.get(f"/v1/customers/{live['id']}"), 404, "NOT_FOUND")


def test_pages_by_number_and_by_cursor_are_the_same_list(known):
    first = known.api.get("/v1/customers?page_size=3&count=true", expect=200)
    second = known.api.get("/v1/customers", query={"page_size": 3, "cursor": first.meta["next_cursor"]}, expect=200)
    assert first.data + second.data == known.customers[::-1]
    assert first.meta["total"] == 4
    assert second.meta == {"page_size": 3, "has_more": False, "next_cursor": None}
    assert listed(known.api, page=2, page_size=3) == second.data


@pytest.mark.parametrize("query, field", [
    ("email=", "email"), ("provider_ref=", "provider_ref"), ("since=now", "since"), ("until=now", "until"),
    ("livemode=2", "livemode"), ("name=a", "name"), ("cursor=x", "cursor")])
def test_a_bad_or_unknown_filter_is_named(known, query, field):
    refused(known.api.get(f"/v1/customers?{query}"), 422, "VALIDATION_ERROR", field)


def test_no_merchant_sees_anothers(known, merchant):
    assert listed(merchant.api) == listed(merchant.api, email="a@example.com") == []
    assert listed(merchant.api, provider_ref=known.customers[0]["provider_ref"]) == []
    refused(merchant.api.get(f"/v1/customers/{known.customers[0]['id']}"), 404, "NOT_FOUND")


def test_who_may_read_payments_may_read_customers(known):
    customer = known.customers[0]
    reader, other = known.client("payments:read"), known.client("refunds:read")
    for path in ("/v1/customers", f"/v1/customers/{customer['id']}"):
        succeeded(reader.get(path))
        refused(other.get(path), 403, "AUTH_INSUFFICIENT_SCOPE")
