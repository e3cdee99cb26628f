"""Each object of the sandbox has the fields that Stripe's API reference gives it, including those that are null."""
import pytest
import stripe

from support.waiting import wait_until

FIELDS = {
    "payment_intent": """
        id object allowed_payment_method_types amount amount_capturable amount_received application
        application_fee_amount automatic_payment_methods canceled_at cancellation_reason capture_method client_secret
        confirmation_method created currency customer customer_account description excluded_payment_method_types
        last_payment_error latest_charge livemode managed_payments metadata next_action on_behalf_of payment_method
        payment_method_configuration_details payment_method_options payment_method_types payment_record processing
        receipt_email review setup_future_usage shipping source statement_descriptor statement_descriptor_suffix status
        transfer_group""",
    "charge": """
        id object amount amount_captured amount_refunded application application_fee application_fee_amount
        balance_transaction billing_details calculated_statement_descriptor captured created currency customer
        description disputed failure_balance_transaction failure_code failure_message fraud_details livemode metadata
        on_behalf_of outcome paid payment_intent payment_method payment_method_details receipt_email receipt_number
        receipt_url refunded review shipping source source_transfer statement_descriptor statement_descriptor_suffix
        status transfer_data transfer_group""",
    "refund": """
        id object amount balance_transaction charge created currency customer customer_account metadata payment_intent
        payment_method reason receipt_number source_transfer_reversal status transfer_reversal""",
    "payment_method": "id object billing_details card created customer customer_account livemode metadata type",
    "customer": """
        id object address balance created default_source description email invoice_settings livemode metadata name phone
        shipping""",
    "balance_transaction": """
        id object amount available_on balance_type created currency description exchange_rate fee fee_details net
        reporting_category source status type""",
    "webhook_endpoint": "id object api_version application created description enabled_events livemode metadata status url",
    "dispute": """
        id object amount balance_transactions charge created currency enhanced_eligibility_types evidence
        evidence_details intended_submission_method is_charge_refundable livemode metadata payment_intent reason
        status""",
}


def some(account, kind):
    """An object of the kind, as a retrieval answers it."""
    make = {
        "payment_intent": lambda: account.create(),
        "charge": lambda: account.charge_of(account.create()),
        "refund": lambda: account.refund(account.create(customer=account.customer().id)),
        "payment_method": lambda: account.attach(),
        "customer": lambda: account.customer(),
        "balance_transaction": lambda: stripe.BalanceTransaction.retrieve(
            account.charge_of(account.create()).balance_transaction, **account.options),
        "webhook_endpoint": lambda: stripe.WebhookEndpoint.create(url="http://127.0.0.1:1/", enabled_events=["*"],
                                                                  **account.options),
        "dispute": lambda: some_dispute(account),
    }
    return make[kind]()


def some_dispute(account):
    account.create(payment_method="pm_card_createDispute")
    wait_until(lambda: stripe.Dispute.list(**account.options).data, what="a dispute")
    return stripe.Dispute.list(**account.options).data[0]


@pytest.mark.parametrize("kind", FIELDS)
def test_an_object_has_every_field(account, kind):
    one = some(account, kind)
    assert one.object == kind and set(FIELDS[kind].split()) - set(one) == set()


def test_a_refund_names_what_its_charge_was_made_with(account):
    method = account.attach()
    refund = account.refund(account.create(customer=method.customer, payment_method=method.id))
    assert (refund.customer, refund.payment_method) == (method.customer, method.id)
