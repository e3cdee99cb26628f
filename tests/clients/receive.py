"""A receiver of webhooks on the client that openapi-python-client makes. Reads a JSON list of received bodies, and prints a
line for each."""
import json
import sys
from typing import Any

from payments_client.models import PaymentCompletedEvent, PaymentFailedEvent, PaymentRefundedEvent


def told(body: dict[str, Any]) -> str:
    match body["type"]:
        case "payment.completed":
            paid = PaymentCompletedEvent.from_dict(body).data
            return f"{paid.id} paid {paid.amount} {paid.currency}"
        case "payment.failed":
            failed = PaymentFailedEvent.from_dict(body).data
            return f"{failed.id} failed {failed.failure.code if failed.failure else None}"
        case "payment.refunded":
            refunded = PaymentRefundedEvent.from_dict(body).data
            return f"{refunded.id} refunded {refunded.refund.amount} of {refunded.amount}"
        case other:
            return f"{body['data']['id']} {other}"


for received in json.load(sys.stdin):
    print(told(received))
