"""For the tests of saved cards: a merchant's calls to the service, and changes of methods and customers at the stub, with
the events about them."""
import json
import uuid

from support.events import event, send_event
from support.http_listener import Answer
from support.stripe_model import Account, stripe_error
from support.waiting import wait_until

CUSTOMER = ("POST", "/v1/customers")
ATTACH = ("POST", "/v1/payment_methods/*/attach")
DETACH = ("POST", "/v1/payment_methods/*/detach")
EMAIL = "user@example.com"


# The merchant's calls

def save(merchant, method="pm_card_visa", email=EMAIL, api=None, key=None, **fields):
    """The Answer to POST /v1/payments/cards."""
    body = {"payment_method_id": method} | ({} if email is None else {"customer_email": email}) | fields
    return (api or merchant.api).post("/v1/payments/cards", body, idempotency_key=key)


def saved(merchant, *args, **fields):
    """A card that was saved."""
    answer = save(merchant, *args, **fields)
    assert answer.status == 201, repr(answer)
    return answer.data


def cards_of(merchant, query="", api=None):
    """Its active cards, newest first."""
    return (api or merchant.api).get(f"/v1/payments/cards{query}", expect=200).data


def wait_for_cards(merchant, *expected):
    wait_until(lambda: cards_of(merchant) == list(expected), what=f"the cards to be {expected}")


def charge(merchant, card, api=None):
    """The Answer to a charge of the card."""
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "saved_card_id": card["id"]}
    return (api or merchant.api).post("/v1/payments", body, idempotency_key=f"order-{uuid.uuid4()}")


def delete(merchant, card, api=None):
    """The Answer to DELETE /v1/payments/cards/{id}."""
    return (api or merchant.api).delete(f"/v1/payments/cards/{card['id']}")


def make_default(merchant, card, api=None):
    """The Answer to POST /v1/payments/cards/{id}/default."""
    return (api or merchant.api).post(f"/v1/payments/cards/{card['id']}/default")


# What happens at the stub

def new_method(shop, stub):
    """A method that is at Stripe already, so that attaching it does not make another."""
    account = stub.model.accounts.setdefault(shop.stripe_key, Account(False))
    card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}
    return account.add("pm_", "payment_method", type="card", card=card, source="pm_card_visa", metadata={},
                       customer=None)["id"]


def keep_fault(shop, stub):
    """Stripe keeps a 500 under the key of the newest request: the Answer."""
    account = stub.model.accounts[shop.stripe_key]
    key, (asked, _, _) = list(account.replies.items())[-1]
    account.replies[key] = asked, 500, json.dumps(stripe_error("api_error"))
    return Answer(500, stripe_error("api_error"))


def methods(stub):
    return stub.objects("payment_method")


def detached(method):
    """Detaches it; the event that tells so."""
    customer, method["customer"] = method["customer"], None
    told = event("payment_method.detached", dict(method))
    told["data"]["previous_attributes"] = {"customer": customer}
    return told


def deleted(stub, customer):
    """Deletes the customer; the event that tells so."""
    account, = (account for account in stub.model.accounts.values() if account.objects.get(customer["id"]) is customer)
    del account.objects[customer["id"]]
    for method in account.of_kind("payment_method"):
        if method["customer"] == customer["id"]:
            method["customer"] = None
    return event("customer.deleted", customer)


def replaced(method, **card):
    """Its bank replaces the card; the event that tells so."""
    method["card"] = method["card"] | card
    return event("payment_method.automatically_updated", dict(method))


def tell(shop, told, secret=None, path="", expect=200):
    """The Answer to the event, signed with the shop's secret unless another is given."""
    return send_event(shop.server, told, secret or shop.stripe_webhook_secret, path=f"/v1/webhooks/stripe{path}", expect=expect)
