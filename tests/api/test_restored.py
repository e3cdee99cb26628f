"""A restored backup charges nobody again: the service takes over the missing payments from Stripe before it charges
anything new."""
import os
import shutil
import sqlite3
import threading
import uuid

import pytest

from support.backup import back_up, replace_database
from support.ledger import Ledger
from support.database import history, is_catching_up
from support.http_listener import Answer
from support.merchant import Merchant
from support.stripe_model import AUTHENTICATE, stripe_error
from support.stub import executed
from support.waiting import wait_until

INTENTS = ("GET", "/v1/payment_intents")
REFUNDS = ("GET", "/v1/refunds")
CHARGES = ("POST", "/v1/payment_intents")


def restore(server, copy, *words):
    server.kill()
    replace_database(server, copy)
    server.start(*words)


def wait_until_caught_up(server):
    wait_until(lambda: not is_catching_up(server), what="Stripe to be asked for what is missing")


def request_of(amount="10.00", payment_method="pm_card_visa", **fields):
    return {"amount": amount, "currency": "USD", "provider": "stripe", "payment_method": payment_method} | fields


def ask(shop, key, **fields):
    """A payment's Answer, whatever it is."""
    return shop.api.post("/v1/payments", request_of(**fields), idempotency_key=key)


def refused(answer):
    return answer.status == 503 and answer.codes == ["CATCHING_UP"] and int(answer.headers["Retry-After"]) > 0


def but(payment, *names):
    return {name: value for name, value in payment.items() if name not in (*names, "updated_at")}


def sandbox_shop(server, receiver):
    shop = Merchant.with_stripe(server)
    shop.use_webhook(receiver.url)
    return shop


@pytest.fixture
def server(start_server, nghttpx):
    return start_server(**nghttpx.settings, reconcile_interval="250ms", events_interval="1h")


@pytest.fixture
def shop(server, receiver):
    return sandbox_shop(server, receiver)


@pytest.fixture
def stubbed(start_server, stub_stripe):
    return Merchant.with_stripe(start_server(stub_stripe.url, reconcile_interval="100ms", events_interval="1h"))


# Taking over

@pytest.mark.parametrize("stop", ["terminate", "kill"])
def test_a_repeat_after_a_restore_is_answered_with_the_payment_that_was_made(shop, sandbox, stop):
    before = shop.pay(idempotency_key="before")
    copy = back_up(shop.server)
    asked = {"description": "tea", "metadata": {"b": "2", "a": "1"}, "customer_email": "payer@shop.example"}
    made = {key: shop.pay(amount, idempotency_key=key, **asked) for key, amount in (("one", "10.00"), ("two", "20.00"))}
    declined = shop.pay(payment_method="pm_card_visa_chargeDeclined", idempotency_key="declined")
    getattr(shop.server, stop)()
    replace_database(shop.server, copy)
    shop.server.start()
    wait_until_caught_up(shop.server)
    for key, payment in made.items():
        again = shop.pay(payment["amount"], idempotency_key=key, **asked)
        assert but(again, "payment_method") == but(payment, "payment_method")
    again = shop.pay(payment_method="pm_card_visa_chargeDeclined", idempotency_key="declined")
    assert (again["id"], again["failure"]) == (declined["id"], declined["failure"])
    assert shop.pay(idempotency_key="before") == before
    assert shop.pay(idempotency_key="new")["status"] == "completed"
    ledger = Ledger(sandbox, shop)
    ledger.check()
    assert len(ledger.charges) == 5
    assert [what for what, _, _ in history(shop.server, made["one"])] == ["taken over", "completed"]
    shop.server.wait_for_log(message="the payments that this database lacked were imported", payments=3, refunds=0)


def test_a_payment_that_saved_its_card_is_not_made_again(shop, sandbox):
    copy = back_up(shop.server)
    asked = {"idempotency_key": "one", "save_card": True, "customer_email": "payer@shop.example"}
    made = shop.pay(**asked)
    restore(shop.server, copy)
    wait_until_caught_up(shop.server)
    assert shop.pay(**asked)["id"] == made["id"]
    ledger = Ledger(sandbox, shop)
    ledger.check()
    assert len(ledger.charges) == 1


def test_a_repeat_with_another_request_is_refused_still(shop):
    copy = back_up(shop.server)
    shop.pay(idempotency_key="one")
    restore(shop.server, copy)
    wait_until_caught_up(shop.server)
    assert ask(shop, "one", amount="11.00").codes == ["IDEMPOTENCY_KEY_REUSED"]


def test_an_unfinished_payment_goes_on_after_a_restore(shop):
    copy = back_up(shop.server)
    manual = shop.pay(idempotency_key="manual", capture_method="manual")
    waiting = shop.pay(idempotency_key="waiting", payment_method=AUTHENTICATE, return_url="https://shop.example/back")
    restore(shop.server, copy)
    wait_until_caught_up(shop.server)
    assert shop.payment(waiting["id"])["next_action"] == waiting["next_action"]
    assert shop.payment(manual["id"])["capturable"]
    assert shop.end(manual, "capture").data["status"] == "completed"


def test_refunds_made_since_the_backup_are_known(shop, sandbox):
    before = shop.pay("30.00", idempotency_key="before")
    copy = back_up(shop.server)
    after = shop.pay("20.00", idempotency_key="after")
    made = [shop.refund(payment, amount, idempotency_key=f"refund-{amount}")
            for payment, amount in ((before, "5.00"), (before, "6.00"), (after, "7.00"))]
    restore(shop.server, copy)
    wait_until_caught_up(shop.server)
    for payment, refund in zip((before, before, after), made):
        again = shop.refund(payment, refund["amount"], idempotency_key=f"refund-{refund['amount']}")
        assert but(again) == but(refund)
    changed = shop.api.post("/v1/refunds", {"payment_id": after["id"], "amount": "1.00"}, idempotency_key="refund-7.00")
    assert changed.codes == ["IDEMPOTENCY_KEY_REUSED"]
    assert [shop.payment(payment["id"])["amount_refunded"] for payment in (before, after)] == ["11.00", "7.00"]
    Ledger(sandbox, shop).check()


def test_only_refunds_may_be_missing(shop, sandbox):
    payment = shop.pay("30.00", idempotency_key="before")
    copy = back_up(shop.server)
    refund = shop.refund(payment, "5.00", idempotency_key="refund")
    restore(shop.server, copy)
    wait_until_caught_up(shop.server)
    assert shop.refund(payment, "5.00", idempotency_key="refund")["id"] == refund["id"]
    Ledger(sandbox, shop).check()


@pytest.mark.parametrize("kills", [0, 2])
def test_more_than_a_page_is_taken_over_once_although_the_process_dies_meanwhile(shop, sandbox, kills):
    copy = back_up(shop.server)
    made = [shop.pay(idempotency_key=f"order-{number}") for number in range(230)]
    restore(shop.server, copy)

    def known():
        return shop.api.get("/v1/payments?count=true", expect=200).meta["total"]
    for number in range(kills):
        wait_until(lambda: known() > number * 100, what="a page to be taken over")
        shop.server.kill()
        shop.server.start()
    wait_until_caught_up(shop.server)
    assert [shop.pay(idempotency_key=f"order-{number}")["id"] for number in range(230)] == [p["id"] for p in made]
    Ledger(sandbox, shop).check()


def test_merchants_who_share_an_account_get_their_own(server, receiver, sandbox):
    shops = [sandbox_shop(server, receiver) for _ in range(2)]
    shops[1].api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {
        "secret_key": shops[0].stripe_key, "webhook_secret": shops[1].stripe_webhook_secret}}, expect=200)
    copy = back_up(server)
    made = [shop.pay(idempotency_key="one") for shop in shops]
    newcomer = sandbox_shop(server, receiver)
    newcomer.pay()
    restore(server, copy)
    wait_until_caught_up(server)
    assert [shop.pay(idempotency_key="one")["id"] for shop in shops] == [payment["id"] for payment in made]
    for shop in shops:
        Ledger(sandbox, shop).check()
    assert newcomer.api.get("/v1/payments").codes == ["AUTH_INVALID_KEY"]


def test_a_payment_whose_request_is_not_known_is_left_out_and_logged(stubbed, stub_stripe):
    """A version of before made it."""
    copy = back_up(stubbed.server)
    stubbed.pay(idempotency_key="one")
    for intent in stub_stripe.objects("payment_intent"):
        intent["metadata"] = {name: intent["metadata"][name] for name in ("payment_id", "merchant_id")}
    restore(stubbed.server, copy)
    wait_until_caught_up(stubbed.server)
    entry = stubbed.server.wait_for_log(level="error", left_out=1, payments=0)
    assert "charges or refunds twice" in entry["message"]


def test_an_event_that_names_an_unknown_payment_has_the_account_asked(shop, sandbox):
    """Where nothing at the start told that the database is another one."""
    shop.pay()
    copy = back_up(shop.server)
    payment = shop.pay(idempotency_key="one")
    shop.server.kill()
    replace_database(shop.server, copy)
    shop.server.vouch()
    shop.server.start()
    wait_until(lambda: shop.api.get(f"/v1/payments/{payment['id']}").status == 200, what="the payment to be taken over")
    wait_until_caught_up(shop.server)
    shop.server.wait_for_log(message="the payments that this database lacked were imported", payments=1)
    assert shop.pay(idempotency_key="one")["id"] == payment["id"]
    Ledger(sandbox, shop).check()


# Who is refused meanwhile, and for how long

def test_new_payments_and_refunds_wait_until_all_is_taken_over(stubbed, stub_stripe):
    before = stubbed.pay(idempotency_key="before")
    copy = back_up(stubbed.server)
    stubbed.pay(idempotency_key="after")
    gates = {path: threading.Event() for path in (INTENTS, REFUNDS)}
    for path, gate in gates.items():
        stub_stripe.answer_next(*path, executed(gate=gate))
    restore(stubbed.server, copy)
    stub_stripe.wait_for(*INTENTS)
    assert refused(ask(stubbed, "after")) and refused(ask(stubbed, "new"))
    assert refused(stubbed.api.post("/v1/refunds", {"payment_id": before["id"]}))
    assert refused(stubbed.api.post("/v1/refunds", {"payment_id": str(uuid.uuid4())}))
    assert ask(stubbed, "before").data == before
    gates[INTENTS].set()
    stub_stripe.wait_for(*REFUNDS)
    assert ask(stubbed, "after").status == 201 and refused(ask(stubbed, "new"))
    anybody = stubbed.server.api()
    wait_until(lambda: anybody.get("/readyz", expect=200).json == {"status": "ready", "catching_up": 1}, what="/readyz")
    assert b"\npayments_accounts_lacking 1\n" in anybody.get("/metrics").body
    stubbed.server.wait_for_log(level="error", merchant_id=stubbed.id, mode="test")
    gates[REFUNDS].set()
    wait_until_caught_up(stubbed.server)
    assert ask(stubbed, "new").status == 201
    wait_until(lambda: anybody.get("/readyz", expect=200).json == {"status": "ready"}, what="/readyz")
    assert len(stub_stripe.calls(*CHARGES)) == 3


def test_after_a_clean_stop_the_next_start_charges_at_once(stubbed, stub_stripe):
    stubbed.pay()
    stub_stripe.answer_always(*INTENTS, stripe_is_unreachable())
    stubbed.server.restart()
    assert ask(stubbed, "new").status == 201
    assert stub_stripe.calls(*INTENTS) == []


def stripe_is_unreachable():
    return Answer(500, stripe_error("api_error"))


def test_after_a_crash_one_page_of_each_list_is_enough(stubbed, stub_stripe):
    payments = [stubbed.pay(idempotency_key=f"order-{number}") for number in range(105)]
    stubbed.refund(payments[0])
    stubbed.server.kill()
    stubbed.server.start()
    assert stubbed.pay()["status"] == "completed"
    assert [len(stub_stripe.calls(*path)) for path in (INTENTS, REFUNDS)] == [1, 1]
    assert not [entry for entry in stubbed.server.log() if entry["level"] == "error"]


def test_a_stop_before_the_start_was_written_down_vouches_for_nothing(stubbed):
    """The next start would take a restored database for the one that was stopped with."""
    copy = back_up(stubbed.server)
    with sqlite3.connect(copy) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON meta WHEN new.name = 'whole_us'"
                         " BEGIN SELECT RAISE(ABORT, 'full'); END")
    database.close()
    stubbed.server.terminate()
    replace_database(stubbed.server, copy)
    stubbed.server.launch()
    stubbed.server.wait_for_log(message="open operations could not be read")
    stubbed.server.terminate()
    assert not os.path.exists(f"{stubbed.server.data_dir}/payments.db.stopped")


def test_a_move_of_the_database_is_taken_for_a_restore(stubbed, stub_stripe):
    stubbed.pay()
    copy = f"{stubbed.server.data_dir}/copy.db"
    stubbed.server.terminate()
    shutil.copy2(f"{stubbed.server.data_dir}/payments.db", copy)
    replace_database(stubbed.server, copy)
    stubbed.server.start()
    stub_stripe.wait_for(*INTENTS)
    assert stubbed.pay()["status"] == "completed"


@pytest.mark.parametrize("status", [401, 403])
def test_an_account_that_does_not_answer_is_not_held_for_ever(stubbed, stub_stripe, status):
    copy = back_up(stubbed.server)
    first = stubbed.pay(idempotency_key="one")
    stub_stripe.answer_always(*INTENTS, Answer(status, stripe_error()))
    restore(stubbed.server, copy)
    assert stubbed.pay()["status"] == "completed"
    stubbed.server.wait_for_log(level="warn", merchant_id=stubbed.id, status=status)
    # With another key it is asked again.
    stub_stripe.behave()
    stub_stripe.model.accounts["sk_test_another"] = stub_stripe.model.accounts[stubbed.stripe_key]
    stubbed.api.put("/v1/merchant/providers", {"provider": "stripe", "stripe": {"secret_key": "sk_test_another"}},
                    expect=200)
    wait_until(lambda: stubbed.api.get(f"/v1/payments/{first['id']}").status == 200, what="the payment to be taken over")


def test_an_account_is_held_while_stripe_is_unreachable(stubbed, stub_stripe):
    copy = back_up(stubbed.server)
    first = stubbed.pay(idempotency_key="one")
    stub_stripe.answer_always(*INTENTS, stripe_is_unreachable())
    restore(stubbed.server, copy)
    stub_stripe.wait_for(*INTENTS, count=2)
    assert ask(stubbed, "one").status == 503
    stubbed.server.restart()  # which is in good order, but it is still not known
    stub_stripe.behave()
    wait_until_caught_up(stubbed.server)
    assert ask(stubbed, "one").data["id"] == first["id"]
    assert len(stub_stripe.calls(*CHARGES)) == 1


# The operator's word

def test_a_restored_database_can_be_accepted_as_it_is(stubbed, stub_stripe):
    copy = back_up(stubbed.server)
    first = stubbed.pay(idempotency_key="one")
    stub_stripe.answer_always(*INTENTS, stripe_is_unreachable())
    restore(stubbed.server, copy)
    stub_stripe.wait_for(*INTENTS)
    assert ask(stubbed, "one").status == 503
    stubbed.server.terminate()
    stub_stripe.behave()
    stubbed.server.start("--accept-restored")
    again = ask(stubbed, "one")
    assert again.status == 201 and again.data["id"] != first["id"]
    stubbed.server.wait_for_log(level="warn",
                                message="the database is accepted as it is: payments that it lacks are not imported")
    key = stubbed.server.command_json("createsuperadmin", "--name", "root", "--mode", "live")["key"]
    rows = stubbed.server.api(key).get("/v1/audit/logs", query={"event_type": "database.accepted"}, expect=200).data
    assert [row["severity"] for row in rows] == ["warn"]
    # For good: after a crash what was accepted is not missed.
    stubbed.server.kill()
    stubbed.server.start()
    wait_until_caught_up(stubbed.server)
    assert stubbed.api.get(f"/v1/payments/{first['id']}").status == 404
