"""A merchant, made on the command line as an operator makes one, and clients with its keys."""
import secrets
import uuid

from .waiting import wait_until

ALL_SCOPES = ("payments:read,payments:write,refunds:read,refunds:write,webhooks:read,"
              "merchant:read,merchant:write,audit:read")


def random_secret(prefix):
    return prefix + secrets.token_hex(16)


def ask(api, path, body, expect=None, idempotency_key=None):
    """The Answer to a POST. After a crash, or a change of its database, the service asks Stripe before it charges; who comes
    sooner has to repeat the request."""
    answers = []

    def is_answered():
        answers.append(api.post(path, body, idempotency_key=idempotency_key))
        return answers[-1].status != 503 or answers[-1].codes != ["CATCHING_UP"]
    wait_until(is_answered, what=f"{path} to be answered")
    assert expect in (None, answers[-1].status), f"expected {expect}:\n{answers[-1]!r}"
    return answers[-1]


class Merchant:
    """`api` is its client with every scope, in the mode given."""

    def __init__(self, server, mode="live", name=None):
        self.server = server
        self.mode = mode
        self.name = name or f"merchant-{uuid.uuid4()}"
        self.id = server.command_json("createmerchant", "--name", self.name)["id"]
        self.stripe_key = None
        self.stripe_webhook_secret = None
        self.webhook_secret = None
        self.key = self.create_key()
        self.api = server.api(self.key["key"])

    @classmethod
    def with_stripe(cls, *arguments, **named):
        """A merchant with Stripe credentials of its own."""
        merchant = cls(*arguments, **named)
        merchant.use_stripe()
        return merchant

    def create_key(self, scopes=ALL_SCOPES, mode=None, **flags):
        """The output of createapikey: id, key, prefix, scopes, mode."""
        more = [word for name, value in flags.items() for word in (f"--{name}", value)]
        key = self.server.command_json("createapikey", "--merchant", self.id, "--scopes", scopes,
                                       "--mode", mode or self.mode, *more)
        return key

    def client(self, scopes=ALL_SCOPES, mode=None, **flags):
        """A client with a new key."""
        return self.server.api(self.create_key(scopes, mode, **flags)["key"])

    def activate(self, active):
        """An inactive merchant's keys do not work."""
        self.server.command("updatemerchant", "--merchant", self.id, "--active", str(active).lower())

    def use_stripe(self, mode="test", *, webhook=True):
        """Sets Stripe credentials of its own, so that it shares nothing with other merchants at Stripe; without a webhook
        secret, events must be fetched."""
        self.stripe_key = random_secret(f"sk_{mode}_")
        self.stripe_webhook_secret = random_secret("whsec_") if webhook else None
        return self.api.put("/v1/merchant/providers", {
            "provider": "stripe",
            "stripe": {"secret_key": self.stripe_key, "webhook_secret": self.stripe_webhook_secret},
        }, expect=200).data

    def use_webhook(self, url):
        self.webhook_secret = self.api.put("/v1/merchant/webhook", {"webhook_url": url},
                                           expect=200).data["webhook_secret"]
        return self.webhook_secret

    def pay(self, amount="10.00", currency="USD", payment_method="pm_card_visa", *, expect=201,
            idempotency_key=None, api=None, **fields):
        """POST /v1/payments under a new idempotency key, where none is given; answers the payment."""
        body = {"amount": amount, "currency": currency, "provider": "stripe"} | fields
        if "saved_card_id" not in fields:
            body["payment_method"] = payment_method
        return ask(api or self.api, "/v1/payments", body, expect, idempotency_key or f"order-{uuid.uuid4()}").data

    def end(self, payment, how, body=None, *, expect=200):
        """POST /v1/payments/{id}/capture or cancel; answers the Answer."""
        return self.api.post(f"/v1/payments/{payment['id']}/{how}", body, expect=expect)

    def refund(self, payment, amount=None, *, expect=201, idempotency_key=None, **fields):
        """POST /v1/refunds, of all that is left where no amount is given; answers the refund."""
        body = {"payment_id": payment["id"]} | ({} if amount is None else {"amount": amount}) | fields
        return ask(self.api, "/v1/refunds", body, expect, idempotency_key).data

    def payment(self, payment_id):
        return self.api.get(f"/v1/payments/{payment_id}", expect=200).data


class ObservedMerchant(Merchant):
    """A merchant with Stripe credentials whose Stripe is a stub."""

    def __init__(self, server, stub):
        super().__init__(server)
        self.stripe = stub
        self.use_stripe()

    def charges(self):
        """The charges that Stripe was asked for with this merchant's secret key, oldest first."""
        return [request for request in self.stripe.calls("POST", "/v1/payment_intents")
                if request.header("Authorization") == f"Bearer {self.stripe_key}"]
