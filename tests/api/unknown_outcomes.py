"""Every answer of Stripe's that leaves the outcome of a call unknown."""
import gzip

import pytest

from support.http_listener import Answer
from support.stripe_model import stripe_error
from support.stub import executed

HTML = {"Content-Type": "text/html"}
REPLAYED = {"Idempotent-Replayed": "true"}

# The service sends the same request again: Stripe was unreachable, or its answer does not say whether it charged.
SENT_AGAIN = {
    "closed without an answer": Answer(200, cut_after=0),
    "reset without an answer": Answer(200, cut_after=0, reset=True),
    "charged, closed without an answer": executed(cut_after=0),
    "charged, reset without an answer": executed(cut_after=0, reset=True),
    "charged, cut in the body": executed(cut_after=400),
    "no answer in time": Answer(hang=True),
    "charged, no answer in time": executed(hang=True),
    "not HTTP": Answer(raw=b"\x00\xff\x16\x03 what is this\r\n\r\n"),
    "not JSON": Answer(200, "<html>Welcome to the hotel's network</html>", HTML),
    "JSON cut short": Answer(200, '{"id":"pi_1","object":"payment_intent","status":"succ'),
    "a byte at a time": Answer(200, "{}", drip_s=0.05),
    "charged, a byte at a time": executed(drip_s=0.05),
    "larger than anything of Stripe's": Answer(200, b" " * (2 * 1024 * 1024 + 1)),
    "a body without an end": Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (3 * 1024 * 1024)),
    "headers without an end": Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-Any: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 4000),
    "interim answers without an end": Answer(raw=b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" * 4000),
    "compressed, which nobody asked for": Answer(200, gzip.compress(b'{"id":"pi_1","object":"payment_intent"}'),
                                                 {"Content-Encoding": "gzip"}),
    "deeply nested": Answer(200, "[" * 100000),
    "an array": Answer(200, ["pi_1"]),
    "nothing": Answer(200, b""),
    "a success without an id": Answer(200, {"object": "payment_intent", "status": "succeeded", "amount": 1000}),
    "a success without a status": Answer(200, {"object": "payment_intent", "id": "pi_1", "amount": 1000}),
    "201 of something else": Answer(201, {"created": True}),
    "a redirect": Answer(307, b"", {"Location": "http://127.0.0.1:9/v1/payment_intents"}),
    "400 of a proxy": Answer(400, "<html>Bad Request</html>", HTML),
    "402 of a proxy": Answer(402, b""),
    "403 of a firewall": Answer(403, "<html>Request blocked</html>", HTML),
    "404 of a proxy": Answer(404, {"message": "no Route matched with those values"}),
    "409, the key is in use": Answer(409, stripe_error(code="idempotency_key_in_use")),
    "424": Answer(424, stripe_error("api_error")),
    "429, too many requests": Answer(429, stripe_error(code="rate_limit")),
    "429, locked": Answer(429, stripe_error(code="lock_timeout")),
    "500": Answer(500, stripe_error("api_error")),
    "500 without a body": Answer(500, b""),
    "502": Answer(502, "<html><h1>502 Bad Gateway</h1></html>", HTML),
    "503": Answer(503, stripe_error("api_error")),
    "504": Answer(504, "upstream request timeout"),
}

# The service looks the charge up: sending it again would only bring the same answer.
LOOKED_UP = {
    "a stored 500": Answer(500, stripe_error("api_error"), REPLAYED),
    "a stored 500 of a proxy": Answer(500, "<html>", HTML | REPLAYED),
    "a stored 503": Answer(503, stripe_error("api_error"), REPLAYED),
    "not to be repeated": Answer(500, stripe_error("api_error"), {"Stripe-Should-Retry": "false"}),
    "idempotency_error": Answer(400, stripe_error("idempotency_error")),
}


def by_name(table):
    return pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in table.items()])
