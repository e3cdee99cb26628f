"""Every request example of the API's description is sent to the service, and is answered as the description shows."""
import json
import re
import uuid

from support.events import dispute_of, event, send_event, sign_stripe_event
from support.merchant import Merchant

# The ids in the description's examples, and who makes what they stand for.
OBJECTS = {
    "01942190-8d40-7c3e-8f1a-2b3c4d5e6f70": lambda merchant: merchant.id,
    "01942189-35a0-7b2c-9d4e-5f60718293a4": lambda merchant: merchant.pay("50.00")["id"],
    "01942189-35a0-7b2c-9d4e-5f60718293a8": lambda merchant: authorised(merchant)["id"],
    "01942189-35a0-7b2c-9d4e-5f60718293a9": lambda merchant: renewal(merchant)["id"],
    "0194218a-2000-7c5d-a6b7-8c9d0e1f2a3b": lambda merchant: merchant.refund(merchant.pay("50.00"), "25.00")["id"],
    "0194218b-0a60-7e8f-b1c2-3d4e5f607182": lambda merchant: dispute(merchant)["id"],
    "0194218b-4800-7a1c-9b2d-3c4d5e6f7081": lambda merchant: customer(merchant)["id"],
    "0194218b-4c00-7d2e-8f3a-4b5c6d7e8f90": lambda merchant: merchant.api.post("/v1/payments/cards", {
        "payment_method_id": "pm_card_visa", "customer_email": "user@example.com", "customer_name": "Jane Doe"}).data["id"],
    "01942189-3988-7a1b-8c2d-3e4f5a6b7c8d": lambda merchant: event_of(merchant)["id"],
    "019421a0-1c00-7b3d-8e4f-5a6b7c8d9e0f": lambda merchant: merchant.create_key()["id"],
}


def authorised(merchant):
    return merchant.pay("12.50", "USD", "pm_card_mastercard", capture_method="manual", description="Order 1001",
                        customer_email="jane@example.com", metadata={"order": "1001", "channel": "web"})


def renewal(merchant):
    """A charge of a saved card that failed because nobody was there to authenticate."""
    card = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_authenticationRequired"}, expect=201).data
    return merchant.pay("29.99", saved_card_id=card["id"])


def customer(merchant):
    merchant.api.post("/v1/payments/cards", {
        "payment_method_id": "pm_card_visa", "customer_email": "user@example.com", "customer_name": "Jane Doe"}, expect=201)
    return merchant.api.get("/v1/customers", expect=200).data[0]


def dispute(merchant):
    sent = event("charge.dispute.created", dispute_of(merchant.pay("50.00"), "needs_response", amount=5000))
    send_event(merchant.server, sent, merchant.stripe_webhook_secret)
    return merchant.api.get("/v1/disputes", expect=200).data[0]


def event_of(merchant):
    """An event in the log of a merchant that has an endpoint."""
    merchant.use_webhook("http://127.0.0.1:9/webhooks/payments")
    return merchant.api.post("/v1/merchant/webhook/test", expect=201).data

# Values that differ from run to run.
VARYING = {"id", "merchant_id", "payment_id", "saved_card_id", "provider_ref", "idempotency_key", "created_at", "updated_at", "redirect_url",
           "client_secret", "exp_year", "prefix", "key"}
WHSEC = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")


def shown(value, name=None):
    """The value without what varies."""
    if isinstance(value, dict):
        return {inner_name: shown(inner, inner_name) for inner_name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    if name in VARYING and value is not None:
        return f"<{name}>"
    return WHSEC.sub("<secret>", value) if isinstance(value, str) else value


def requests_of(openapi):
    """Operation, name and value of every request example; None and None for an operation without a body."""
    for operation in openapi.operations:
        content = operation.body["content"]["application/json"] if operation.body else {"examples": {None: {"value": None}}}
        for name, example in content["examples"].items():
            yield operation, name, openapi.follow(example)["value"]


def response_example(openapi, operation, name):
    content = operation.responses[str(operation.success())]["content"]
    example = content.get("application/json", {}).get("examples", {}).get(name)
    return openapi.follow(example)["value"] if example else None


class Sender:
    """Sends examples as a merchant, whose objects take the place of those that the examples name."""

    def __init__(self, merchant):
        self.merchant = merchant
        self.made = {}

    def real(self, value):
        if isinstance(value, dict):
            return {name: self.real(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.real(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if value in OBJECTS and value not in self.made:
            self.made[value] = OBJECTS[value](self.merchant)
        return self.made.get(value, value)

    def client_of(self, operation):
        server = self.merchant.server
        if operation.path.startswith("/v1/admin/"):
            return server.api(server.command_json("createsuperadmin", "--name", "root")["key"])
        return self.merchant.api if operation.said["security"] else server.api()

    def send(self, operation, body):
        given = {place: {parameter["name"]: self.real(parameter["example"])
                         for parameter in operation.parameters_in(place) if "example" in parameter}
                 for place in ("path", "query", "header")}
        headers = given["header"]
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] += f"-{uuid.uuid4()}"
        path = re.sub(r"\{(\w+)\}", lambda match: given["path"][match.group(1)], operation.path)
        body = self.real(body)
        if "Stripe-Signature" in headers:
            body = json.dumps(body)
            headers["Stripe-Signature"] = sign_stripe_event(body.encode(), self.merchant.stripe_webhook_secret)
        api = self.client_of(operation)
        return api.request(operation.method, path, body, headers=headers, query=given["query"])


def test_every_request_example_is_taken_and_answered_as_shown(openapi, server):
    compared = 0
    for operation, name, body in requests_of(openapi):
        merchant = Merchant.with_stripe(server)
        if operation.id == "testWebhook":
            merchant.use_webhook("http://127.0.0.1:9/webhooks/payments")
        answer = Sender(merchant).send(operation, body)
        assert answer.status == operation.success(), f"{operation.id}, {name}:\n{answer!r}"
        expected = response_example(openapi, operation, name)
        if expected is not None:
            assert shown(answer.json) == shown(expected), f"{operation.id}, {name}"
            compared += 1
    assert compared >= 8


def test_the_event_shown_is_the_one_sent(openapi, server, receiver):
    merchant = Merchant.with_stripe(server)
    merchant.use_webhook(receiver.url)
    for event_type, webhook in openapi.webhooks.items():
        for example in webhook.body["content"]["application/json"].get("examples", {}).values():
            expected = openapi.follow(example)["value"]
            assert expected["type"] == event_type
            data = expected["data"]
            merchant.pay(data["amount"], data["currency"], data["payment_method"], return_url=data["return_url"])
            delivered = receiver.wait_for(event_type).json
            assert shown(delivered) == shown(expected)
