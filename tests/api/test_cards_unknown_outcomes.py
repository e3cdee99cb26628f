"""A card is saved exactly once, for one customer, whatever is lost on the way to Stripe and back."""
import json

import pytest

from cards_fixture import ATTACH, CUSTOMER, keep_fault, new_method, save, saved
from support.http_listener import Answer
from support.background import InBackground
from support.shape import refused
from support.stripe_model import stripe_error
from support.stub import executed
from support.waiting import wait_until
from unknown_outcomes import HTML


def finally_saved(shop, *args, **fields):
    """The card, however often the patience of asking for it ends."""
    while (answer := save(shop, *args, **fields)).status == 503:
        pass
    assert answer.status == 201, repr(answer)
    return answer.data


@pytest.mark.parametrize("step", [CUSTOMER, ATTACH], ids=["customer", "attach"])
@pytest.mark.parametrize("answer", [Answer(200, cut_after=0), executed(cut_after=0), executed(hang=True),
                                    Answer(500, stripe_error("api_error")), Answer(502, "<html>", HTML)],
                         ids=["closed", "done, closed", "done, no answer", "500", "502"])
def test_a_step_of_unknown_outcome_is_sent_again_unchanged_until_it_is_known(impatient_shop, stub_stripe, step, answer):
    stub_stripe.answer_always(*step, answer)
    first = refused(save(impatient_shop, "pm_lost", key="save-1"), 503, "PROVIDER_UNAVAILABLE")
    assert int(first.headers["Retry-After"]) > 0
    stub_stripe.wait_for(*step, count=2)
    refused(save(impatient_shop, "pm_lost", key="save-1"), 503, "PROVIDER_UNAVAILABLE")
    stub_stripe.behave()
    card = finally_saved(impatient_shop, "pm_lost", key="save-1")
    calls = stub_stripe.calls(*step)
    assert len({(call.body, call.header("Idempotency-Key")) for call in calls}) == 1
    assert len(stub_stripe.objects("customer")) == 1 and card["is_default"]


def stored_fault(shop, stub_stripe, done):
    """A 500 that Stripe keeps under the request's key, whether what was asked for was done or not."""
    def answer(executed_answer):
        account = stub_stripe.model.accounts[shop.stripe_key]
        made = account.objects[json.loads(executed_answer.body)["id"]]
        if not done and made["object"] == "customer":
            del account.objects[made["id"]]
        elif not done:
            made["customer"] = None
        return keep_fault(shop, stub_stripe)
    return answer


@pytest.mark.parametrize("email", ["user@example.com", None], ids=["with an e-mail", "without one"])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_fault_that_stripe_stored_for_a_customer_does_not_keep_cards_from_being_saved(shop, stub_stripe, done, email):
    stub_stripe.answer_next(*CUSTOMER, stored_fault(shop, stub_stripe, done))
    card = saved(shop, new_method(shop, stub_stripe), email, key="save-1")
    customer, = stub_stripe.objects("customer")
    method, = stub_stripe.objects("payment_method")
    assert (card["is_default"], method["customer"]) == (True, customer["id"])
    assert len({call.header("Idempotency-Key") for call in stub_stripe.calls(*CUSTOMER)}) == (1 if done else 2)
    assert saved(shop, new_method(shop, stub_stripe), "user@example.com") and shop.pay(saved_card_id=card["id"])
    assert len(stub_stripe.objects("customer")) == (1 if email else 2)


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_fault_that_stripe_stored_for_an_attach_does_not_keep_the_card_from_being_saved(shop, stub_stripe, done):
    stub_stripe.answer_next(*ATTACH, stored_fault(shop, stub_stripe, done))
    card = saved(shop, new_method(shop, stub_stripe), key="save-1")
    assert card["brand"] == "visa" and shop.pay(saved_card_id=card["id"])["status"] == "completed"
    assert len({call.header("Idempotency-Key") for call in stub_stripe.calls(*ATTACH)}) == (1 if done else 2)
    customer, = stub_stripe.objects("customer")
    method, = stub_stripe.objects("payment_method")
    assert method["customer"] == customer["id"]


def test_if_every_customer_meets_a_stored_fault_few_are_made(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CUSTOMER, Answer(500, stripe_error("api_error"), {"Idempotent-Replayed": "true"}))
    refused(save(impatient_shop, "pm_lost", key="save-1"), 503, "PROVIDER_UNAVAILABLE")
    stub_stripe.wait_for(*CUSTOMER, 2)
    wait_until(lambda: impatient_shop.server.metric("operations_in_flight") == 0)
    assert len(stub_stripe.calls(*CUSTOMER)) == 2
    stub_stripe.behave()
    impatient_shop.server.restart_making_due()
    assert finally_saved(impatient_shop, "pm_lost", key="save-1")["is_default"]


def test_the_same_key_waits_for_a_save_that_is_under_way(shop, stub_stripe):
    stub_stripe.answer_always(*ATTACH, executed(delay_s=0.3))
    first = InBackground(save, shop, "pm_slow", key="save-1")
    stub_stripe.wait_for(*ATTACH)
    again = save(shop, "pm_slow", key="save-1")
    assert (again.status, again.body) == (201, first.result().body)
    assert len(stub_stripe.calls(*ATTACH)) == 1


@pytest.mark.parametrize("step", [CUSTOMER, ATTACH], ids=["customer", "attach"])
@pytest.mark.parametrize("answer", [Answer(hang=True), executed(hang=True)], ids=["not done", "done"])
def test_a_save_under_way_is_ended_by_the_next_process(start_shop, stub_stripe, step, answer):
    shop = start_shop(stripe_timeout="30s")
    stub_stripe.answer_next(*step, answer)
    method = new_method(shop, stub_stripe)
    saving = InBackground(save, shop, method, key="save-1")
    stub_stripe.wait_for(*step)
    shop.server.kill()
    with pytest.raises(OSError):
        saving.result()
    shop.server.start()
    card = finally_saved(shop, method, key="save-1")
    assert card["is_default"] and len(stub_stripe.objects("customer")) == 1
    assert len({request.header("Idempotency-Key") for request in stub_stripe.wait_for(*step, count=2)}) == 1
    assert saved(shop, method) == card
