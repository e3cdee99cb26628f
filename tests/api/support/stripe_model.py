"""As much of Stripe as the service uses, in its plainest form and written independently of the project's own sandbox:
objects by account, idempotency keys, and a few payment methods that do not simply succeed."""
import json
import re
import time

from .events import stripe_id
from .http_listener import Answer

DECLINE = "pm_card_visa_chargeDeclined"
AUTHENTICATE = "pm_card_authenticationRequired"
PENDING_REFUND = "pm_card_pendingRefund"


def stripe_error(error_type="invalid_request_error", **fields):
    return {"error": {"type": error_type, "message": "No."} | fields}


def missing(kind, name):
    return 404, stripe_error(code="resource_missing", message=f"No such {kind}: '{name}'")


def metadata_of(form):
    return {name[len("metadata["):-1]: value for name, value in form.items() if name.startswith("metadata[")}


class Account:
    """Stripe's objects for one secret key."""

    def __init__(self, livemode):
        self.livemode = livemode
        self.objects = {}  # by id, oldest first
        self.replies = {}  # by idempotency key: what was asked, status, body

    def of_kind(self, kind):
        return [obj for obj in self.objects.values() if obj["object"] == kind]

    def add(self, prefix, kind, **fields):
        obj = {"id": stripe_id(prefix), "object": kind, "created": int(time.time()),
               "livemode": self.livemode} | fields
        self.objects[obj["id"]] = obj
        return obj


class StripeModel:
    """answer() carries a request out. Not for several threads at once: the stub holds a lock."""

    ROUTES = [
        ("POST", r"/v1/payment_intents", "create_intent"),
        ("GET", r"/v1/payment_intents", "list_intents"),
        ("GET", r"/v1/(payment_intents|setup_intents|refunds|customers|payment_methods)/(\w+)", "read"),
        ("POST", r"/v1/payment_intents/(\w+)/confirm", "confirm"),
        ("POST", r"/v1/payment_intents/(\w+)/capture", "capture"),
        ("POST", r"/v1/payment_intents/(\w+)/cancel", "cancel"),
        ("POST", r"/v1/refunds", "create_refund"),
        ("GET", r"/v1/refunds", "list_refunds"),
        ("POST", r"/v1/customers", "create_customer"),
        ("GET", r"/v1/customers", "list_customers"),
        ("POST", r"/v1/setup_intents", "create_setup"),
        ("GET", r"/v1/setup_intents", "list_setups"),
        ("POST", r"/v1/setup_intents/(\w+)/cancel", "cancel_setup"),
        ("POST", r"/v1/payment_methods/(\w+)/attach", "attach"),
        ("POST", r"/v1/payment_methods/(\w+)/detach", "detach"),
        ("GET", r"/v1/events", "list_events"),
    ]

    def __init__(self):
        self.accounts = {}  # by secret key; several keys may be of one
        self.revoked = set()  # secret keys

    def answer(self, request):
        secret_key = (request.header("Authorization") or "").removeprefix("Bearer ")
        headers = {"Content-Type": "application/json", "Request-Id": stripe_id("req_")}
        if not re.match(r"[sr]k_(test|live)_", secret_key):
            return Answer(401, stripe_error(message="You did not provide an API key."), headers)
        if secret_key in self.revoked:
            return Answer(401, stripe_error(code="api_key_expired"), headers)
        account = self.accounts.setdefault(secret_key, Account("_live_" in secret_key))
        key = request.header("Idempotency-Key") if request.method == "POST" else None
        asked = (request.method, request.path, request.body)
        if key in account.replies:
            before, status, body = account.replies[key]
            if before != asked:
                return Answer(400, stripe_error("idempotency_error"), headers)
            return Answer(status, body, headers | {"Idempotent-Replayed": "true"})
        status, body = self._carry_out(account, request)
        body = json.dumps(body)  # the object as it is now, whatever becomes of it
        if key and status != 404:
            account.replies[key] = asked, status, body
        return Answer(status, body, headers)

    def _carry_out(self, account, request):
        for method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, request.path)
            if method == request.method and match:
                form = request.form if method == "POST" else request.query
                return getattr(self, name)(account, form, *match.groups())
        return missing("path", request.path)

    def read(self, account, query, kind, name):
        found = account.objects.get(name)
        if found and query.get("expand[]") == "payment_method" and kind == "payment_intents":
            found = found | {"payment_method": account.objects.get(found["payment_method"], found["payment_method"])}
        return (200, found) if found else missing(kind, name)

    def _list(self, account, kind, query, wanted):
        found = [obj for obj in reversed(account.of_kind(kind)) if wanted(obj)]
        if "starting_after" in query:
            found = found[[obj["id"] for obj in found].index(query["starting_after"]) + 1:]
        limit = int(query.get("limit", 10))
        return 200, {"object": "list", "url": f"/v1/{kind}s", "has_more": len(found) > limit,
                     "data": found[:limit]}

    def list_events(self, account, query):
        """Those that a test put there: nothing here makes any."""
        after, before = int(query.get("created[gte]", 0)), int(query.get("created[lt]", 1 << 40))
        return self._list(account, "event", query, lambda event: after <= event["created"] < before)

    # PaymentIntents

    def create_intent(self, account, form):
        amount, manual = int(form["amount"]), form.get("capture_method") == "manual"
        method = form["payment_method"]
        known = account.objects.get(method, {"source": method})["source"]
        if "customer" in form and form["customer"] not in account.objects:
            return 400, stripe_error(code="resource_missing", param="customer")
        if "setup_future_usage" in form and known not in (DECLINE, AUTHENTICATE):
            method = self.attach(account, form, method)[1]["id"]
        intent = account.add(
            "pi_", "payment_intent", amount=amount, amount_received=0, amount_capturable=0,
            currency=form["currency"], status="succeeded", customer=form.get("customer"),
            payment_method=method, metadata=metadata_of(form), last_payment_error=None, next_action=None,
            capture_method=form.get("capture_method", "automatic"), latest_charge=stripe_id("ch_"))
        intent["client_secret"] = intent["id"] + "_secret_" + stripe_id("")
        if known == DECLINE:
            return self._refuse(intent, code="card_declined", decline_code="generic_decline")
        if known == AUTHENTICATE and form.get("off_session") == "true":
            return self._refuse(intent, code="authentication_required", decline_code="authentication_required")
        if known == AUTHENTICATE:
            self._require_action(intent, form)
        elif manual:
            intent |= {"status": "requires_capture", "amount_capturable": amount}
        else:
            intent["amount_received"] = amount
        return 200, intent

    def _require_action(self, intent, form):
        redirect = {"url": f"https://hooks.stripe.com/3d_secure/{intent['id']}", "return_url": form.get("return_url")}
        intent |= {"status": "requires_action", "last_payment_error": None, "next_action": (
            {"type": "redirect_to_url", "redirect_to_url": redirect}
            if "return_url" in form else {"type": "use_stripe_sdk", "use_stripe_sdk": {}})}

    def confirm(self, account, form, name):
        intent = account.objects.get(name)
        if intent is None:
            return missing("payment_intent", name)
        if intent["status"] != "requires_payment_method":
            return 400, stripe_error(code="payment_intent_unexpected_state", payment_intent=intent)
        self._require_action(intent, form)
        return 200, intent

    def _refuse(self, intent, **fields):
        error = stripe_error("card_error", message="Your card was declined.", **fields)
        intent |= {"status": "requires_payment_method", "last_payment_error": dict(error["error"])}
        error["error"]["payment_intent"] = intent
        return 402, error

    def list_intents(self, account, query):
        after = int(query.get("created[gte]", 0))
        before = int(query.get("created[lte]", 1 << 40))
        return self._list(account, "payment_intent", query, lambda intent: after <= intent["created"] <= before)

    def capture(self, account, form, name):
        intent = account.objects.get(name)
        if intent is None:
            return missing("payment_intent", name)
        if intent["status"] != "requires_capture":
            return 400, stripe_error(code="payment_intent_unexpected_state", payment_intent=intent)
        captured = int(form.get("amount_to_capture", intent["amount"]))
        intent |= {"status": "succeeded", "amount_received": captured, "amount_capturable": 0}
        return 200, intent

    def cancel(self, account, _form, name):
        intent = account.objects.get(name)
        if intent is None:
            return missing("payment_intent", name)
        if intent["status"] in ("succeeded", "canceled"):
            return 400, stripe_error(code="payment_intent_unexpected_state", payment_intent=intent)
        intent |= {"status": "canceled", "amount_capturable": 0, "canceled_at": int(time.time())}
        return 200, intent

    # Refunds

    def create_refund(self, account, form):
        intent = account.objects.get(form["payment_intent"])
        if intent is None:
            return 400, stripe_error(code="resource_missing", param="payment_intent")
        done = sum(refund["amount"] for refund in account.of_kind("refund")
                   if refund["payment_intent"] == intent["id"] and refund["status"] != "failed")
        amount = int(form.get("amount", intent["amount_received"] - done))
        if amount <= 0 or amount > intent["amount_received"] - done:
            return 400, stripe_error(param="amount", message="Refund amount is greater than unrefunded amount")
        status = "pending" if intent["payment_method"] == PENDING_REFUND else "succeeded"
        return 200, account.add("re_", "refund", amount=amount, currency=intent["currency"], status=status,
                                payment_intent=intent["id"], charge=intent["latest_charge"],
                                reason=form.get("reason"), metadata=metadata_of(form), failure_reason=None)

    def list_refunds(self, account, query):
        wanted = query.get("payment_intent")
        return self._list(account, "refund", query, lambda refund: wanted in (None, refund["payment_intent"]))

    # Customers and cards

    def create_customer(self, account, form):
        return 200, account.add("cus_", "customer", email=form.get("email"), name=form.get("name"),
                                metadata=metadata_of(form))

    def list_customers(self, account, query):
        after, email = int(query.get("created[gte]", 0)), query.get("email")
        return self._list(account, "customer", query, lambda customer: after <= customer["created"]
                          and email in (None, customer["email"]))

    def attach(self, account, form, name):
        if form["customer"] not in account.objects:
            return 400, stripe_error(code="resource_missing", param="customer")
        if name == DECLINE:
            return 402, stripe_error("card_error", code="card_declined", decline_code="generic_decline")
        card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}
        method = account.objects.get(name)
        if method is None:
            # Stripe's test names stand for a new method each time: the answer's id is another.
            method = account.add("pm_", "payment_method", type="card", card=card, source=name, metadata={})
        method["customer"] = form["customer"]
        return 200, method

    def detach(self, account, _form, name):
        method = account.objects.get(name)
        if method is None:
            return missing("payment_method", name)
        if method["customer"] is None:
            return 400, stripe_error(message="The payment method is not attached to a customer")
        method["customer"] = None
        return 200, method

    # Set-ups

    def create_setup(self, account, form):
        if form["customer"] not in account.objects:
            return 400, stripe_error(code="resource_missing", param="customer")
        _, method = self.attach(account, {"customer": form["customer"]}, form["payment_method"])
        if method.get("error"):
            return 402, method
        setup = account.add("seti_", "setup_intent", status="succeeded", customer=form["customer"],
                            payment_method=method, usage=form["usage"], metadata=metadata_of(form),
                            next_action=None, last_setup_error=None)
        setup["client_secret"] = setup["id"] + "_secret_" + stripe_id("")
        if form["payment_method"] == AUTHENTICATE:
            method["customer"] = None
            redirect = {"url": f"https://hooks.stripe.com/3d_secure/{setup['id']}", "return_url": form["return_url"]}
            setup |= {"status": "requires_action",
                      "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect}}
        return 200, setup

    def list_setups(self, account, query):
        return self._list(account, "setup_intent", query,
                          lambda setup: query.get("customer") in (None, setup["customer"]))

    def cancel_setup(self, account, _form, name):
        setup = account.objects.get(name)
        if setup is None:
            return missing("setupintent", name)
        if setup["status"] in ("succeeded", "canceled"):
            return 400, stripe_error(code="setup_intent_unexpected_state", setup_intent=setup)
        setup |= {"status": "canceled", "next_action": None}
        return 200, setup
