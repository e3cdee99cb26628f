"""A merchant's own view of Stripe, without the service: calls to the sandbox with the merchant's own key."""
import requests

from .waiting import scaled

TIMEOUT_S = 10


class AtStripe:
    def __init__(self, sandbox, merchant):
        self.url = sandbox.url
        self.headers = {"Authorization": f"Bearer {merchant.stripe_key}"}

    def call(self, method, path, **options):
        """The JSON of the answer, which is a success. `options` are those of requests: params, data, json."""
        answer = requests.request(method, self.url + path, headers=self.headers, timeout=scaled(TIMEOUT_S), **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def customers(self):
        """Their ids, newest first."""
        return [customer["id"] for customer in self.call("GET", "/v1/customers")["data"]]

    def methods(self):
        """The ids of the only customer's methods, newest first."""
        customer, = self.customers()
        return [method["id"] for method in self.call("GET", f"/v1/payment_methods?customer={customer}")["data"]]

    def intent(self, payment):
        return self.call("GET", f"/v1/payment_intents/{payment['provider_ref']}")
