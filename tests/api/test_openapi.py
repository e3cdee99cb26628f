"""The check that every exchange of the other tests goes through must itself notice what it is for."""
import http.client
import io
import json

import pytest

from support.openapi import OpenApi
from support.recording import Exchange

DOCUMENT = OpenApi({
    "paths": {
        "/v1/things/{id}": {"get": {"responses": {
            "200": {"$ref": "#/components/responses/Thing"},
            "404": {"description": "none"}}}},
        "/v1/things/cards": {"get": {"responses": {"200": {"content": {"text/csv": {}}}}}},
        "/v1/things": {"post": {
            "requestBody": {"content": {"application/json": {"schema": {"required": ["amount"]}}}},
            "responses": {"201": {"description": "made"}, "422": {"description": "no"}}}},
    },
    "components": {
        "responses": {"Thing": {
            "headers": {"X-Request-Id": {"required": True}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
        "schemas": {"Thing": {"type": "object", "required": ["id"], "additionalProperties": False,
                              "properties": {"id": {"type": "string", "format": "uuid"}}}},
    },
})
GOOD = {"id": "0190a6f0-0000-7000-8000-000000000000"}


def exchange(method="GET", target="/v1/things/1", status=200, body=None, sent=b"", **headers):
    headers = {"Content_Type": "application/json", "X_Request_Id": "r"} | headers
    text = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items() if value)
    parsed = http.client.parse_headers(io.BytesIO(text.encode() + b"\r\n"))
    return Exchange(method, target, {}, sent, status, parsed, json.dumps(body).encode() if body else b"")


def test_what_is_documented_passes():
    DOCUMENT.check(exchange(body=GOOD))
    DOCUMENT.check(exchange(status=404))
    DOCUMENT.check(exchange(target="/v1/things/1?page=2", body=GOOD))
    DOCUMENT.check(exchange("POST", "/v1/things", 201, sent=b'{"amount":1}'))


def test_a_request_that_was_refused_need_not_be_allowed():
    DOCUMENT.check(exchange("POST", "/v1/things", 422, sent=b'{"a":1}'))


def test_fixed_text_goes_before_a_parameter():
    DOCUMENT.check(exchange(target="/v1/things/cards", body=[1], Content_Type="text/csv"))


def test_an_unknown_path_is_only_ever_refused():
    DOCUMENT.check(exchange(target="/v1/none", status=404))


@pytest.mark.parametrize("wrong, why", [
    (exchange(body={"id": "x"}), "is not a 'uuid'"),
    (exchange(body=GOOD | {"more": 1}), "'more' was unexpected"),
    (exchange(status=500), "status 500 is not documented"),
    (exchange(body=GOOD, X_Request_Id=None), "lacks X-Request-Id"),
    (exchange(body=GOOD, Content_Type="text/html"), "undocumented type text/html"),
    (exchange("POST", "/v1/things", 201, sent=b'{"a":1}'), "'amount' is a required property"),
    (exchange(target="/v1/none"), "not documented"),
])
def test_what_is_not_documented_fails(wrong, why):
    with pytest.raises(AssertionError, match=why):
        DOCUMENT.check(wrong)
