"""Compares exchanges with the published description of the API, whatever a test is about: docs/openapi.yaml must promise
each answer, allow each request that succeeds, and announce each webhook."""
import json
import re
import urllib.parse

import jsonschema

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
# HTTP's own, which no description of an API repeats.
TRANSPORT = {"connection", "content-length", "content-type", "date", "transfer-encoding"}


class Operation:
    """The document's operation for one method and path, its references followed."""

    def __init__(self, document, method, path, item, said):
        self.method = method.upper()
        self.path = path
        self.said = said
        self.id = said.get("operationId", f"{self.method} {path}")
        self.responses = {status: document.follow(response) for status, response in said.get("responses", {}).items()}
        self.body = document.follow(said["requestBody"]) if "requestBody" in said else None
        own = [document.follow(parameter) for parameter in said.get("parameters", [])]
        named = {(parameter["name"], parameter["in"]) for parameter in own}
        self.parameters = own + [parameter for parameter in map(document.follow, item.get("parameters", []))
                                 if (parameter["name"], parameter["in"]) not in named]
        parts = re.split(r"\{([^}]+)\}", path)
        self.names = parts[1::2]
        self.pattern = re.compile("([^/]+)".join(re.escape(part) for part in parts[::2]))

    def parameters_in(self, place):
        return [parameter for parameter in self.parameters if parameter["in"] == place]

    def success(self):
        """The lowest status of a success."""
        return int(min(status for status in self.responses if status[0] == "2"))


class OpenApi:
    def __init__(self, document):
        self.document = document
        self._validators = {}
        self.operations = [
            Operation(self, method, path, item, said)
            for path, item in document["paths"].items() for method, said in item.items() if method in METHODS]
        # A path of fixed text goes before one with a parameter in its place.
        self.operations.sort(key=lambda operation: len(operation.names))
        self.other = {status: self.follow(said) for status, said in document.get("x-any-other-request", {}).items()}
        self.webhooks = {event_type: Operation(self, "post", "", item, item["post"])
                         for event_type, item in document.get("webhooks", {}).items()}

    def operation(self, method, target):
        """What the document says of this request; None where it knows no such method and path. HEAD is GET without the
        body."""
        path = target.partition("?")[0]
        method = "GET" if method == "HEAD" else method
        return next((operation for operation in self.operations
                     if operation.method == method and operation.pattern.fullmatch(path)), None)

    def check(self, exchange):
        """Raises AssertionError with what is wrong and the exchange."""
        operation = self.operation(exchange.method, exchange.target)
        responses = operation.responses if operation else self.other
        response = responses.get(str(exchange.status), responses.get("default"))
        assert response, f"status {exchange.status} is not documented here:\n{exchange.text()}"
        try:
            self._check_answer(exchange, response)
            if exchange.status < 300 and exchange.request_body is not None:
                self._check_request(operation, exchange)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{exchange.text()}") from None

    def check_webhook(self, request):
        """The same for a delivery to a merchant's endpoint, as http_listener.Request."""
        webhook = self.webhooks.get(request.json.get("type"))
        try:
            assert webhook, "no such event is documented"
            headers = {name.lower(): value for name, value in request.headers}
            self._check_parameters(webhook, "header", headers, "the event")
            self._check_content(webhook.body["content"], "application/json", request.body, "the event")
            assert headers["x-event-type"] == request.json["type"], "the event's header tells another type"
            assert headers["x-event-id"] == headers["webhook-id"] == request.json["id"], "the event has several ids"
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{request.raw!r}") from None

    def errors(self, schema, value):
        """The value's faults, innermost first, as texts."""
        found = sorted(self._validator(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)),
                       reverse=True)
        return [f"{error.json_path}: {error.message}" for error in found]

    def error_codes(self, response):
        """The codes of a documented answer's errors; none where it is no refusal."""
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        errors = schema.get("properties", {}).get("errors")
        return errors["items"]["properties"]["code"]["enum"] if errors else []

    def follow(self, item):
        while "$ref" in item:
            value = self.document
            for name in item["$ref"].removeprefix("#/").split("/"):
                value = value[name]
            item = value
        return item

    def _check_answer(self, exchange, response):
        documented = {name.lower(): self.follow(header) for name, header in response.get("headers", {}).items()}
        for name, header in documented.items():
            value = exchange.headers.get(name)
            assert value or not header.get("required"), f"the answer lacks the header {name}"
            if value:
                self._check_text(header.get("schema", {}), value, f"the answer's header {name}")
        for name in exchange.headers.keys():
            assert name.lower() in documented.keys() | TRANSPORT, f"the answer has an undocumented header {name}"
        content = response.get("content")
        if content is None:
            assert not exchange.body, "the answer has an undocumented body"
        elif exchange.method != "HEAD":
            self._check_content(content, exchange.headers.get_content_type(), exchange.body, "the answer")

    def _check_request(self, operation, exchange):
        values = operation.pattern.fullmatch(exchange.target.partition("?")[0]).groups()
        given = {name: urllib.parse.unquote(value) for name, value in zip(operation.names, values)}
        self._check_parameters(operation, "path", given, "the request")
        query = urllib.parse.parse_qsl(exchange.target.partition("?")[2], keep_blank_values=True)
        if operation.parameters_in("query"):
            self._check_parameters(operation, "query", dict(query), "the request")
            documented = {parameter["name"] for parameter in operation.parameters_in("query")}
            unknown = {name for name, _ in query} - documented
            assert not unknown, f"the request has undocumented parameters {unknown} and succeeds"
        headers = {name.lower(): value for name, value in exchange.request_headers.items()}
        self._check_parameters(operation, "header", headers, "the request")
        if operation.body:
            assert exchange.request_body or not operation.body.get("required"), "the request has no body and succeeds"
            # The service reads a body without a type as JSON.
            if exchange.request_body:
                self._check_content(operation.body["content"], "application/json", exchange.request_body, "the request")

    def _check_parameters(self, operation, place, given, what):
        for parameter in operation.parameters_in(place):
            name = parameter["name"]
            value = given.get(name.lower() if place == "header" else name)
            assert value is not None or not parameter.get("required"), f"{what} lacks {name}"
            if value is not None:
                self._check_text(parameter["schema"], value, f"{what}'s {name}")

    def _check_text(self, schema, text, what):
        """A text that stands for a value of the schema's type."""
        kind = self.follow(schema).get("type")
        if kind == "integer" and re.fullmatch(r"[0-9]+", text):
            value = int(text)
        elif kind == "boolean" and text in ("true", "false"):
            value = text == "true"
        else:
            value = text
        errors = self.errors(schema, value)
        assert not errors, f"{what} is not as documented: {errors[0]}"

    def _check_content(self, content, media_type, body, what):
        assert media_type in content, f"{what} has an undocumented type {media_type}"
        schema = content[media_type].get("schema")
        if media_type == "application/json" and schema is not None:
            assert body, f"{what} has no body"
            errors = self.errors(schema, json.loads(body))
            assert not errors, f"{what} is not as documented: {errors[0]}"

    def _validator(self, schema):
        if id(schema) not in self._validators:
            # The document's references point into its components, so those belong to each schema.
            whole = {**schema, "components": self.document["components"]}
            self._validators[id(schema)] = jsonschema.Draft202012Validator(
                whole, format_checker=jsonschema.FormatChecker(["uuid"]))
        return self._validators[id(schema)]
