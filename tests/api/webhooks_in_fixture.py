"""For the tests of Stripe's events about payments: events sent to a shop, and payments as the stub holds them."""
from support.events import charge_of, event, send_event

DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
            "message": "Your card has insufficient funds."}


def tell(shop, event_type, obj, expect=200, **more):
    return send_event(shop.server, event(event_type, obj, **more), shop.stripe_webhook_secret, expect=expect)


def change_intent(stub, payment, **fields):
    """The payment's intent as Stripe holds it, changed."""
    intent, = (found for found in stub.objects("payment_intent") if found["id"] == payment["provider_ref"])
    intent |= fields
    return intent


def refund_at_stripe(stub, shop, payment, amount_minor):
    """A refund made at Stripe; answers the Charge as it is then."""
    intent = change_intent(stub, payment, status="succeeded", amount_received=1000)
    account = stub.model.accounts[shop.stripe_key]
    account.add("re_", "refund", amount=amount_minor, currency="usd", status="succeeded", payment_intent=intent["id"],
                charge=intent["latest_charge"], reason=None, metadata={}, failure_reason=None)
    refunded = sum(refund["amount"] for refund in account.of_kind("refund")
                   if refund["payment_intent"] == intent["id"])
    return charge_of(payment, refunded, id=intent["latest_charge"])
