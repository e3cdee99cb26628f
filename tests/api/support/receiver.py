"""A merchant's webhook endpoint, which keeps each delivery and answers as a test tells it to."""
import base64
import hashlib
import hmac
import threading
import time

from .http_listener import Answer, HttpListener
from .waiting import PATIENCE_S, scaled


class Receiver:
    def __init__(self):
        self._changed = threading.Condition()
        self._deliveries = []
        self._next = []
        self.otherwise = Answer(200)  # the answer where answer_next has nothing left
        self._listener = HttpListener(self._respond)
        self.url = self._listener.url + "/webhooks/payments"

    def close(self):
        self._listener.close()

    def answer_next(self, *answers):
        """The answers to the next deliveries, in order."""
        with self._changed:
            self._next.extend(answers)

    @property
    def deliveries(self):
        """Every attempt so far, as http_listener.Request, oldest first."""
        with self._changed:
            return list(self._deliveries)

    def events(self, event_type=None):
        """The bodies of the deliveries so far; one that was tried twice is there twice."""
        bodies = [delivery.json for delivery in self.deliveries]
        return [body for body in bodies if event_type in (None, body["type"])]

    def wait_for(self, wanted, timeout=PATIENCE_S):
        """wanted: a number of deliveries, an event type, or a function of a Request. Answers the deliveries
        so far for a number, else the first delivery that is wanted."""
        deadline = time.monotonic() + scaled(timeout)
        with self._changed:
            while True:
                found = self._find(wanted)
                if found:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"waited in vain for {wanted}; deliveries: {[d.raw for d in self._deliveries]}"
                self._changed.wait(left)

    def _find(self, wanted):
        if isinstance(wanted, int):
            return list(self._deliveries) if len(self._deliveries) >= wanted else None
        if isinstance(wanted, str):
            return next((d for d in self._deliveries if d.json["type"] == wanted), None)
        return next((d for d in self._deliveries if wanted(d)), None)

    def _respond(self, request):
        with self._changed:
            self._deliveries.append(request)
            self._changed.notify_all()
            return self._next.pop(0) if self._next else self.otherwise


def payments_signature(secret, delivery):
    """The X-Payments-Signature that this delivery should carry."""
    signed = delivery.header("X-Payments-Timestamp").encode() + b"." + delivery.body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def standard_signature(secret, delivery):
    """The webhook-signature (Standard Webhooks) that this delivery should carry."""
    signed = f"{delivery.header('webhook-id')}.{delivery.header('webhook-timestamp')}.".encode() + delivery.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
