"""For the tests of the sandbox: accounts of their own, driven by Stripe's SDK, and sandboxes of their own for tests that
change what all accounts see."""
import json
import secrets
import urllib.request

import pytest
import requests
import stripe

from support.sandbox import Sandbox
from support.waiting import wait_until

NEWEST = "2026-10-28.endive"
RETURN_URL = "https://shop.example/return?order=7"


class Account:
    """Stripe's SDK with a secret key that nobody else has."""

    def __init__(self, sandbox, mode="test", key=None):
        self.url = sandbox.url
        self.key = key or f"sk_{mode}_{secrets.token_hex(12)}"
        stripe.api_base = sandbox.url
        stripe.max_network_retries = 0
        self.options = {"api_key": self.key, "stripe_version": NEWEST}

    def create(self, **params):
        """A PaymentIntent: 10 USD by a card that works, confirmed in one step, unless told otherwise."""
        wanted = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True,
                  "return_url": RETURN_URL} | self.options | params
        return stripe.PaymentIntent.create(**{k: v for k, v in wanted.items() if v is not None})

    def retrieve(self, intent_id, **params):
        return stripe.PaymentIntent.retrieve(intent_id, **self.options, **params)

    def declined(self, **params):
        """The SDK's exception for a card that is declined."""
        with pytest.raises(stripe.error.CardError) as caught:
            self.create(**params)
        return caught.value

    def refused(self, **params):
        """The SDK's exception for a request that Stripe refuses."""
        with pytest.raises(stripe.error.InvalidRequestError) as caught:
            self.create(**params)
        return caught.value

    def customer(self, **params):
        return stripe.Customer.create(**self.options, **params)

    def attach(self, method="pm_card_visa", customer=None):
        """A PaymentMethod attached to the customer (an id), or to a new one."""
        return stripe.PaymentMethod.attach(method, customer=customer or self.customer().id, **self.options)

    def refund(self, intent=None, **params):
        if intent is not None:
            params["payment_intent"] = intent.id
        return stripe.Refund.create(**params, **self.options)

    def charge_of(self, intent):
        return stripe.Charge.retrieve(self.retrieve(intent.id).latest_charge, **self.options)

    def last_event(self, event_type):
        return stripe.Event.list(type=event_type, limit=1, **self.options).data[0]

    def post(self, path, form, key=None, version=NEWEST, **headers):
        """Without the SDK: the answer as it came."""
        headers = {"Authorization": f"Bearer {self.key}", "Stripe-Version": version} | headers
        if key is not None:
            headers["Idempotency-Key"] = key
        return requests.post(self.url + path, data=form, headers=headers, timeout=30)

    def get(self, path, **headers):
        return requests.get(self.url + path, headers={"Authorization": f"Bearer {self.key}"} | headers, timeout=30)

    def receive_at(self, receiver, *types):
        """A webhook endpoint for these event types; answers it, secret included."""
        return stripe.WebhookEndpoint.create(url=receiver.url, enabled_events=list(types), **self.options)

    def event_types(self):
        """Of all events, oldest first."""
        return [event.type for event in stripe.Event.list(limit=100, **self.options).data][::-1]


CHARGE_FORM = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
               "return_url": RETURN_URL}


def set_faults(sandbox, **faults):
    answer = requests.post(sandbox.url + "/_sandbox/faults", json=faults, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def charges_of(sandbox, **metadata):
    """The ledger's charges that carry this metadata."""
    with urllib.request.urlopen(sandbox.url + "/_sandbox/ledger", timeout=10) as answer:
        charges = json.load(answer)["charges"]
    return [charge for charge in charges if metadata.items() <= charge["metadata"].items()]


def wait_for_status(account, intent, status):
    return wait_until(lambda: account.retrieve(intent.id).status == status, what=f"{intent.id} to be {status}")


@pytest.fixture
def account(sandbox):
    return Account(sandbox)


@pytest.fixture
def start_sandbox(binary):
    """start_sandbox("--data", path): a sandbox for this test alone."""
    started = []

    def start(*arguments, **options):
        started.append(Sandbox(binary, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.exit_status() is None:
            one.close()


@pytest.fixture
def own_sandbox(start_sandbox):
    return start_sandbox()
