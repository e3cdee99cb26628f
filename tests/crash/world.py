"""A service that is killed and started again, with everything around it: the sandbox as its Stripe, nghttpx in front of it,
a merchant's endpoint, and the merchant's clients, who repeat a request under its key until it is answered."""
import http.client
import signal

import requests

from plan import Plan
from support.ledger import Ledger, ReceivedEvents
from support.database import history
from support.merchant import Merchant
from support.nghttpx import Nghttpx
from support.receiver import Receiver
from support.sandbox import Sandbox
from support.server import Server
from support.waiting import wait_until

# A caller sees one of these when the service ends during its request, or is not there.
LOST = (OSError, http.client.HTTPException)
# The statuses that a caller may answer with a repeat: the request is under way, or was not carried out.
ASK_AGAIN = (409, 500, 503)
ANSWERED_S = 60
SETTLED_S = 60
SETTINGS = {"patience": "1s", "stripe_timeout": "2s", "reconcile_interval": "200ms", "webhook_allow": "127.0.0.1",
            "webhook_allow_http": True, "webhook_schedule": ",".join(["1"] * 20), "log_level": "info"}


class KillableServer(Server):
    def __init__(self, binary, plan, **settings):
        self.plan = plan
        super().__init__(binary, **settings)

    def process_environment(self):
        return self.environment() | (self.plan.environment if self.plan else {})

    @property
    def was_killed(self):
        return self.process.exit_status() == -signal.SIGKILL

    def start_or_die(self):
        """Whether it came to be ready; else it was killed before."""
        try:
            self.start()
        except (AssertionError, *LOST) as error:
            if self.plan.acted and self.process.wait() == -signal.SIGKILL:
                return False
            raise error
        return True

    def start_again(self):
        """After it was killed, however it was; nobody kills it now."""
        if self.plan:
            self.plan.calm()
        self.kill()
        self.start()


class World:
    """`plain`: Stripe is reached over HTTP/1.1 without TLS. The certificate of its TLS is kept in the folder."""

    ask_again = ASK_AGAIN

    def __init__(self, binary, folder, library=None, plain=False, **settings):
        self.sandbox = Sandbox(binary)
        self.nghttpx = None if plain else Nghttpx(self.sandbox.url, folder)
        self.receiver = Receiver()
        self.operations = 0
        self.last = None  # the last Answer, or what came instead
        self._answered = {}  # the body, by path and idempotency key
        way = self.nghttpx.settings if self.nghttpx else {"stripe_api_base": self.sandbox.url}
        self.plan = Plan(library, way["stripe_api_base"], self.receiver.url) if library else None
        self.server = KillableServer(binary, self.plan, **SETTINGS | way | settings)
        self.merchant = Merchant(self.server)
        self.merchant.use_stripe()
        self.merchant.use_webhook(self.receiver.url)
        self.at_stripe("POST", "webhook_endpoints", {
            "url": f"{self.server.url}/v1/webhooks/stripe/{self.merchant.id}", "enabled_events[]": "*",
            "secret": self.merchant.stripe_webhook_secret})

    def close(self):
        if self.plan:
            self.plan.calm()
        self.server.close()
        self.receiver.close()
        if self.nghttpx:
            self.nghttpx.close()
        self.sandbox.close()
        if self.plan:
            self.plan.close()

    def at_stripe(self, method, path, data=None, key=None):
        """A call to Stripe with the merchant's own key: its dashboard, or to look there. None: it is to be repeated."""
        headers = {"Authorization": f"Bearer {self.merchant.stripe_key}"} | ({"Idempotency-Key": key} if key else {})
        sent = {"data" if method == "POST" else "params": data}
        try:
            answer = requests.request(method, f"{self.sandbox.url}/v1/{path}", headers=headers, timeout=30, **sent)
        except requests.ConnectionError:
            return None
        if answer.status_code >= 500:
            return None
        assert answer.ok, answer.text
        return answer.json()

    def repeat(self, attempt, what):
        """The attempt's result, once it has one."""
        try:
            return wait_until(attempt, timeout=ANSWERED_S, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; at last: {self.last!r}") from None

    def ask(self, method, path, body=None, key=None, fine=(200, 201)):
        """One request's Answer; None where it is to be repeated. What was answered once stays the answer."""
        try:
            self.last = answer = self.merchant.api.request(method, path, body, idempotency_key=key)
        except LOST as error:
            self.last = error
            return None
        cut = answer.headers.get("Content-Length") is None  # Python takes a head that ends early for a whole one
        if cut or (answer.status in self.ask_again and answer.status not in fine):
            return None
        assert answer.status in fine, f"{answer!r}"
        self.operations += method != "GET"
        if key:
            first = self._answered.setdefault((path, key), answer.body)
            assert answer.body == first, f"answered {first} at first, and now {answer!r}"
        return answer

    def start_if_ended(self):
        """Whether it had."""
        ended = self.server.process.exit_status() is not None
        if ended:
            self.server.start_again()
        return ended

    def stop(self):
        """Asks the service to end, and waits until it did, by itself or by being killed."""
        self.server.process.signal(signal.SIGTERM)
        assert self.server.process.wait() in (0, -signal.SIGKILL), self.server.log()

    def payment(self, payment_id):
        """None where nobody answers."""
        answer = self.ask("GET", f"/v1/payments/{payment_id}")
        return answer and answer.data

    def settle_books(self):
        """The ledger when nothing is open any more, held to what is promised of them."""
        def settled():
            ledger = Ledger(self.sandbox, self.merchant)
            return not ledger.open and ledger
        ledger = wait_until(settled, timeout=SETTLED_S, what="every payment to end")
        ledger.check()
        for payment in ledger.payments.values():
            self._check_history(payment)
        return ledger

    def _check_history(self, payment):
        """Nothing was applied to it twice."""
        done = [row for row in history(self.server, payment) if row[2]]
        assert len(set(done)) == len(done), f"applied twice: {done}"

    def check_told(self, ledger, expected):
        """expected: of a payment's id, the events that its merchant is told, in order."""
        def told():
            told = ReceivedEvents(self.receiver)
            return all(told.types(ledger.payments[payment_id]) == types for payment_id, types in expected.items())
        try:
            wait_until(told, timeout=SETTLED_S)
        except AssertionError:
            told = ReceivedEvents(self.receiver)
            wrong = {payment_id: (told.types(ledger.payments[payment_id]), types)
                     for payment_id, types in expected.items()
                     if told.types(ledger.payments[payment_id]) != types}
            raise AssertionError(f"told and expected: {wrong}") from None
