"""Balance transactions of the sandbox and the refunds of a charge, through Stripe's own SDK."""
import pytest
import requests
import stripe

from support.waiting import wait_until

FIELDS = {"id", "object", "amount", "available_on", "balance_type", "created", "currency", "description", "exchange_rate",
          "fee", "fee_details", "net", "reporting_category", "source", "status", "type"}


def transactions(account, **params):
    return stripe.BalanceTransaction.list(limit=100, **params, **account.options).data


def kinds(account):
    """The balance's transactions, oldest first."""
    return [(one.type, one.reporting_category, one.amount, one.fee, one.net) for one in transactions(account)[::-1]]


def wait_for_refund(account, refund, status):
    wait_until(lambda: stripe.Refund.retrieve(refund.id, **account.options).status == status,
               what=f"{refund.id} to be {status}")


def wait_for_dispute(account, intent):
    wait_until(lambda: stripe.Dispute.list(payment_intent=intent.id, **account.options).data, what="a dispute")
    return stripe.Dispute.list(payment_intent=intent.id, **account.options).data[0]


def test_a_charge_is_expanded_with_its_balance_transaction(account):
    intent = account.create(amount=2000, description="two books", expand=["latest_charge.balance_transaction"])
    moved = intent.latest_charge.balance_transaction
    assert set(moved) == FIELDS and moved.id.startswith("txn_")
    assert (moved.object, moved.type, moved.source) == ("balance_transaction", "charge", intent.latest_charge.id)
    assert (moved.amount, moved.fee, moved.net, moved.currency) == (2000, 88, 1912, "usd")
    assert [(fee.amount, fee.type, fee.currency) for fee in moved.fee_details] == [(88, "stripe_fee", "usd")]
    assert (moved.description, moved.status, moved.exchange_rate) == ("two books", "pending", None)
    assert moved.available_on == moved.created + 2 * 24 * 3600
    assert stripe.BalanceTransaction.retrieve(moved.id, **account.options) == moved
    assert account.charge_of(intent).balance_transaction == moved.id
    source = stripe.BalanceTransaction.retrieve(moved.id, expand=["source"], **account.options).source
    assert (source.object, source.id) == ("charge", intent.latest_charge.id)


def test_money_that_is_not_taken_moves_no_balance(account):
    account.declined(payment_method="pm_card_visa_chargeDeclined")
    intent = account.create(capture_method="manual")
    assert account.charge_of(intent).balance_transaction is None and transactions(account) == []
    stripe.PaymentIntent.capture(intent.id, amount_to_capture=400, **account.options)
    assert kinds(account) == [("charge", "charge", 400, 42, 358)]
    assert account.charge_of(intent).balance_transaction == transactions(account)[0].id


def test_a_card_may_bypass_the_pending_balance(account):
    intent = account.create(payment_method="pm_card_bypassPending", expand=["latest_charge.balance_transaction"])
    moved = intent.latest_charge.balance_transaction
    assert (moved.status, moved.available_on) == ("available", moved.created)


def test_a_refund_is_expanded_with_its_balance_transaction(account):
    refund = account.refund(account.create(), amount=300, expand=["balance_transaction.source", "charge"])
    moved = refund.balance_transaction
    assert (moved.type, moved.amount, moved.fee, moved.net) == ("refund", -300, 0, -300)
    assert (moved.source.id, moved.fee_details) == (refund.id, [])


@pytest.mark.parametrize("method, status", [("pm_card_refundFail", "failed"),
                                            ("pm_sandbox_refundRequiresAction", "canceled")])
def test_a_refund_that_comes_back_moves_the_balance_back(account, method, status):
    refund = account.refund(account.create(payment_method=method))
    if status == "canceled":
        stripe.Refund.cancel(refund.id, **account.options)
    wait_for_refund(account, refund, status)
    refund = stripe.Refund.retrieve(refund.id, expand=["failure_balance_transaction"], **account.options)
    back = refund.failure_balance_transaction
    assert (back.type, back.amount, back.net, back.source) == ("refund_failure", 1000, 1000, refund.id)
    assert [one[0] for one in kinds(account)] == ["charge", "refund", "refund_failure"]


def test_a_dispute_takes_the_money_and_a_fee_until_it_is_won(account, sandbox):
    dispute = wait_for_dispute(account, account.create(payment_method="pm_card_createDispute"))
    taken, = dispute.balance_transactions
    assert set(taken) == FIELDS and taken.source == dispute.id
    assert kinds(account)[1:] == [("adjustment", "dispute", -1000, 1500, -2500)]
    answer = requests.post(f"{sandbox.url}/_sandbox/disputes/{dispute.id}", json={"status": "won"}, timeout=10)
    assert answer.status_code == 200
    won = stripe.Dispute.retrieve(dispute.id, **account.options)
    assert [one.reporting_category for one in won.balance_transactions] == ["dispute", "dispute_reversal"]
    assert kinds(account)[2:] == [("adjustment", "dispute_reversal", 1000, 0, 1000)]


def test_an_inquiry_takes_nothing(account):
    dispute = wait_for_dispute(account, account.create(payment_method="pm_card_createDisputeInquiry"))
    assert dispute.balance_transactions == [] and len(kinds(account)) == 1


def test_balance_transactions_are_listed_by_what_they_are_of(account):
    first, second = account.create(), account.create(currency="eur")
    refund = account.refund(first)
    everything = transactions(account)
    assert [one.type for one in everything] == ["refund", "charge", "charge"]
    assert [one.source for one in transactions(account, type="refund")] == [refund.id]
    assert [one.source for one in transactions(account, currency="eur")] == [second.latest_charge]
    assert [one.type for one in transactions(account, source=first.latest_charge)] == ["charge"]
    page = stripe.BalanceTransaction.list(limit=1, **account.options)
    assert page.has_more and [one.id for one in page.auto_paging_iter()] == [one.id for one in everything]


def test_an_unknown_balance_transaction_is_missing(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.BalanceTransaction.retrieve("txn_unknown", **account.options)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_a_charge_is_expanded_with_its_refunds(account):
    intent, other = account.create(), account.create()
    assert "refunds" not in account.charge_of(intent)
    made = [account.refund(intent, amount=50).id for _ in range(12)]
    account.refund(other)
    charge = account.retrieve(intent.id, expand=["latest_charge.refunds"]).latest_charge
    assert (charge.refunds.object, charge.refunds.has_more) == ("list", True)
    assert charge.refunds.url == f"/v1/charges/{charge.id}/refunds"
    assert [one.id for one in charge.refunds.data] == made[:1:-1]
    assert [one.id for one in charge.refunds.auto_paging_iter()] == made[::-1]
    listed = account.get(f"{charge.refunds.url}?limit=100").json()
    assert [one["id"] for one in listed["data"]] == made[::-1] and not listed["has_more"]


def test_the_refunds_of_charges_in_a_list_are_expanded_too(account):
    intent = account.create()
    refund = account.refund(intent)
    page = stripe.Charge.list(expand=["data.refunds.data.balance_transaction", "data.refunds"], **account.options)
    found, = page.data[0].refunds.data
    assert (found.id, found.balance_transaction.amount) == (refund.id, -1000)
    empty = stripe.Charge.retrieve(account.create().latest_charge, expand=["refunds"], **account.options)
    assert (empty.refunds.data, empty.refunds.has_more) == ([], False)


def test_the_refunds_of_an_unknown_charge_are_missing(account):
    answer = account.get("/v1/charges/ch_unknown/refunds")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")
