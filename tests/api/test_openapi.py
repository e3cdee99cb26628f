"""The check that every exchange of the other tests goes through must itself notice mistakes."""
import http.client
import io
import json

import pytest

from support.http_listener import Request
from support.openapi import OpenApi
from support.recording import Exchange

ID = {"type": "string", "format": "uuid"}
DOCUMENT = OpenApi({
    "x-any-other-request": {"404": {"description": "none"}, "405": {"description": "no such method"}},
    "paths": {
        "/v1/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": ID}],
            "get": {"responses": {
                "200": {"$ref": "#/components/responses/Thing"},
                "404": {"description": "none"}}}},
        "/v1/things/cards": {"get": {"responses": {"200": {"content": {"text/csv": {}}}}}},
        "/v1/things": {
            "get": {
                "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer", "maximum": 9}}],
                "responses": {"200": {"description": "some"}, "422": {"description": "no"}}},
            "post": {
                "parameters": [{"name": "Key", "in": "header", "required": True, "schema": {"maxLength": 3}}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"required": ["amount"]}}}},
                "responses": {"201": {"description": "made"}, "422": {"description": "no"}}}},
    },
    "webhooks": {"thing.made": {"post": {
        "parameters": [{"name": "X-Event-Id", "in": "header", "required": True, "schema": ID}],
        "requestBody": {"content": {"application/json": {"schema": {"required": ["id", "type", "data"]}}}}}}},
    "components": {
        "headers": {"RequestId": {"required": True, "schema": {"type": "string", "pattern": "^r+$"}}},
        "responses": {"Thing": {
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"},
                        "Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
        "schemas": {"Thing": {"type": "object", "required": ["id"], "properties": {"id": ID}, "additionalProperties": False}},
    },
})
THING = "0190a6f0-0000-7000-8000-000000000000"
GOOD = {"id": THING}
JSON = {"Content-Type": "application/json", "X-Request-Id": "r"}


def exchange(method="GET", target=f"/v1/things/{THING}", status=200, body=None, sent=b"", headers=None, **request_headers):
    text = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    parsed = http.client.parse_headers(io.BytesIO(text.encode() + b"\r\n"))
    return Exchange(method, target, request_headers, sent, status, parsed, json.dumps(body).encode() if body else b"")


def shown(body=None, **headers):
    """An answer to GET of a thing; a header of None is left out."""
    headers = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(body=body, headers={name: value for name, value in headers.items() if value is not None})


def made(status=201, sent=b'{"amount":1}', **request_headers):
    return exchange("POST", "/v1/things", status, sent=sent, **request_headers)


def event(body, **headers):
    headers = {"X-Event-Id": THING, "X-Event-Type": "thing.made", "webhook-id": THING} | headers
    return Request("POST", "/", list(headers.items()), json.dumps(body).encode(), b"the bytes")


EVENT = {"id": THING, "type": "thing.made", "data": {}}


def test_an_exchange_that_is_documented_passes():
    DOCUMENT.check(shown(GOOD))
    DOCUMENT.check(shown(GOOD, Retry_After="3", Date="now", Content_Length="1"))
    DOCUMENT.check(exchange(status=404))
    DOCUMENT.check(exchange(target=f"/v1/things/{THING}?page=2", body=GOOD, headers=JSON))
    DOCUMENT.check(exchange(target="/v1/things?page=9"))
    DOCUMENT.check(made(key="abc"))
    DOCUMENT.check_webhook(event(EVENT))


def test_a_request_that_was_refused_need_not_be_allowed():
    DOCUMENT.check(made(422, b'{"a":1}'))
    DOCUMENT.check(exchange(target="/v1/things?page=x&more=1", status=422))


def test_a_request_whose_bytes_are_not_known_has_its_answer_checked():
    DOCUMENT.check(made(sent=None))
    with pytest.raises(AssertionError, match="status 500"):
        DOCUMENT.check(made(500, sent=None))


def test_fixed_text_goes_before_a_parameter():
    DOCUMENT.check(exchange(target="/v1/things/cards", body=[1], headers={"Content-Type": "text/csv"}))


def test_an_unknown_path_is_only_ever_refused():
    DOCUMENT.check(exchange(target="/v1/none", status=404))
    DOCUMENT.check(exchange("PUT", "/v1/things", status=405))


@pytest.mark.parametrize("wrong, why", [
    (shown({"id": "x"}), "is not a 'uuid'"),
    (shown(GOOD | {"more": 1}), "'more' was unexpected"),
    (shown(), "the answer has no body"),
    (exchange(status=500), "status 500 is not documented"),
    (shown(GOOD, X_Request_Id=None), "lacks the header x-request-id"),
    (shown(GOOD, X_Request_Id="s"), "header x-request-id is not as documented: .*'s' does not match"),
    (shown(GOOD, Retry_After="0"), "header retry-after is not as documented: .*less than the minimum"),
    (shown(GOOD, Retry_After="soon"), "header retry-after is not as documented: .*not of type 'integer'"),
    (shown(GOOD, X_More="1"), "undocumented header X-More"),
    (shown(GOOD, Content_Type="text/html"), "undocumented type text/html"),
    (exchange(status=404, body=GOOD, headers=JSON), "undocumented header X-Request-Id"),
    (exchange(status=404, body=GOOD), "undocumented body"),
    (exchange(target="/v1/things/1", body=GOOD, headers=JSON), "the request's id is not as documented"),
    (made(sent=b'{"a":1}', key="abc"), "'amount' is a required property"),
    (made(sent=b"", key="abc"), "the request has no body and succeeds"),
    (made(), "the request lacks Key"),
    (made(key="abcd"), "the request's Key is not as documented: .*too long"),
    (exchange(target="/v1/things?page=10"), "the request's page is not as documented: .*maximum of 9"),
    (exchange(target="/v1/things?page=x"), "the request's page is not as documented: .*not of type 'integer'"),
    (exchange(target="/v1/things?more=1"), "undocumented parameters {'more'}"),
    (exchange(target="/v1/none"), "status 200 is not documented"),
    (exchange("PUT", "/v1/things"), "status 200 is not documented"),
])
def test_an_exchange_that_is_not_documented_fails(wrong, why):
    with pytest.raises(AssertionError, match=why):
        DOCUMENT.check(wrong)


@pytest.mark.parametrize("wrong, why", [
    (event(EVENT | {"type": "thing.lost"}), "no such event"),
    (event({"id": THING, "type": "thing.made"}), "'data' is a required property"),
    (event(EVENT, **{"X-Event-Id": "1"}), "the event's X-Event-Id is not as documented"),
    (event(EVENT, **{"X-Event-Type": "thing.lost"}), "tells another type"),
    (event(EVENT, **{"webhook-id": "1"}), "several ids"),
])
def test_an_event_that_is_not_documented_fails(wrong, why):
    with pytest.raises(AssertionError, match=why):
        DOCUMENT.check_webhook(wrong)
