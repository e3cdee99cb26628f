"""A charge that must not be sent again is looked up: by its id, or else in Stripe's list."""
import time

from stub_fixture import CHARGE, LIST, READ, pay, pay_in_vain, wait_for_status
from support.events import event, intent_of, send_event, stripe_id
from support.http_listener import Answer
from support.stripe_model import stripe_error
from support.stub import executed
from support.waiting import scaled
from unknown_outcomes import LOOKED_UP, SENT_AGAIN, by_name

@by_name(LOOKED_UP)
def test_a_charge_that_cannot_be_sent_again_is_found_in_the_list(impatient_shop, stub_stripe, answer):
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, answer)
    started = int(time.time())
    payment = pay(impatient_shop).data
    completed = wait_for_status(impatient_shop, payment, "completed")
    assert len(stub_stripe.calls(*CHARGE)) == 2
    intent, = stub_stripe.objects("payment_intent")
    assert completed["provider_ref"] == intent["id"]
    query = stub_stripe.calls(*LIST)[0].query
    assert int(query["created[gte]"]) <= started and "created[lte]" not in query


@by_name(LOOKED_UP)
def test_a_charge_that_the_list_does_not_show_stays_pending(impatient_shop, stub_stripe, answer):
    stub_stripe.answer_always(*CHARGE, answer)
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.wait_for(*LIST)
    impatient_shop.server.restart_making_due()
    stub_stripe.wait_for(*LIST, count=2)
    assert len(stub_stripe.calls(*CHARGE)) == 1
    assert impatient_shop.payment(payment["id"])["status"] == "pending"


def test_the_list_is_read_to_its_end(impatient_shop, stub_stripe):
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["idempotency_error"])
    stub_stripe.answer_always(*LIST, Answer(503))
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.wait_for(*LIST)
    ours, = stub_stripe.objects("payment_intent")
    account = stub_stripe.model.accounts[impatient_shop.stripe_key]
    for _ in range(250):  # newer ones of others, which come before ours
        other = ours | {"metadata": {"payment_id": stripe_id("")}}
        account.add("pi_", **{name: other[name] for name in other if name not in ("id", "created", "livemode")},
                    kind="payment_intent")
    stub_stripe.behave()
    assert wait_for_status(impatient_shop, payment, "completed")["provider_ref"] == ours["id"]
    pages = [request.query.get("starting_after") for request in stub_stripe.calls(*LIST)][-3:]
    assert pages[0] is None and None not in pages[1:] and len(set(pages)) == 3


LISTS_THAT_DO_NOT_TELL = {
    "an error": Answer(500, stripe_error("api_error")),
    "not found": Answer(404, stripe_error(code="resource_missing")),
    "no data": Answer(200, {"object": "list", "has_more": False}),
    "cut short": Answer(200, '{"object":"list","has_more":false,"data":['),
    "something else in it": Answer(200, {"object": "list", "has_more": False, "data": [{"object": "payment_intent"}]}),
    "no word on whether there is more": Answer(200, {"object": "list", "data": []}),
    "more to come of nothing": Answer(200, {"object": "list", "has_more": True, "data": []}),
}


@by_name(LISTS_THAT_DO_NOT_TELL)
def test_a_list_that_does_not_tell_is_asked_again_soon_and_never_counts_as_absence(impatient_shop, stub_stripe, answer):
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["a stored 500"])
    stub_stripe.answer_always(*LIST, answer)
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.wait_for(*LIST)
    stub_stripe.behave()
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["a stored 500"])
    if answer.status == 404:
        impatient_shop.server.restart_making_due()  # a refused list is not asked for again at once
    wait_for_status(impatient_shop, payment, "completed")


def test_after_the_charge_window_nothing_is_sent(start_shop, stub_stripe):
    shop = start_shop(patience="300ms", charge_window="1s")
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["503"])
    created_at = time.time()
    payment = pay_in_vain(shop).data
    stub_stripe.wait_for(*LIST)  # absent there
    sent = stub_stripe.calls(*CHARGE)
    assert len(sent) >= 2 and max(request.received_at for request in sent) < created_at + 1 + scaled(0.5)
    stub_stripe.behave()
    shop.server.restart_making_due()
    stub_stripe.wait_for(*LIST, count=2)
    assert shop.payment(payment["id"])["status"] == "pending"
    assert len(stub_stripe.calls(*CHARGE)) == len(sent) and stub_stripe.charged_minor(payment["id"]) == 0


def test_a_charge_whose_answer_was_lost_is_found_after_the_charge_window(start_shop, stub_stripe):
    shop = start_shop(patience="300ms", charge_window="1s")
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, SENT_AGAIN["503"])
    payment = pay_in_vain(shop).data
    wait_for_status(shop, payment, "completed")
    assert stub_stripe.charged_minor(payment["id"]) == 1000


def succeed(shop, intent):
    """Stripe says that the intent succeeded."""
    send_event(shop.server, event("payment_intent.succeeded", intent), shop.stripe_webhook_secret)


def test_an_event_ends_what_a_list_left_open(impatient_shop, stub_stripe):
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["a stored 500"])
    payment = pay_in_vain(impatient_shop).data
    stub_stripe.wait_for(*LIST)
    intent = intent_of(payment)
    succeed(impatient_shop, intent)
    completed = impatient_shop.payment(payment["id"])
    assert (completed["status"], completed["provider_ref"]) == ("completed", intent["id"])


def test_an_intent_that_an_event_made_known_is_read_by_its_id(impatient_shop, stub_stripe):
    stub_stripe.answer_next(*CHARGE, executed(cut_after=0))
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["a stored 500"])
    stub_stripe.answer_always(*LIST, Answer(503))
    payment = pay_in_vain(impatient_shop).data
    intent, = stub_stripe.objects("payment_intent")
    send_event(impatient_shop.server, event("payment_intent.processing", intent | {"status": "processing"}),
               impatient_shop.stripe_webhook_secret)
    wait_for_status(impatient_shop, payment, "completed")
    assert stub_stripe.calls(*READ)[0].path.endswith(intent["id"])


def test_a_charge_absent_from_two_lists_ten_minutes_apart_was_never_made(impatient_shop, stub_stripe, receiver):
    impatient_shop.use_webhook(receiver.url)
    stub_stripe.answer_always(*CHARGE, LOOKED_UP["a stored 500"])
    first = pay_in_vain(impatient_shop)
    stub_stripe.wait_for(*LIST)
    impatient_shop.server.restart_making_due(absent_older_us=600_000_000)
    failed = wait_for_status(impatient_shop, first.data, "failed")
    assert failed["failure"]["code"] == "provider_unavailable" and len(stub_stripe.calls(*CHARGE)) == 1
    receiver.wait_for("payment.failed")
    assert pay(impatient_shop).body == first.body

    succeed(impatient_shop, intent_of(failed))  # and yet it was
    assert impatient_shop.payment(failed["id"])["status"] == "completed"
    receiver.wait_for("payment.completed")
