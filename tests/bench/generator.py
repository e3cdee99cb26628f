"""The load generator (load.c), and the requests that it sends. A request is made as a record of its file."""
import contextlib
import json
import subprocess
import tempfile

LABEL = "all"


def _record(label, start, headers, body=b""):
    lines = [f"{start} HTTP/1.1", "Host: localhost", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    text = "\r\n".join([*lines, "", ""]).encode() + body
    return f"{label} {len(text)}\n".encode() + text


def get(target, key, label=LABEL):
    return _record(label, f"GET {target}", {"X-API-Key": key})


def post(target, body, label=LABEL, **headers):
    return _record(label, f"POST {target}", headers | {"Content-Type": "application/json", "Content-Length": len(body)}, body)


def _pay(api_key, idempotency_key, amount, label=LABEL):
    body = json.dumps({"amount": amount, "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"},
                      separators=(",", ":")).encode()
    return post("/v1/payments", body, label, X_API_Key=api_key, Idempotency_Key=idempotency_key)


def create(key, label=LABEL, hundreds=1):
    """A payment, another one each time that it is sent. Amounts differ, so that an answer given to the wrong payment is
    noticed."""
    return _pay(key, "load-###########", f"{hundreds}##.##", label)


def creates(key):
    """Payments of 100.00 to 999.99."""
    return [create(key, hundreds=hundreds) for hundreds in range(1, 10)]


def replay(key, number):
    """The same payment each time."""
    return _pay(key, f"replay-{number}", f"{1 + number % 1000}.{number % 97:02}")


@contextlib.contextmanager
def written(requests):
    """The path of a file with these requests."""
    with tempfile.NamedTemporaryFile(prefix="paymentsd-load-") as file:
        file.writelines(requests)
        file.flush()
        yield file.name


def run(build, port, file, *words):
    """What the load generator says at its end. The words are its options."""
    done = subprocess.run([str(word) for word in (build / "tests" / "bench" / "load", *words, port, file)],
                          stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)
