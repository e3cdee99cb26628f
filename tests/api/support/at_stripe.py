"""Calls to the sandbox without the service: a merchant's, with its own key, and a payer's at the bank's page."""
import requests

from .waiting import scaled

TIMEOUT_S = 10


def press(payment, action="complete"):
    """The payer of this payment, or of this card's set-up, answers at the bank's page; gives where he is sent back to."""
    answer = requests.post(payment["next_action"]["redirect_url"], data={"action": action}, allow_redirects=False,
                           timeout=scaled(TIMEOUT_S))
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


class AtStripe:
    def __init__(self, sandbox, merchant):
        self.url = sandbox.url
        self.headers = {"Authorization": f"Bearer {merchant.stripe_key}"}

    def call(self, method, path, **options):
        """The JSON of the answer, which is a success. `options` are those of requests: params, data, json."""
        answer = requests.request(method, self.url + path, headers=self.headers, timeout=scaled(TIMEOUT_S), **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send_events_to(self, server, secret):
        """All of the account's events, signed with this secret."""
        self.call("POST", "/v1/webhook_endpoints", data={"url": f"{server.url}/v1/webhooks/stripe", "secret": secret,
                                                         "enabled_events[]": "*"})

    def customers(self):
        """Their ids, newest first."""
        return [customer["id"] for customer in self.call("GET", "/v1/customers")["data"]]

    def methods(self):
        """The ids of the only customer's methods, newest first."""
        customer, = self.customers()
        return [method["id"] for method in self.call("GET", f"/v1/payment_methods?customer={customer}")["data"]]

    def intent(self, payment):
        return self.call("GET", f"/v1/payment_intents/{payment['provider_ref']}")
