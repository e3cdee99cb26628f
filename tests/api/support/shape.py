"""The form of answers: the fields of every error, and JSON values compared with a shape."""
import re

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Either:
    """One of several shapes."""

    def __init__(self, *shapes):
        self.shapes = shapes


def assert_shape(value, shape, at="answer"):
    """A pattern is for a text as a whole, a type for its values, a dict for exactly these members, a list of one
    shape for any number of items; anything else is the value itself."""
    if isinstance(shape, Either):
        assert any(_fits(value, one) for one in shape.shapes), f"{at}: {value!r}"
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str) and shape.fullmatch(value), f"{at}: {value!r} is not as {shape.pattern}"
    elif isinstance(shape, type):
        assert type(value) is shape, f"{at}: {value!r} is not a {shape.__name__}"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{at}: {value!r} is not a list"
        for index, item in enumerate(value):
            assert_shape(item, shape[0], f"{at}[{index}]")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), f"{at}: {value!r} is not an object"
        assert value.keys() == shape.keys(), f"{at}: {sorted(value.keys() ^ shape.keys())} too many or missing"
        for name, inner in shape.items():
            assert_shape(value[name], inner, f"{at}.{name}")
    else:
        assert type(value) is type(shape) and value == shape, f"{at}: {value!r} is not {shape!r}"


def _fits(value, shape):
    try:
        assert_shape(value, shape)
    except AssertionError:
        return False
    return True


def refused(answer, status, code, *fields):
    """Holds the answer to this refusal, to the fields that it names, and to the form of every error."""
    assert answer.status == status, f"expected {status}:\n{answer!r}"
    assert answer.headers.get_content_type() == "application/json", repr(answer)
    body = answer.json
    assert list(body) == ["success", "errors", "request_id"] and body["success"] is False, repr(answer)
    assert REQUEST_ID.fullmatch(body["request_id"]) and body["request_id"] == answer.headers["X-Request-Id"]
    for error in body["errors"]:
        assert error.keys() in ({"code", "message"}, {"code", "message", "field"}), repr(answer)
        assert all(isinstance(text, str) and text for text in error.values()), repr(answer)
    assert set(answer.codes) == {code}, repr(answer)
    assert answer.fields == set(fields), repr(answer)
    assert (status in (429, 503) or code == "IDEMPOTENCY_IN_PROGRESS") == ("Retry-After" in answer.headers), repr(answer)
    assert (status == 405) == ("Allow" in answer.headers), repr(answer)
    return answer


def succeeded(answer, status=200):
    """The data of a success."""
    assert answer.status == status, f"expected {status}:\n{answer!r}"
    assert answer.headers.get_content_type() == "application/json", repr(answer)
    assert REQUEST_ID.fullmatch(answer.headers["X-Request-Id"]), repr(answer)
    assert answer.json["success"] is True, repr(answer)
    return answer.data
