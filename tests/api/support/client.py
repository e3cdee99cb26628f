"""Requests to the API as a merchant makes them. A connection each, so one client serves many threads."""
import http.client
import json
import urllib.parse

from .recording import Exchange
from .waiting import scaled

REQUEST_TIMEOUT_S = 60


class Answer:
    """The service's answer."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.status = exchange.status
        self.headers = exchange.headers
        self.body = exchange.body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def meta(self):
        return self.json["meta"]

    @property
    def errors(self):
        return self.json["errors"]

    @property
    def codes(self):
        """The error codes, in order."""
        return [error["code"] for error in self.errors]

    @property
    def fields(self):
        """The fields that errors name, as a set."""
        return {error["field"] for error in self.errors if "field" in error}

    @property
    def replayed(self):
        return self.headers.get("Idempotent-Replayed") == "true"

    def __repr__(self):
        return self.exchange.text()


class Api:
    """A client with one API key (None: without). `headers` go with every request; `on_exchange` is called with
    each exchange."""

    def __init__(self, url, key=None, on_exchange=None, **headers):
        parsed = urllib.parse.urlsplit(url)
        self.host, self.port = parsed.hostname, parsed.port
        self.key = key
        self.on_exchange = on_exchange
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.exchanges = []

    def unrecorded(self):
        """The same, for reading so much that it would take long to hold all of it to the API's description."""
        return Api(f"http://{self.host}:{self.port}", self.key, **self.headers)

    def request(self, method, path, body=None, *, idempotency_key=None, headers=None, query=None, expect=None):
        """A dict or list body is sent as JSON, bytes and text as they are. A header of None is left out.
        `expect` is the status that the answer must have."""
        sent = {"X-API-Key": self.key, "Idempotency-Key": idempotency_key} | self.headers
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        body = body.encode() if isinstance(body, str) else body
        sent |= headers or {}
        sent = {name: value for name, value in sent.items() if value is not None}
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")

        connection = http.client.HTTPConnection(self.host, self.port, timeout=scaled(REQUEST_TIMEOUT_S))
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            exchange = Exchange(method, target, sent, body or b"", response.status, response.headers,
                                response.read())
        finally:
            connection.close()
        self.exchanges.append(exchange)
        if self.on_exchange:
            self.on_exchange(exchange)
        answer = Answer(exchange)
        assert expect is None or answer.status == expect, f"expected {expect}:\n{answer!r}"
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.request("PUT", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)
