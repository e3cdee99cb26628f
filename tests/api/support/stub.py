"""A stand-in for Stripe that can misbehave: it answers as stripe_model does unless a test sets another answer."""
import fnmatch
import json
import threading
import time
from dataclasses import replace

from .http_listener import Answer, HttpListener
from .stripe_model import StripeModel
from .waiting import PATIENCE_S, scaled


def executed(**fault):
    """The request is carried out, but the answer is late (delay_s, gate), cut (cut_after, reset) or never comes (hang)."""
    return Answer(status=None, **fault)


def lying(**fields):
    """The request is carried out, but the answered object has other fields: values, or functions of the object."""
    def answer(done):
        said = json.loads(done.body)
        return replace(done, body=json.dumps(said | {name: value(said) if callable(value) else value
                                                     for name, value in fields.items()}))
    return answer


class StubStripe:
    """`requests` keeps everything that came, raw. Paths are patterns: "/v1/payment_intents/*/capture". What it shall
    answer is an Answer, or a function that makes one of what it would have answered, having done what was asked.
    `listen(respond, port)` makes the listener that carries it."""

    def __init__(self, listen=HttpListener):
        self.model = StripeModel()
        self._changed = threading.Condition()
        self._requests = []
        self._next = []    # (method, path, answer), each used once
        self._always = []  # the same, used for as long as they stand
        self._listen = listen
        self.listener = listen(self._respond)
        self.url = self.listener.url

    def close(self):
        self.listener.close()

    def come_back(self):
        """After close(): listens again at the same address, with all that it held."""
        self.listener = self._listen(self._respond, self.listener.port)

    # Setting answers

    def answer_next(self, method, path, *answers):
        """The answers to the next requests of this kind, in order; after them it behaves again."""
        with self._changed:
            self._next.extend((method, path, answer) for answer in answers)

    def answer_always(self, method, path, answer):
        with self._changed:
            self._always.insert(0, (method, path, answer))

    def behave(self):
        """Forgets every answer that was set."""
        with self._changed:
            self._next.clear()
            self._always.clear()

    # The requests that came

    @property
    def requests(self):
        with self._changed:
            return list(self._requests)

    def calls(self, method, path):
        return [request for request in self.requests if _matches(request, method, path)]

    def wait_for(self, method, path, count=1, timeout=PATIENCE_S):
        """The requests of this kind, once there are `count` of them."""
        deadline = time.monotonic() + scaled(timeout)
        with self._changed:
            while True:
                found = [request for request in self._requests if _matches(request, method, path)]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                asked = [f"{request.method} {request.target}" for request in self._requests]
                assert left > 0, f"waited in vain for {count} of {method} {path}; was asked {asked}"
                self._changed.wait(left)

    # Its objects

    def objects(self, kind):
        """All objects of a kind ("payment_intent", "refund", "customer"), of every account."""
        with self._changed:
            accounts = {id(account): account for account in self.model.accounts.values()}  # several keys may be of one
            return [obj for account in accounts.values() for obj in account.of_kind(kind)]

    def charged_minor(self, payment_id):
        """How much the payer paid for one of our payments, over all PaymentIntents that name it."""
        return sum(intent["amount_received"] for intent in self.objects("payment_intent")
                   if intent["metadata"].get("payment_id") == payment_id)

    def _respond(self, request):
        with self._changed:
            self._requests.append(request)
            answer = self._take(request)
            if callable(answer):
                answer = answer(self.model.answer(request))
            elif answer is None or (answer.status is None and answer.raw is None):
                done = self.model.answer(request)
                answer = replace(answer or done, status=done.status, body=done.body, headers=done.headers)
            self._changed.notify_all()
            return answer

    def _take(self, request):
        for index, (method, path, answer) in enumerate(self._next):
            if _matches(request, method, path):
                del self._next[index]
                return answer
        return next((answer for method, path, answer in self._always if _matches(request, method, path)), None)


def _matches(request, method, path):
    return method in ("*", request.method) and fnmatch.fnmatchcase(request.path, path)
