"""Events of the sandbox and their way to webhook endpoints."""
import json

import pytest
import stripe

from sandbox_fixture import Account, set_faults
from support.http_listener import Answer
from support.waiting import wait_until


def construct(delivery, secret):
    return stripe.Webhook.construct_event(delivery.body, delivery.header("Stripe-Signature"), secret)


def test_the_sdk_verifies_a_received_event(account, receiver):
    endpoint = account.receive_at(receiver, "payment_intent.succeeded")
    assert endpoint.secret.startswith("whsec_")
    intent = account.create(idempotency_key="order-1")
    event = construct(receiver.wait_for("payment_intent.succeeded"), endpoint.secret)
    assert (event.object, event.type, event.livemode) == ("event", "payment_intent.succeeded", False)
    assert event.data.object.id == intent.id and event.data.object.status == "succeeded"
    assert event["request"]["id"].startswith("req_") and event["request"]["idempotency_key"] == "order-1"
    assert event.pending_webhooks == 1


def test_another_secret_does_not_verify(account, receiver):
    account.receive_at(receiver, "*")
    account.create()
    with pytest.raises(stripe.error.SignatureVerificationError):
        construct(receiver.wait_for(1)[0], "whsec_another")


def test_a_given_secret_is_kept(account, receiver):
    secret = "whsec_chosen_by_the_caller"
    endpoint = stripe.WebhookEndpoint.create(url=receiver.url, enabled_events=["*"], secret=secret, **account.options)
    assert endpoint.secret == secret
    account.create()
    assert construct(receiver.wait_for("payment_intent.created"), secret).type == "payment_intent.created"


def test_the_secret_is_shown_only_once(account, receiver):
    endpoint = account.receive_at(receiver, "*")
    assert "secret" not in stripe.WebhookEndpoint.retrieve(endpoint.id, **account.options)
    assert "secret" not in stripe.WebhookEndpoint.list(**account.options).data[0]


def test_only_the_wanted_types_of_the_own_account_are_sent(account, sandbox, receiver):
    account.receive_at(receiver, "charge.failed")
    Account(sandbox).declined(payment_method="pm_card_declined")
    account.create()
    account.declined(payment_method="pm_card_declined")
    receiver.wait_for("charge.failed")
    assert [body["type"] for body in receiver.events()] == ["charge.failed"]


def test_a_deleted_endpoint_gets_nothing_more(account, receiver):
    gone = account.receive_at(receiver, "*")
    kept = account.receive_at(receiver, "payment_intent.succeeded")
    assert stripe.WebhookEndpoint.delete(gone.id, **account.options).deleted
    account.create()
    construct(receiver.wait_for("payment_intent.succeeded"), kept.secret)
    assert len(receiver.deliveries) == 1


def test_an_endpoint_can_be_changed(account, receiver):
    endpoint = stripe.WebhookEndpoint.create(url="http://127.0.0.1:1/", enabled_events=["charge.failed"],
                                             description="old", metadata={"a": "1"}, **account.options)
    changed = stripe.WebhookEndpoint.modify(endpoint.id, url=receiver.url, description="", metadata={"b": "2"},
                                            enabled_events=["payment_intent.succeeded"], **account.options)
    assert (changed.url, changed.description, changed.status) == (receiver.url, None, "enabled")
    assert (changed.enabled_events, changed.metadata) == (["payment_intent.succeeded"], {"a": "1", "b": "2"})
    assert "secret" not in changed and stripe.WebhookEndpoint.retrieve(endpoint.id, **account.options) == changed
    account.create()
    construct(receiver.wait_for("payment_intent.succeeded"), endpoint.secret)


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled_again(account, receiver):
    endpoint = account.receive_at(receiver, "payment_intent.succeeded")
    assert stripe.WebhookEndpoint.modify(endpoint.id, disabled=True, **account.options).status == "disabled"
    account.create(metadata={"n": "1"})
    assert account.last_event("payment_intent.succeeded").pending_webhooks == 0
    assert stripe.WebhookEndpoint.modify(endpoint.id, disabled=False, **account.options).status == "enabled"
    account.create(metadata={"n": "2"})
    receiver.wait_for("payment_intent.succeeded")
    assert [body["data"]["object"]["metadata"] for body in receiver.events()] == [{"n": "2"}]


def test_an_endpoint_is_not_changed_to_what_cannot_be(account, receiver):
    endpoint = account.receive_at(receiver, "*")
    for params in ({"url": "ftp://shop.example/"}, {"disabled": "perhaps"}, {"enabled_events": [""]},
                   {"api_version": "2026-10-28.endive"}):
        with pytest.raises(stripe.error.InvalidRequestError) as caught:
            stripe.WebhookEndpoint.modify(endpoint.id, **params, **account.options)
        assert caught.value.http_status == 400 and caught.value.param.startswith(next(iter(params)))
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.WebhookEndpoint.modify("we_unknown", description="x", **account.options)
    assert caught.value.http_status == 404
    assert stripe.WebhookEndpoint.retrieve(endpoint.id, **account.options).url == receiver.url


def test_a_refused_event_comes_again_signed_anew(account, receiver):
    endpoint = account.receive_at(receiver, "payment_intent.succeeded")
    receiver.answer_next(Answer(500), Answer(302))
    account.create()
    deliveries = receiver.wait_for(3)
    assert len({delivery.json["id"] for delivery in deliveries}) == 1
    assert construct(deliveries[2], endpoint.secret)
    event_id = deliveries[0].json["id"]
    wait_until(lambda: stripe.Event.retrieve(event_id, **account.options).pending_webhooks == 0)


def test_an_undelivered_event_counts_as_such(account, receiver):
    account.receive_at(receiver, "payment_intent.succeeded")
    receiver.otherwise = Answer(500)
    account.create()
    receiver.wait_for(1)
    failed = stripe.Event.list(delivery_success=False, **account.options).data
    assert [event.type for event in failed] == ["payment_intent.succeeded"]
    assert "payment_intent.succeeded" not in [
        event.type for event in stripe.Event.list(delivery_success=True, **account.options).data]


@pytest.mark.parametrize("url", ["ftp://x.test/", "nowhere"])
def test_an_endpoint_needs_an_http_address(account, url):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.WebhookEndpoint.create(url=url, enabled_events=["*"], **account.options)
    assert caught.value.param == "url"


def test_an_endpoint_needs_events(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.WebhookEndpoint.create(url="https://x.test/", **account.options)
    assert (caught.value.param, caught.value.code) == ("enabled_events", "parameter_missing")


def test_each_outcome_has_its_events(account):
    account.create()
    assert account.event_types() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_a_decline_has_its_events(account):
    account.declined(payment_method="pm_card_declined")
    assert account.event_types() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_a_capture_has_its_events(account):
    intent = account.create(capture_method="manual")
    stripe.PaymentIntent.capture(intent.id, **account.options)
    assert account.event_types() == ["payment_intent.created", "charge.succeeded",
                                     "payment_intent.amount_capturable_updated", "charge.captured",
                                     "payment_intent.succeeded"]


def test_a_cancellation_has_its_event(account):
    intent = account.create(confirm=None, return_url=None)
    stripe.PaymentIntent.cancel(intent.id, **account.options)
    assert account.event_types() == ["payment_intent.created", "payment_intent.canceled"]


def test_events_are_listed_by_type(account):
    account.create()
    account.declined(payment_method="pm_card_declined")

    def types(**params):
        return [event.type for event in stripe.Event.list(**params, **account.options).data]

    assert types(type="charge.failed") == ["charge.failed"]
    assert types(type="charge.*") == ["charge.failed", "charge.succeeded"]
    assert types(types=["charge.succeeded", "payment_intent.payment_failed"]) == ["payment_intent.payment_failed",
                                                                                 "charge.succeeded"]
    assert len(types(limit=2)) == 2


def test_events_of_a_time_are_listed_page_by_page(account):
    for _ in range(5):
        account.create(confirm=None, return_url=None)
    wanted = {"types": ["payment_intent.created", "charge.refunded"], "limit": 2} | account.options
    made = [event.created for event in stripe.Event.list(**wanted | {"limit": 100}).data]
    assert len(made) == 5
    bounds = {"gte": made[-1], "lt": made[0] + 1}
    first = stripe.Event.list(created=bounds, **wanted)
    second = stripe.Event.list(created=bounds, starting_after=first.data[-1].id, **wanted)
    third = stripe.Event.list(created=bounds, starting_after=second.data[-1].id, **wanted)
    assert [(len(page.data), page.has_more) for page in (first, second, third)] == [(2, True), (2, True), (1, False)]
    assert stripe.Event.list(ending_before=second.data[0].id, **wanted).data == first.data
    assert stripe.Event.list(created={"gte": made[0] + 1}, **wanted).data == []
    assert stripe.Event.list(created={"lt": made[-1]}, **wanted).data == []


def test_a_page_after_an_event_that_does_not_exist_is_refused(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Event.list(starting_after="evt_gone", **account.options)
    assert (caught.value.param, caught.value.code) == ("starting_after", "resource_missing")


def test_an_event_is_a_snapshot(account):
    intent = account.create(confirm=None, return_url=None)
    stripe.PaymentIntent.modify(intent.id, description="later", **account.options)
    created = stripe.Event.list(type="payment_intent.created", **account.options).data[0]
    assert created.data.object.description is None
    assert stripe.Event.retrieve(created.id, **account.options).id == created.id


def test_a_duplicated_event_comes_twice_under_one_id(own_sandbox, receiver):
    account = Account(own_sandbox)
    account.receive_at(receiver, "payment_intent.succeeded")
    assert set_faults(own_sandbox, duplicate_events_rate=1)["duplicate_events_rate"] == 1
    account.create()
    first, second = receiver.wait_for(2)
    assert first.body == second.body


def test_events_can_be_held_back(own_sandbox, receiver):
    account = Account(own_sandbox)
    account.receive_at(receiver, "payment_intent.succeeded")
    set_faults(own_sandbox, hold_events_ms=1200)
    created_at = account.create().created
    delivery = receiver.wait_for("payment_intent.succeeded")
    assert delivery.received_at - created_at >= 1.2


def test_events_can_come_out_of_order(own_sandbox, receiver):
    account = Account(own_sandbox)
    account.receive_at(receiver, "payment_intent.created")
    set_faults(own_sandbox, reorder_events_rate=1, seed=1)
    made = [account.create(confirm=None, return_url=None).id for _ in range(10)]
    came = [json.loads(delivery.body)["data"]["object"]["id"] for delivery in receiver.wait_for(10)]
    assert sorted(came) == sorted(made) and came != made
