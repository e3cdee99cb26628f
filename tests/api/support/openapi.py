"""Holds exchanges to the published description of the API: whatever a test is about, each answer that it gets must
be one that docs/openapi.yaml promises, and each request that succeeds one that it allows."""
import json
import re

import jsonschema

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


class OpenApi:
    def __init__(self, document):
        self.document = document
        self._resolver = jsonschema.RefResolver("", document)
        self._operations = [
            (method.upper(), _pattern(path), self._follow(operation))
            for path, item in document["paths"].items()
            for method, operation in self._follow(item).items() if method in METHODS]
        # A path of fixed text goes before one with a parameter in its place.
        self._operations.sort(key=lambda known: known[1].groups)
        self._validators = {}

    def operation(self, method, target):
        """What the document says of this request; None where it knows no such method and path."""
        path = target.partition("?")[0]
        for known_method, pattern, operation in self._operations:
            if method == known_method and pattern.fullmatch(path):
                return operation
        return None

    def check(self, exchange):
        """Raises AssertionError with what is wrong and the exchange."""
        operation = self.operation(exchange.method, exchange.target)
        if operation is None:
            assert exchange.status in (401, 403, 404, 405), f"not documented:\n{exchange.text()}"
            return
        responses = operation["responses"]
        response = responses.get(str(exchange.status), responses.get("default"))
        assert response, f"status {exchange.status} is not documented here:\n{exchange.text()}"
        response = self._follow(response)
        self._check_body(exchange, response.get("content", {}), exchange.headers.get_content_type(), exchange.body,
                         "answer")
        for name, header in response.get("headers", {}).items():
            required = self._follow(header).get("required", False)
            assert not required or name in exchange.headers, f"the answer lacks {name}:\n{exchange.text()}"
        if exchange.status < 300 and "requestBody" in operation:
            content = self._follow(operation["requestBody"])["content"]
            # The service reads a body without a type as JSON.
            self._check_body(exchange, content, "application/json", exchange.request_body, "request")

    def _check_body(self, exchange, content, media_type, body, what):
        if not body:
            return
        assert media_type in content, f"the {what} has an undocumented type {media_type}:\n{exchange.text()}"
        if media_type != "application/json" or "schema" not in content[media_type]:
            return
        errors = sorted(self._validator(content[media_type]["schema"]).iter_errors(json.loads(body)),
                        key=lambda error: list(error.absolute_path), reverse=True)
        assert not errors, (f"the {what} is not as documented: {errors[0].json_path}: {errors[0].message}\n"
                            f"{exchange.text()}")

    def _validator(self, schema):
        if id(schema) not in self._validators:
            self._validators[id(schema)] = jsonschema.Draft202012Validator(
                schema, resolver=self._resolver, format_checker=jsonschema.FormatChecker(["uuid"]))
        return self._validators[id(schema)]

    def _follow(self, item):
        while "$ref" in item:
            _, item = self._resolver.resolve(item["$ref"])
        return item


def _pattern(path):
    parts = re.split(r"\{[^}]+\}", path)
    return re.compile("([^/]+)".join(re.escape(part) for part in parts))
