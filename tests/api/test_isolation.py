"""A merchant's objects do not exist for another: one merchant tries every route that takes an id, in its path, its body or
a filter, with every id that another has. The routes are those of the API's description, which other tests compare with the
program's."""
import re
import uuid

import pytest

from support.events import dispute_of, event, send_event
from support.merchant import Merchant
from support.shape import refused, succeeded
from support.waiting import wait_until

LISTS = ("/v1/payments", "/v1/refunds", "/v1/disputes", "/v1/customers", "/v1/payments/cards", "/v1/events/inbound",
         "/v1/webhooks/logs", "/v1/merchant/providers")
# Bodies in which an id stands, but for the id.
BODIES = {
    ("createPayment", "saved_card_id"): {"amount": "1.00", "currency": "USD", "provider": "stripe"},
    ("createRefund", "payment_id"): {},
}


class Owner(Merchant):
    """A merchant that has one of everything."""

    def __init__(self, server, receiver):
        super().__init__(server)
        self.use_stripe()
        self.use_webhook(receiver.url)
        card = self.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa", "customer_email": "a@example.com"},
                             expect=201).data
        self.authorised = self.pay("10.00", capture_method="manual")
        self.paid = self.pay("10.00", saved_card_id=card["id"])
        refund = self.refund(self.paid, "1.00")
        send_event(server, event("charge.dispute.created", dispute_of(self.paid, "needs_response")), self.stripe_webhook_secret)
        assert len(self.everything()["/v1/webhooks/logs"]) == 4
        dispute, = self.listed("/v1/disputes")
        customer, = self.listed("/v1/customers")
        inbound = self.listed("/v1/events/inbound")[0]
        events = [item["id"] for item in self.listed("/v1/webhooks/logs")]
        provider, = self.listed("/v1/merchant/providers")
        self.ids = [self.id, card["id"], self.authorised["id"], self.paid["id"], refund["id"], provider["id"], self.key["id"],
                    self.authorised["provider_ref"], self.paid["provider_ref"], refund["provider_ref"],
                    dispute["id"], dispute["provider_ref"], customer["id"], customer["provider_ref"],
                    inbound["id"], inbound["provider_ref"],
                    *events, *self.inner_ids()]

    def listed(self, path):
        return self.api.get(path, expect=200).data

    def inner_ids(self):
        """Those that are shown by no route of its own."""
        return [item["id"] for item in self.listed("/v1/audit/logs") + self.listed(f"/v1/payments/{self.paid['id']}/events")]

    def everything(self):
        """Once nothing of it changes by itself."""
        wait_until(lambda: {item["status"] for item in self.listed("/v1/webhooks/logs")} == {"delivered"},
                   what="its webhooks to be delivered")
        return {path: self.listed(path) for path in LISTS} | {"me": self.listed("/v1/merchant/me")}


@pytest.fixture
def owner(server, receiver):
    return Owner(server, receiver)


def with_key(openapi):
    """No merchant's key may use an admin's routes: test_admin.py."""
    return [operation for operation in openapi.operations if operation.said["security"] and "admin" not in operation.said["tags"]]


def ask(openapi, api, operation, name):
    """With a body that the route takes, where it takes one."""
    examples = operation.body["content"]["application/json"]["examples"].values() if operation.body else []
    body = next((openapi.follow(example)["value"] for example in examples), None)
    return api.request(operation.method, re.sub(r"\{\w+\}", name, operation.path), body)


def test_an_id_in_a_path_is_not_found_by_another(openapi, merchant, owner):
    routes = [operation for operation in with_key(openapi) if operation.names]
    assert len(routes) > 8
    before = owner.everything()
    for operation in routes:
        for name in owner.ids:
            refused(ask(openapi, merchant.api, operation, name), 404, "NOT_FOUND")
    assert owner.everything() == before
    for operation in sorted(routes, key=lambda operation: operation.method == "DELETE"):
        answers = [ask(openapi, owner.api, operation, name) for name in (*owner.ids, "stripe")]
        assert any(answer.status != 404 for answer in answers), f"its own merchant cannot {operation.id} either"


def test_an_id_in_a_body_is_not_found_by_another(openapi, merchant, owner):
    taken = {(operation.id, name) for operation in with_key(openapi) if operation.body
             for name, schema in openapi.follow(operation.body["content"]["application/json"]["schema"])["properties"].items()
             if openapi.follow(schema).get("format") == "uuid"}
    assert taken == BODIES.keys()
    before = owner.everything()
    for (operation_id, field), body in BODIES.items():
        operation = next(operation for operation in openapi.operations if operation.id == operation_id)

        def ask_with(api, name):
            return api.request(operation.method, operation.path, body | {field: name}, idempotency_key=str(uuid.uuid4()))
        own_ids = [name for name in owner.ids if re.fullmatch("[0-9a-f-]{36}", name)]
        for name in own_ids:
            refused(ask_with(merchant.api, name), 404, "NOT_FOUND")
        assert owner.everything() == before
        assert any(ask_with(owner.api, name).status == 201 for name in own_ids)
        before = owner.everything()


def test_a_filter_finds_nothing_of_anothers(openapi, merchant, owner):
    found = set()
    for operation in with_key(openapi):
        for parameter in operation.parameters_in("query"):
            name, schema = parameter["name"], openapi.follow(parameter["schema"])
            if operation.names or name == "cursor" or schema.get("type") != "string" or schema.keys() & {"enum", "const"}:
                continue
            for value in (*owner.ids, owner.paid["idempotency_key"], "a@example.com"):
                answer = merchant.api.get(operation.path, query={name: value})
                if name == "merchant_id" and answer.status == 403:
                    continue
                assert answer.status == 422 or succeeded(answer) == [], f"{operation.id} by {name}:\n{answer!r}"
                own = owner.api.get(operation.path, query={name: value})
                if own.status == 200 and own.data:
                    found.add((operation.id, name))
    assert found == {("listPayments", "provider_ref"), ("listPayments", "idempotency_key"), ("listPayments", "saved_card_id"),
                     ("listCards", "customer_email"), ("listRefunds", "payment_id"), ("listDisputes", "payment_id"),
                     ("listDisputes", "provider_ref"), ("listCustomers", "email"), ("listCustomers", "provider_ref"),
                     ("listInboundEvents", "payment_id"),
                     ("listInboundEvents", "provider_ref"), ("listWebhookLogs", "transaction_id")}


def test_a_list_shows_only_the_merchants_own(openapi, merchant, owner):
    for operation in with_key(openapi):
        if operation.method == "GET" and not operation.names and operation.path != "/v1/merchant/me":
            text = merchant.api.get(operation.path, expect=200).body.decode()
            assert not [name for name in owner.ids if name in text], operation.id


def test_an_event_with_anothers_secret_is_refused_on_a_merchants_path(server, merchant, owner):
    """See also test_webhooks_in_signature.py."""
    for name in owner.ids:
        answer = server.api().post(f"/v1/webhooks/stripe/{name}", "{}")
        assert (answer.status, answer.codes) in ((400, ["SIGNATURE_INVALID"]), (404, ["NOT_FOUND"]))
