"""Stripe's events, as Stripe sends and signs them."""
import hashlib
import hmac
import ipaddress
import json
import time
import uuid

API_VERSION = "2026-10-28.endive"


def stripe_id(prefix):
    return prefix + uuid.uuid4().hex[:24]


def event(event_type, obj, *, livemode=None, event_id=None, created=None, **more):
    """An event about `obj`; its mode is the object's unless given."""
    return {
        "id": event_id or stripe_id("evt_"), "object": "event", "api_version": API_VERSION,
        "created": int(created or time.time()), "data": {"object": obj},
        "livemode": obj.get("livemode", False) if livemode is None else livemode,
        "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, "type": event_type,
    } | more


def thin_event(event_type, related_id=None, related_type=None):
    """One that only names its object, as an event destination of that kind sends it."""
    related = {"id": related_id, "type": related_type, "url": f"/v1/{related_type}s/{related_id}"}
    return {
        "id": stripe_id("evt_test_"), "object": "v2.core.event", "type": event_type, "livemode": False,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "context": None, "reason": None,
    } | ({"related_object": related} if related_id else {})


def sign_stripe_event(body, secret, at=None):
    """The Stripe-Signature of these bytes, signed at the unix time `at` (now)."""
    at = int(time.time() if at is None else at)
    return f"t={at},v1={signature_v1(body, secret, at)}"


def signature_v1(body, secret, at):
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def send_event(server, sent, secret, *, path="/v1/webhooks/stripe", at=None, expect=200, address=None):
    """Delivers an event (a dict, or the bytes themselves) as Stripe would, from an address of its own where none is
    given; answers the client's Answer."""
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    headers = {"Content-Type": "application/json; charset=utf-8",
               "Stripe-Signature": sign_stripe_event(body, secret, at),
               "X-Forwarded-For": address or str(ipaddress.IPv6Address(uuid.uuid4().int))}
    return server.api().post(path, body, headers=headers, expect=expect)


def charge_of(payment, refunded_minor, **fields):
    """The Charge of one of our completed payments, refunded by so much, as charge.refunded would show it. Only for
    currencies of two decimals."""
    amount = int(payment["amount"].replace(".", ""))
    return {
        "id": stripe_id("ch_"), "object": "charge", "amount": amount, "amount_captured": amount,
        "amount_refunded": refunded_minor, "refunded": refunded_minor == amount, "captured": True,
        "currency": payment["currency"].lower(), "payment_intent": payment["provider_ref"], "status": "succeeded",
        "livemode": payment["livemode"],
        "metadata": {"payment_id": payment["id"], "merchant_id": payment["merchant_id"]},
    } | fields


def intent_of(payment, status="succeeded", **fields):
    """The PaymentIntent of one of our payments, as an event would show it. Only for currencies of two
    decimals."""
    amount = int(payment["amount"].replace(".", ""))
    return {
        "id": payment["provider_ref"] or stripe_id("pi_"), "object": "payment_intent", "amount": amount,
        "amount_received": amount if status == "succeeded" else 0,
        "amount_capturable": amount if status == "requires_capture" else 0,
        "currency": payment["currency"].lower(), "status": status, "last_payment_error": None,
        "livemode": payment["livemode"], "latest_charge": stripe_id("ch_"),
        "metadata": {"payment_id": payment["id"], "merchant_id": payment["merchant_id"]},
    } | fields


def dispute_of(payment, status, **fields):
    """A Dispute, as Stripe would send it, of the payment's PaymentIntent."""
    return {"id": stripe_id("dp_"), "object": "dispute", "amount": 1000, "currency": "usd", "charge": stripe_id("ch_"),
            "payment_intent": payment["provider_ref"], "reason": "fraudulent", "status": status, "livemode": payment["livemode"],
            "evidence_details": {"due_by": 1893456000}, "metadata": {}} | fields
