"""Rules that hold for every route: how wrong bodies, filters and merchants' names are refused. The routes are those of the
API's description, which other tests compare with the program's. test_bad_input.py goes deeper on one route; see also
test_isolation.py."""
import http.client
import json
import re
import uuid

import pytest

from support.merchant import Merchant
from support.shape import refused

# Values that filters refuse: every text filter these, which are empty or too long, and the others those under their names.
NOT_TAKEN = ["", "x" * 600, "\N{SNOWMAN}" * 600]
SEVERAL = {"page": ["0", "-1", "1.5", "x", "1000001"], "page_size": ["0", "101", "x"], "cursor": ["x"], "count": ["1", "True", ""],
           "since": ["yesterday", "2025-13-01"], "until": ["2025-01-01T00:00"], "livemode": ["1", "True"], "expires_soon": ["1", "True"],
           "revoked": ["1", "True"], "is_active": ["1", "True"],
           "min_amount": ["-1", "1e3"], "max_amount": ["1.", "ten"]}


@pytest.fixture(scope="module")
def merchant_here(server):
    return Merchant.with_stripe(server)


@pytest.fixture(scope="module")
def admin_key(server):
    return server.command_json("createsuperadmin", "--name", f"admin-{uuid.uuid4()}")["key"]


def with_key(openapi):
    return [operation for operation in openapi.operations if operation.said["security"]]


def with_body(openapi):
    operations = [operation for operation in with_key(openapi) if operation.body]
    assert len(operations) >= 6
    return operations


def send(api, operation, body=None, **options):
    path = re.sub(r"\{\w+\}", str(uuid.uuid4()), operation.path)
    return api.request(operation.method, path, body, idempotency_key=str(uuid.uuid4()), **options)


@pytest.fixture(scope="module")
def client_of(merchant_here, admin_key):
    """Who may send an operation's requests."""
    admin = merchant_here.server.api(admin_key)
    return lambda operation: admin if is_for_admins(operation) else merchant_here.api


def is_for_admins(operation):
    return operation.path.startswith("/v1/admin/")


def example_of(openapi, operation):
    """A body that the route takes, and the name of one of its fields."""
    body = next(value for example in operation.body["content"]["application/json"]["examples"].values()
                if (value := openapi.follow(example)["value"]))
    return body, next(iter(body))


def test_a_field_that_is_unknown_is_named(openapi, client_of):
    for operation in with_body(openapi):
        body, _ = example_of(openapi, operation)
        refused(send(client_of(operation), operation, body | {"colour": "red"}), 422, "VALIDATION_ERROR", "colour")


def test_a_field_of_another_type_is_named(openapi, client_of):
    for operation in with_body(openapi):
        body, _ = example_of(openapi, operation)
        for name in body:
            answer = send(client_of(operation), operation, body | {name: [{"a": 1}]})
            refused(answer, 422, "VALIDATION_ERROR", *answer.fields)
            assert name in answer.fields, operation.id


def test_a_field_that_is_repeated_makes_a_bad_request(openapi, client_of):
    for operation in with_body(openapi):
        body, name = example_of(openapi, operation)
        text = json.dumps(body).removesuffix("}") + f", {json.dumps(name)}: {json.dumps(body[name])}}}"
        refused(send(client_of(operation), operation, text), 400, "BAD_REQUEST")


def test_a_body_that_is_no_object_is_a_bad_request(openapi, client_of):
    for operation in with_body(openapi):
        for text in ("[]", "{", "null", "7", '"x"', '{"a":1}{}'):
            refused(send(client_of(operation), operation, text), 400, "BAD_REQUEST")


def test_a_body_of_another_type_or_too_large_is_refused(openapi, client_of):
    for operation in with_body(openapi):
        body, _ = example_of(openapi, operation)
        text = json.dumps(body)
        refused(send(client_of(operation), operation, text, headers={"Content-Type": "text/plain"}), 415, "UNSUPPORTED_MEDIA_TYPE")
        refused(send(client_of(operation), operation, text + " " * (64 * 1024)), 413, "PAYLOAD_TOO_LARGE")


def test_a_filter_with_a_wrong_value_an_unknown_and_a_repeated_one_are_named(openapi, merchant_here, client_of):
    payment, tried = merchant_here.pay(), 0
    for operation in openapi.operations:
        names = [parameter["name"] for parameter in operation.parameters_in("query")]
        path = operation.path.replace("{id}", payment["id"])
        if not names:
            continue
        client = client_of(operation)
        refused(client.get(f"{path}?colour=red"), 422, "VALIDATION_ERROR", "colour")
        for name in names:
            for value in NOT_TAKEN + SEVERAL.get(name, []):
                answer = client.get(path, query={name: value})
                refused(answer, 422, "VALIDATION_ERROR", name)
                tried += 1
            good = "1" if name.startswith("page") else "x"
            answer = client.get(path, query=[(name, good), (name, good)])
            assert answer.status == 422 and name in answer.fields, f"{operation.id}: {name} twice\n{answer!r}"
    assert tried > 150


def test_an_admin_names_a_merchant_everywhere_and_nobody_else_may(openapi, merchant_here, admin_key):
    server = merchant_here.server
    nobody, unknown = server.api(admin_key), server.api(admin_key, X_Merchant_Id=str(uuid.uuid4()))
    other = server.api(merchant_here.key["key"], X_Merchant_Id=merchant_here.id)
    for operation in with_key(openapi):
        body = example_of(openapi, operation)[0] if operation.body else None
        if is_for_admins(operation):
            refused(send(unknown, operation, body), 400, "BAD_REQUEST")
        else:
            refused(send(unknown, operation, body), 404, "NOT_FOUND")
            if operation.id != "listAuditLogs":
                refused(send(nobody, operation, body), 400, "BAD_REQUEST")
        refused(send(other, operation, body), 403, "AUTH_INSUFFICIENT_SCOPE")


def test_a_request_id_is_given_back_everywhere(openapi, client_of):
    for operation in openapi.operations:
        body = "{" if operation.body else None
        answer = send(client_of(operation), operation, body, headers={"X-Request-Id": f"mine-{operation.id}"})
        assert answer.headers["X-Request-Id"] == f"mine-{operation.id}"
        assert answer.status < 300 or answer.json["request_id"] == f"mine-{operation.id}"


def test_head_answers_as_get_does_without_the_body(openapi, merchant_here, client_of):
    payment, tried = merchant_here.pay(), 0
    merchant_here.refund(payment, "1.00")
    for operation in openapi.operations:
        if operation.method != "GET":
            continue
        path = operation.path.replace("{id}", payment["id"])
        got, headed = client_of(operation).get(path), client_of(operation).request("HEAD", path)
        assert (headed.status, headed.body) == (got.status, b""), f"{path}\n{headed!r}"
        said, said_of_head = ({name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-Id")}
                              for answer in (got, headed))
        if operation.path == "/metrics":
            del said["Content-Length"], said_of_head["Content-Length"]
        assert said_of_head == said, path
        tried += 1
    assert tried >= 12


def test_head_is_refused_as_get_is(merchant_here):
    anyone = merchant_here.server.api(None)
    for path, status in (("/v1/payments", 401), ("/v1/none", 404), ("/v1/refunds?colour=red", 401)):
        assert (answer := anyone.request("HEAD", path)).status == status and answer.body == b"", path
    assert merchant_here.api.request("HEAD", "/v1/payments?colour=red").status == 422
    not_allowed = anyone.request("HEAD", "/v1/webhooks/stripe", expect=405)
    assert (not_allowed.headers["Allow"], not_allowed.body) == ("POST", b"")


def test_the_connection_goes_on_after_head(merchant_here):
    connection = http.client.HTTPConnection("127.0.0.1", merchant_here.server.port, timeout=30)
    headers = {"X-API-Key": merchant_here.key["key"]}
    for method in ("HEAD", "GET", "HEAD", "HEAD", "GET"):
        connection.request(method, "/v1/merchant/me", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200 and bool(answer.read()) == (method == "GET")
    connection.close()
