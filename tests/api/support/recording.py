"""Every exchange of the tests with the service: shown when a test fails, and passed to the observers, which check all of
them."""
import json
from dataclasses import dataclass

# Called with each exchange: `observers.append(check)`.
observers = []

# The exchanges of the test that runs now.
of_this_test = []

SHOWN_BYTES = 2000


@dataclass
class Exchange:
    method: str
    target: str
    request_headers: dict
    request_body: bytes   # None: not known, so that only the answer is held to the description
    status: int
    headers: object       # http.client's message: get() knows no case
    body: bytes

    def text(self):
        sent = "".join(f"\n  {name}: {value}" for name, value in self.request_headers.items())
        return (f"{self.method} {self.target}{sent}\n  {_shown(self.request_body)}\n"
                f"  -> {self.status} {_shown(self.body)}")


def _shown(body):
    if body is None:
        return "..."
    try:
        text = json.dumps(json.loads(body))
    except ValueError:
        text = body.decode(errors="backslashreplace")
    return text if len(text) <= SHOWN_BYTES else text[:SHOWN_BYTES] + "..."


def record(exchange):
    """Keeps it for the report, and has it checked."""
    of_this_test.append(exchange)
    for observer in observers:
        observer(exchange)
