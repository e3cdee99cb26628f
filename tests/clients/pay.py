"""A shop's program on the client that openapi-python-client makes: credentials, webhook, payments, a saved card, a refund
and lists. Prints the results as one JSON object."""
import datetime
import json
import os
from typing import TypeVar

from payments_client import AuthenticatedClient
from payments_client.api.cards import delete_card, list_cards, save_card
from payments_client.api.merchant import set_provider, set_webhook
from payments_client.api.payments import create_payment, list_payments
from payments_client.api.refunds import create_refund
from payments_client.models import (
    CardRequest,
    ErrorAnswer,
    Payment,
    PaymentListAnswer,
    PaymentRequest,
    PaymentStatus,
    ProviderName,
    ProviderRequest,
    ProviderRequestStripe,
    RedirectAction,
    RefundRequest,
    WebhookRequest,
)
from payments_client.types import UNSET, Unset

Answer = TypeVar("Answer")
STRIPE = ProviderName.STRIPE
client = AuthenticatedClient(base_url=os.environ["PAYMENTS_URL"], token=os.environ["PAYMENTS_KEY"])


def done(answer: Answer | ErrorAnswer | None) -> Answer:
    assert answer is not None and not isinstance(answer, ErrorAnswer), answer
    return answer


def pay(key: str, request: PaymentRequest) -> Payment:
    return done(create_payment.sync(client=client, idempotency_key=key, body=request)).data


def page(cursor: str | Unset = UNSET) -> PaymentListAnswer:
    return done(list_payments.sync(client=client, provider=STRIPE, status=PaymentStatus.COMPLETED,
                                   since="2025-06-01T00:00:00Z", page_size=1, cursor=cursor))


done(set_provider.sync(client=client, body=ProviderRequest(
    provider=STRIPE, stripe=ProviderRequestStripe(secret_key=os.environ["STRIPE_KEY"]))))
webhook = done(set_webhook.sync(client=client, body=WebhookRequest(webhook_url=os.environ["WEBHOOK_URL"])))

payment = pay("test-stripe-001", PaymentRequest(
    amount=10.00, currency="USD", provider=STRIPE, payment_method="pm_card_visa"))
declined = pay("order-123", PaymentRequest(
    amount="50.00", currency="USD", provider=STRIPE, payment_method="pm_card_declined",
    return_url="https://merchant.com/return"))
authenticated = pay("order-124", PaymentRequest(
    amount="50.00", currency="USD", provider=STRIPE, payment_method="pm_card_threeDSecure2Required",
    return_url="https://merchant.com/return", off_session=False))
refused = create_payment.sync_detailed(client=client, idempotency_key="test-stripe-001", body=PaymentRequest(
    amount=11, currency="USD", provider=STRIPE, payment_method="pm_card_visa"))

card = done(save_card.sync(client=client, body=CardRequest(
    payment_method_id="pm_card_visa", customer_email="user@example.com", customer_name="Jane Doe"))).data
subscription = pay("subscription-may-2025", PaymentRequest(
    amount="29.99", currency="USD", provider=STRIPE, saved_card_id=card.id))
cards = done(list_cards.sync(client=client, page_size=1))
done(delete_card.sync(card.id, client=client))

refund = done(create_refund.sync(client=client, body=RefundRequest(payment_id=payment.id, amount=2.50))).data

first = page()
assert first.meta.next_cursor is not None
second = page(first.meta.next_cursor)

assert isinstance(payment.created_at, datetime.datetime)
assert isinstance(refused.parsed, ErrorAnswer)
action = authenticated.next_action
print(json.dumps({
    "payment": [str(payment.id), payment.amount, payment.currency, payment.provider.value, payment.status.value],
    "declined": [declined.status.value, declined.failure.code if declined.failure else None],
    "redirected": action.redirect_url if isinstance(action, RedirectAction) else None,
    "refused": [refused.status_code.value, [error.code for error in refused.parsed.errors]],
    "card": [card.last4, card.brand, len(cards.data)],
    "subscription": [str(subscription.id), subscription.amount, subscription.saved_card_id == card.id],
    "refund": [str(refund.payment_id), refund.amount, refund.status.value],
    "listed": [str(listed.id) for listed in first.data + second.data],
    "webhook_secret": webhook.data.webhook_secret,
}))
