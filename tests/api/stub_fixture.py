"""A shop is a merchant of a service of its own, whose Stripe is the stub. These are its fixtures and its payments."""
import pytest

from support.merchant import Merchant, ask
from support.stripe_model import AUTHENTICATE
from support.waiting import wait_until

CHARGE = ("POST", "/v1/payment_intents")
LIST = ("GET", "/v1/payment_intents")
READ = ("GET", "/v1/payment_intents/*")


@pytest.fixture
def start_shop(start_server, stub_stripe):
    """start_shop(patience="1s"): a merchant of a service of its own, whose Stripe is the stub."""
    def start(**settings):
        server = start_server(stub_stripe.url, **{"patience": "10s", "reconcile_interval": "250ms",
                                                  "stripe_timeout": "500ms"} | settings)
        merchant = Merchant.with_stripe(server)
        return merchant
    return start


@pytest.fixture
def shop(start_shop):
    return start_shop()


@pytest.fixture
def impatient_shop(start_shop):
    """Its service lets a caller wait for only 300 ms."""
    return start_shop(patience="300ms")


@pytest.fixture
def pending(shop):
    return pay_later(shop)


def pay(shop, key="order-1", **fields):
    """The Answer to POST /v1/payments."""
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    return ask(shop.api, "/v1/payments", body | fields, idempotency_key=key)


def pay_later(shop, **fields):
    """A payment whose payer has still to act."""
    payment = shop.pay(payment_method=AUTHENTICATE, return_url="https://shop.example/return", **fields)
    assert payment["status"] == "pending" and payment["next_action"]["type"] == "redirect_to_url"
    return payment


def pay_in_vain(shop, **fields):
    """The Answer to a payment whose outcome is not known when patience ends."""
    answer = pay(shop, **fields)
    assert (answer.status, answer.data["status"], answer.data["failure"]) == (201, "pending", None), answer
    return answer


def wait_for_status(shop, payment, status):
    return wait_until(lambda: (found := shop.payment(payment["id"]))["status"] == status and found,
                      what=f"the payment to be {status}")


def assert_the_same_request(requests, shop, payment):
    """All of them are one request: the same bytes, idempotency key and Stripe key."""
    assert {request.body for request in requests} == {requests[0].body}
    assert {request.header("Idempotency-Key") for request in requests} == {f"pay_{payment['id']}"}
    assert {request.header("Authorization") for request in requests} == {f"Bearer {shop.stripe_key}"}
