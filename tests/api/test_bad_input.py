"""Requests that are wrong, hostile or broken. Each gets an error in the API's form if it can be answered at all, nothing of
it is stored, and the service goes on."""
import contextlib
import json
import os
import uuid

import pytest

from support.merchant import Merchant
from support.raw import Raw
from support.shape import REQUEST_ID, UUID7, refused, succeeded

BODY = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
BODY_BYTES_MAX = 64 * 1024
TEXT = json.dumps(BODY)


@pytest.fixture(scope="module")
def victim(server):
    """A merchant that the tests here share. Whatever they send, it never gets a payment, and can pay at the end."""
    merchant = Merchant.with_stripe(server)
    yield merchant
    assert succeeded(merchant.api.get("/v1/payments")) == []
    assert merchant.pay()["status"] == "completed"


def post(victim, body, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent["Idempotency-Key"] = f"k-{uuid.uuid4()}"
    return victim.api.post("/v1/payments", body, headers=sent)


# Bodies that are no JSON object

@pytest.mark.parametrize("body", [
    "", " ", "{", "}", "{]", '{"amount":}', '{"amount" 1}', "{'amount': 1}", '{"amount": 1,}', "{amount: 1}",
    TEXT + "x",
    TEXT + TEXT, TEXT[:-1], "[]", "[1]", "null", "true", "7", '"text"', '{"a": NaN}', '{"a": Infinity}', '{"a": 01}',
    '{"a": 1.}', '{"a": .5}', '{"a": +1}', '{"a": 0x10}', '{"a": "\n"}', '{"a": "\\x41"}', '{"a": "\\u00"}',
    '{"a": "unfinished', "/* comment */ {}", '{"a": 1} // comment', "amount=10.00&currency=USD", "<payment/>",
    "\ufeff", "\ufeff\ufeff" + TEXT, TEXT[:1] + "\ufeff" + TEXT[1:], TEXT.encode("utf-16"),
    b"\xff\xfe{}", b"\x00", TEXT.encode() + b"\x00", b"\x1f\x8b\x08\x00"])
def test_a_body_that_is_no_json_object_is_a_bad_request(victim, body):
    refused(post(victim, body), 400, "BAD_REQUEST")


def test_a_byte_order_mark_before_the_object_is_skipped(merchant):
    plain = succeeded(merchant.api.post("/v1/payments", TEXT, idempotency_key="mark-1"), 201)
    again = merchant.api.post("/v1/payments", "\ufeff" + TEXT, idempotency_key="mark-1")
    assert again.replayed and again.data == plain


@pytest.mark.parametrize("body", [
    '{"description": "a\\u0000b", ' + TEXT[1:], '{"description": "\ud800"}'.encode("utf-8", "surrogatepass"),
    b'{"description": "\xc0\xaf"}', b'{"description": "\xff"}', b'{"description": "\xe9"}',
    b'{"description": "\xf5\x80\x80\x80"}',
    b'{"description": "a\x00b"}', b'{"descr\x00iption": "a"}'])
def test_a_text_that_is_not_utf_8_or_holds_nul_is_a_bad_request(victim, body):
    refused(post(victim, body), 400, "BAD_REQUEST")


@pytest.mark.parametrize("body", [
    '{"amount": "1.00", ' + TEXT[1:], TEXT[:-1] + ', "metadata": {"a": "1", "a": "2"}}',
    TEXT[:-1] + ', "\\u0061mount": "99.00"}'])
def test_a_repeated_field_is_a_bad_request(victim, body):
    answer = refused(post(victim, body), 400, "BAD_REQUEST")
    assert "repeated" in answer.errors[0]["message"]


@pytest.mark.parametrize("open_, close", [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_a_bad_request(victim, open_, close):
    for depth in (40, 1000, 9000):
        refused(post(victim, '{"metadata": ' + open_ * depth + "1" + close * depth + "}"), 400, "BAD_REQUEST")
    refused(post(victim, open_ * 10000), 400, "BAD_REQUEST")


# Fields

@pytest.mark.parametrize("amount", [
    "-1", "-0.01", "-0", "0", "0.00", "0.0000", "1" + "0" * 30, "1e2", "1E2", "1e-2", "10e400", "10.001", "0.001",
    "1" + "0" * 300,
    "0." + "0" * 60000 + "1", "null", "true", "[]", "{}", "[10]", '{"value": 10}', '""', '" 10"', '"10 "', '"+10"',
    '"-10"', '"1e2"',
    '"10,00"', '"1_000"', '"1 000"', '"$10"', '"10."', '".5"', '"."', '"NaN"', '"Infinity"', '"0x10"', '"10.00.00"',
    '"١٠"', '"１０"',
    '"' + "9" * 60000 + '"', '"ten"'])
def test_an_invalid_amount_is_refused_and_named(victim, amount):
    others = {name: value for name, value in BODY.items() if name != "amount"}
    text = f'{{"amount": {amount}, ' + json.dumps(others)[1:]
    refused(post(victim, text), 422, "VALIDATION_ERROR", "amount")


@pytest.mark.parametrize("currency", [
    "", "US", "USDD", "XXX", "XTS", "XAU", "ABC", "usd ", "U$D", "USé", "ＵＳＤ", None, 840, [], {},
    "USD,EUR"])
def test_an_invalid_currency_is_refused_and_named(victim, currency):
    refused(post(victim, BODY | {"currency": currency}), 422, "VALIDATION_ERROR", "currency")


@pytest.mark.parametrize("name", ["Amount", "amount ", "id", "status", "merchant_id", "livemode", "__proto__",
                                  "é" * 200, "a.b", "", "x" * 5000])
def test_an_unknown_field_is_refused_and_named(victim, name):
    answer = post(victim, BODY | {name: "x"})
    shown = answer.errors[0]["field"]
    refused(answer, 422, "VALIDATION_ERROR", shown)
    assert shown == (name or '""') or name.startswith(shown) and len(shown.encode()) in (99, 100)


def test_every_bad_field_is_named_in_one_answer(victim):
    refused(post(victim, {"amount": "x", "currency": "XXX", "provider": "p", "payment_method": "m", "return_url": 1,
                          "description": 1, "metadata": 1, "capture_method": "c", "customer_email": "e",
                          "unknown": 1}), 422,
            "VALIDATION_ERROR", "amount", "currency", "provider", "payment_method", "return_url", "description",
            "metadata",
            "capture_method", "customer_email", "unknown")


def test_hundreds_of_unknown_fields_make_no_endless_answer(victim):
    answer = post(victim, {f"field{number}": 1 for number in range(900)})
    assert answer.status == 422 and len(answer.body) < 16 * 1024


def test_thousands_of_values_are_not_read(victim):
    refused(post(victim, {f"field{number}": 1 for number in range(1000)}), 400, "BAD_REQUEST")
    refused(post(victim, {"metadata": [{}] * 15_000}), 400, "BAD_REQUEST")


def test_an_error_never_repeats_what_was_sent_beyond_a_fields_name(victim):
    answer = post(victim, BODY | {"amount": "<script>alert(1)</script>", "currency": "<b>"})
    refused(answer, 422, "VALIDATION_ERROR", "amount", "currency")
    assert b"<" not in answer.body


# Sizes and types of bodies

def padded(size):
    return TEXT[:-1] + ', "description": "' + "d" * (size - len(TEXT) - len(', "description": ""')) + '"}'


def test_a_body_of_the_largest_size_is_read_and_a_larger_one_is_not(victim):
    assert len(padded(BODY_BYTES_MAX)) == BODY_BYTES_MAX
    refused(post(victim, padded(BODY_BYTES_MAX)), 422, "VALIDATION_ERROR", "description")
    refused(post(victim, padded(BODY_BYTES_MAX + 1)), 413, "PAYLOAD_TOO_LARGE")
    refused(post(victim, "x" * 500_000), 413, "PAYLOAD_TOO_LARGE")


def chunked(victim, chunks):
    with Raw(victim.server) as raw:
        raw.request("POST", "/v1/payments", X_API_Key=victim.key["key"], Idempotency_Key="chunked",
                    Content_Length=None,
                    Transfer_Encoding="chunked")
        for chunk in chunks:
            raw.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        return raw.answer()


def test_a_body_in_chunks_has_the_same_bound(victim):
    refused(chunked(victim, [b"x" * 1000] * 100 + [b""]), 413, "PAYLOAD_TOO_LARGE")
    refused(chunked(victim, [b"{", b'"x', b'":1', b"}", b""]), 422, "VALIDATION_ERROR", "x", "amount", "currency",
            "provider",
            "payment_method")


def test_a_body_announced_as_huge_is_refused_before_it_is_sent(victim):
    with Raw(victim.server) as raw:
        raw.request("POST", "/v1/payments", X_API_Key=victim.key["key"], Idempotency_Key="k",
                    Content_Length="1000000000000")
        refused(raw.answer(), 413, "PAYLOAD_TOO_LARGE")


def test_an_endless_body_is_cut_off(victim):
    with Raw(victim.server) as raw:
        raw.request("POST", "/v1/payments", X_API_Key=victim.key["key"], Idempotency_Key="k", Content_Length=None,
                    Transfer_Encoding="chunked")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                raw.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x",
                                  "application/jsonx",
                                  "application/json-patch+json", "json", "text/json", "application/", "", "*/*"])
def test_another_media_type_is_not_supported(victim, kind):
    refused(post(victim, TEXT, Content_Type=kind), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "Application/JSON",
                                  "application/json ;charset=utf-8", "application/x-www-form-urlencoded"])
def test_these_media_types_are_read_as_json(victim, kind):
    refused(post(victim, "{}", Content_Type=kind), 422, "VALIDATION_ERROR", "amount", "currency", "provider",
            "payment_method")


# Paths and methods

@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/payment", "/v1/payments/", "/v1//payments",
                                  "/V1/payments", "/v2/payments",
                                  "/v1/payments/x/y", "/v1/payments/x/", "/../etc/passwd",
                                  "/v1/payments/../merchant/me", "/favicon.ico",
                                  "/v1/payments;x=1", "/v1/merchant", "/v1/webhooks", "/" + "a" * 4000,
                                  "/%F0%9F%8E%AB"])
def test_an_unknown_path_is_not_found(victim, path):
    refused(victim.api.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/v1/payments", {"GET", "HEAD", "POST"}), ("PUT", "/v1/payments", {"GET", "HEAD", "POST"}),
    ("PATCH", "/v1/payments", {"GET", "HEAD", "POST"}),
    ("BREW", "/v1/payments", {"GET", "HEAD", "POST"}), ("OPTIONS", "/v1/payments", {"GET", "HEAD", "POST"}),
    ("get", "/v1/payments", {"GET", "HEAD", "POST"}),
    ("POST", "/v1/merchant/me", {"GET", "HEAD"}), ("POST", "/v1/merchant/providers", {"GET", "HEAD", "PUT"}),
    ("GET", "/v1/webhooks/stripe", {"POST"}),
    ("PUT", "/v1/merchant/providers/stripe", {"DELETE"}), ("TRACE", "/v1/payments", {"GET", "HEAD", "POST"}),
    ("POST", "/healthz", {"GET", "HEAD"})])
def test_another_method_is_not_allowed_and_those_that_are_are_named(victim, method, path, allowed):
    answer = refused(victim.api.request(method, path), 405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_a_body_on_a_route_that_reads_none_is_harmless(victim):
    with Raw(victim.server) as raw:
        raw.request("GET", "/v1/payments", b'{"a": 1}', X_API_Key=victim.key["key"])
        assert succeeded(raw_answer(raw)) == []


def raw_answer(raw):
    answer = raw.answer()
    answer.data = answer.json.get("data")
    return answer


# Request ids

@pytest.mark.parametrize("name", ["a", "A.b_c-9", "0" * 128, str(uuid.UUID(int=7))])
def test_a_sane_request_id_is_given_back(victim, name):
    answer = victim.api.get("/v1/payments", headers={"X-Request-Id": name})
    assert answer.headers["X-Request-Id"] == name
    answer = refused(victim.api.get("/v1/nothing", headers={"X-Request-Id": name}), 404, "NOT_FOUND")
    assert answer.json["request_id"] == name


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "é", "<script>", 'a"b', "a;b", "0" * 129, "a\\b", "%0d%0a",
                                  "{}"])
def test_any_other_request_id_is_replaced(victim, name):
    answer = refused(victim.api.get("/v1/nothing", headers={"X-Request-Id": name}), 404, "NOT_FOUND")
    assert UUID7.fullmatch(answer.headers["X-Request-Id"])


def test_every_request_has_an_id_of_its_own(victim):
    ids = {victim.api.get("/v1/payments").headers["X-Request-Id"] for _ in range(20)}
    assert len(ids) == 20 and all(REQUEST_ID.fullmatch(one) for one in ids)


# Noise

def test_bytes_at_random_do_no_harm(victim):
    with contextlib.ExitStack() as stack:
        noisy = {stack.enter_context(Raw(victim.server)): size for size in (1, 10, 100, 1000, 7000, 100_000)}
        for raw, size in noisy.items():
            with contextlib.suppress(OSError):  # closed by the service before all was sent
                raw.send(os.urandom(size) + b"\r\n\r\n")
                raw.finish_sending()
        for raw in noisy:
            assert b" 200 " not in raw.rest()


def test_every_prefix_of_a_request_does_no_harm(victim):
    whole = (f"POST /v1/payments HTTP/1.1\r\nHost: a\r\nX-API-Key: {victim.key['key']}\r\nIdempotency-Key: cut\r\n"
             f"Content-Length: {len(TEXT)}\r\n\r\n{TEXT}").encode()
    with contextlib.ExitStack() as stack:
        cut = [stack.enter_context(Raw(victim.server)) for _ in range(0, len(whole), 5)]
        for number, raw in enumerate(cut):
            raw.send(whole[:5 * number])
            raw.finish_sending()
        for raw in cut:
            assert b" 201 " not in raw.rest(), "and the service ends the connection"
