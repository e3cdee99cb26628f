"""The requests that Stripe gets: exact amounts in every currency, the right headers, and no unintended parameter."""
import json
import re

import pytest

from support.database import request_hash
from support.shape import refused

VERSION = "2026-10-28.endive"
ZERO_DECIMAL = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
                "XPF"]
THREE_DECIMAL = ["BHD", "JOD", "KWD", "OMR", "TND"]
WHOLE_BUT_SENT_AS_HUNDREDTHS = ["ISK", "UGX"]


def charge(observed, number, currency="USD", **fields):
    """The payment that answers a JSON request with this number, spelled as it is, and what Stripe was asked."""
    body = json.dumps({"currency": currency, "provider": "stripe", "payment_method": "pm_card_visa"} | fields)
    body = f'{{"amount": {number}, {body[1:]}'
    payment = observed.api.post("/v1/payments", body, idempotency_key=f"{number}", expect=201).data
    request, = observed.charges()
    return payment, request


def refuse(observed, number, currency="USD"):
    body = (f'{{"amount": {number}, "currency": "{currency}", "provider": "stripe", '
            '"payment_method": "pm_card_visa"}')
    refused(observed.api.post("/v1/payments", body, idempotency_key="k"), 422, "VALIDATION_ERROR", "amount")
    assert observed.charges() == []


# Amounts

@pytest.mark.parametrize("number, minor, shown", [
    ("0.01", "1", "0.01"), ("0.1", "10", "0.10"), ("0.29", "29", "0.29"), ("0.57", "57", "0.57"),
    ("1.1", "110", "1.10"), ("1.15", "115", "1.15"), ("4.35", "435", "4.35"), ("8.2", "820", "8.20"),
    ("9.95", "995", "9.95"), ("10", "1000", "10.00"), ("10.00", "1000", "10.00"), ("10.0000", "1000", "10.00"),
    ("16.08", "1608", "16.08"), ("19.99", "1999", "19.99"), ("64.1", "6410", "64.10"),
    ("1001.10", "100110", "1001.10"),
    ("1234567.89", "123456789", "1234567.89"), ("9007199254.93", "900719925493", "9007199254.93"),
    ("9999999999.99", "999999999999", "9999999999.99"),
    ('"19.99"', "1999", "19.99"), ('"0.01"', "1", "0.01"), ('"10"', "1000", "10.00"), ('"007.50"', "750", "7.50"),
])
def test_no_float_touches_an_amount(observed, number, minor, shown):
    payment, request = charge(observed, number)
    assert request.form["amount"] == minor and request.form["currency"] == "usd"
    assert payment["amount"] == payment["amount_captured"] == shown


@pytest.mark.parametrize("currency", ZERO_DECIMAL)
def test_amounts_are_exact_in_currencies_without_decimals(observed, currency):
    payment, request = charge(observed, "500.0", currency)
    assert (request.form["amount"], request.form["currency"]) == ("500", currency.lower())
    assert (payment["amount"], payment["amount_refunded"], payment["currency"]) == ("500", "0", currency)


@pytest.mark.parametrize("currency", THREE_DECIMAL)
def test_amounts_are_exact_in_currencies_with_three_decimals(observed, currency):
    payment, request = charge(observed, "1.5", currency)
    assert (request.form["amount"], request.form["currency"]) == ("1500", currency.lower())
    assert (payment["amount"], payment["amount_refunded"]) == ("1.500", "0.000")


@pytest.mark.parametrize("currency", WHOLE_BUT_SENT_AS_HUNDREDTHS)
def test_amounts_are_exact_in_whole_currencies_that_stripe_counts_in_hundredths(observed, currency):
    payment, request = charge(observed, "5", currency)
    assert request.form["amount"] == "500"
    assert payment["amount"] == payment["amount_captured"] == "5"


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP", "KES", "NGN", "GHS", "ZAR", "INR", "HUF", "TWD", "IDR"])
def test_amounts_are_exact_in_currencies_with_two_decimals(observed, currency):
    payment, request = charge(observed, "1234.5", currency)
    assert (request.form["amount"], request.form["currency"]) == ("123450", currency.lower())
    assert payment["amount"] == "1234.50"


def test_a_currency_is_taken_in_either_case(observed):
    payment, request = charge(observed, "7.25", "eUr")
    assert (payment["currency"], request.form["currency"]) == ("EUR", "eur")


@pytest.mark.parametrize("number, currency", [
    ("10.001", "USD"), ("0.001", "USD"), ("19.990000000000000000000001", "USD"), ("500.5", "JPY"), ("0.5", "JPY"),
    ("1.5", "MGA"), ("1.01", "ISK"), ("5.5", "UGX"), ("1.2345", "KWD"), ("1.234", "KWD"), ("5.001", "TND"),
    ("10000000000", "USD"), ("1000000000000", "JPY"), ("10000000000", "ISK"), ("1000000000", "KWD"),
    ("99999999999999999999", "USD"), ("1" + "0" * 30, "JPY"),
])
def test_an_amount_beyond_the_currencys_decimals_or_bounds_is_refused_and_never_rounded(observed, number, currency):
    refuse(observed, number, currency)
    refuse(observed, f'"{number}"', currency)


@pytest.mark.parametrize("number, currency, minor", [
    ("999999999999", "JPY", "999999999999"), ("9999999999", "ISK", "999999999900"),
    ("999999999.99", "KWD", "999999999990"), ("999999999999", "MGA", "999999999999")])
def test_the_largest_amounts_are_exact(observed, number, currency, minor):
    assert charge(observed, number, currency)[1].form["amount"] == minor


# The request

def test_the_headers_and_the_whole_form_of_a_charge(observed):
    payment, request = charge(observed, "10.00")
    assert request.target == "/v1/payment_intents"
    assert request.header("Authorization") == f"Bearer {observed.stripe_key}"
    assert request.header("Stripe-Version") == VERSION
    assert request.header("Idempotency-Key") == f"pay_{payment['id']}"
    assert re.match(r"application/x-www-form-urlencoded\b", request.header("Content-Type"))
    assert request.header("User-Agent").startswith("paymentsd/")
    assert request.form == {
        "amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
        "automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never",
        "metadata[payment_id]": payment["id"], "metadata[merchant_id]": observed.id,
        "metadata[paymentsd_key]": payment["idempotency_key"],
        "metadata[paymentsd_hash]": request_hash(observed.server, observed, payment["idempotency_key"]).hex(),
    }
    assert request.body.count(b"=") == len(request.form), "no parameter twice"


def test_a_return_url_allows_redirects(observed):
    _, request = charge(observed, "10.00", return_url="https://merchant.com/return?a=1&b=ü")
    assert request.form["return_url"] == "https://merchant.com/return?a=1&b=ü"
    assert request.form["automatic_payment_methods[enabled]"] == "true"
    assert "automatic_payment_methods[allow_redirects]" not in request.form


def test_manual_capture_is_asked_for(observed):
    payment, request = charge(observed, "10.00", capture_method="manual")
    assert request.form["capture_method"] == "manual"
    assert (payment["status"], payment["capturable"], payment["amount_captured"]) == ("pending", True, "0.00")


def test_description_receipt_address_and_metadata_are_passed_on(observed):
    metadata = {"order": "7", "a b&c=d": "1+1=2 & 50%", "naïve": "日本 🎫", "json": '{"a":[1]}', "line": "a\nb"}
    payment, request = charge(observed, "10.00", description="Zwei Karten für „Faust“ & Co.",
                              customer_email="a+b@example.com", metadata=metadata)
    assert request.form["description"] == payment["description"] == "Zwei Karten für „Faust“ & Co."
    assert request.form["receipt_email"] == payment["customer_email"] == "a+b@example.com"
    for name, value in metadata.items():
        assert request.form[f"metadata[{name}]"] == value
    assert payment["metadata"] == metadata
    assert request.form["metadata[payment_id]"] == payment["id"]


def test_every_charge_has_a_key_of_its_own(observed):
    for key in ("a", "b", "c"):
        observed.pay(idempotency_key=key)
    keys = [request.header("Idempotency-Key") for request in observed.charges()]
    assert len(set(keys)) == 3 and all(re.fullmatch(r"pay_[0-9a-f-]{36}", key) for key in keys)


def test_white_space_pasted_along_with_a_secret_key_does_not_reach_stripe(observed):
    observed.api.put("/v1/merchant/providers", {
        "provider": "stripe", "stripe": {"secret_key": f" {observed.stripe_key}  "}}, expect=200)
    observed.pay()
    assert len(observed.charges()) == 1
