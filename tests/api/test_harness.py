"""The stand-ins that the other tests rely on: a stub that silently behaved would prove nothing."""
import base64
import http.client
import json
import os
import pathlib
import subprocess
import threading

import pytest

from support import leaks
from support.client import Api
from support.events import sign_stripe_event
from support.http_listener import Answer
from support.receiver import payments_signature, standard_signature
from support.stripe_model import DECLINE, stripe_error
from support.stub import executed
from support.waiting import wait_until

WITH_POSTGRESQL = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "with-postgresql"
CHARGE = "amount=1000&currency=usd&payment_method=pm_card_visa&confirm=true&metadata[payment_id]=p1"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer sk_test_x"}


def charge(stub, form=CHARGE, key="k1"):
    return Api(stub.url).post("/v1/payment_intents", form, idempotency_key=key, headers=FORM)


def test_the_stub_charges_once_for_one_idempotency_key(stub_stripe):
    first, again = charge(stub_stripe), charge(stub_stripe)
    assert first.body == again.body and again.replayed and not first.replayed
    assert stub_stripe.charged_minor("p1") == 1000


def test_the_stub_refuses_a_key_that_came_with_other_parameters(stub_stripe):
    charge(stub_stripe)
    assert charge(stub_stripe, CHARGE + "&description=x").json["error"]["type"] == "idempotency_error"


def test_the_stub_declines_and_keeps_the_intent(stub_stripe):
    answer = charge(stub_stripe, CHARGE.replace("pm_card_visa", DECLINE))
    assert answer.status == 402
    assert stub_stripe.objects("payment_intent")[0]["id"] == answer.json["error"]["payment_intent"]["id"]
    assert stub_stripe.charged_minor("p1") == 0


def test_an_answer_that_was_set_is_given_once_and_nothing_is_executed(stub_stripe):
    stub_stripe.answer_next("POST", "/v1/payment_*", Answer(500, stripe_error("api_error")))
    assert charge(stub_stripe).status == 500
    assert stub_stripe.charged_minor("p1") == 0
    assert charge(stub_stripe).status == 200


def test_a_cut_answer_leaves_the_charge_executed(stub_stripe):
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(cut_after=300))
    with pytest.raises(http.client.HTTPException):
        charge(stub_stripe)
    assert stub_stripe.charged_minor("p1") == 1000


def test_a_reset_answer_leaves_the_charge_executed(stub_stripe):
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(cut_after=0, reset=True))
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        charge(stub_stripe)
    assert stub_stripe.charged_minor("p1") == 1000


def test_a_gated_answer_waits_for_its_gate(stub_stripe):
    gate = threading.Event()
    stub_stripe.answer_next("POST", "/v1/payment_intents", executed(gate=gate))
    answers = []
    payer = threading.Thread(target=lambda: answers.append(charge(stub_stripe)))
    payer.start()
    stub_stripe.wait_for("POST", "/v1/payment_intents")
    assert not answers
    gate.set()
    payer.join()
    assert answers[0].status == 200


def test_a_hanging_answer_ends_with_the_stub(stub_stripe):
    stub_stripe.answer_next("GET", "/v1/refunds", executed(hang=True))
    failures = []

    def ask():
        try:
            Api(stub_stripe.url).get("/v1/refunds", headers=FORM)
        except http.client.HTTPException as failure:
            failures.append(failure)

    asker = threading.Thread(target=ask)
    asker.start()
    stub_stripe.wait_for("GET", "/v1/refunds")
    stub_stripe.close()
    asker.join()
    assert failures


def test_the_stub_keeps_requests_as_they_came(stub_stripe):
    charge(stub_stripe)
    request, = stub_stripe.calls("POST", "/v1/payment_intents")
    assert request.body == CHARGE.encode() and request.form["metadata[payment_id]"] == "p1"
    assert request.header("idempotency-key") == "k1"


def test_the_receiver_keeps_deliveries_and_answers_as_told(receiver):
    receiver.answer_next(Answer(500), Answer(410))
    client = Api(receiver.url)
    sent = {"id": "e1", "type": "payment.completed", "data": {}}
    assert [client.post("/webhooks/payments", sent).status for _ in range(3)] == [500, 410, 200]
    assert len(receiver.wait_for(3)) == 3
    assert receiver.wait_for("payment.completed").json == sent


def test_webhook_signatures_are_those_of_the_published_examples(receiver):
    # The example of the Standard Webhooks specification, and RFC 2104 worked by openssl for the other.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    Api(receiver.url).post("/", '{"test": 2432232314}', headers={
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
        "X-Payments-Timestamp": "1614265330"})
    delivery, = receiver.wait_for(1)
    assert standard_signature(secret, delivery) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert payments_signature(secret, delivery) == "sha256=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964"


def test_stripe_signatures_are_those_of_the_official_library():
    body = json.dumps({"id": "evt_1", "object": "event", "type": "payment_intent.succeeded"},
                      separators=(",", ":")).encode()
    assert sign_stripe_event(body, "whsec_test_secret_1", 1700000000) == (
        "t=1700000000,v1=80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67951")


def test_waiting_in_vain_fails():
    with pytest.raises(AssertionError, match="in vain for rain"):
        wait_until(lambda: False, timeout=0.05, what="rain")


@pytest.mark.parametrize("secret", [
    "sk_live_" + "a1B2" * 8 + "c3D4e5", "sk_test_" + "0f" * 16, "rk_live_" + "0f" * 16, "whsec_" + "A+/b" * 8 + "=",
    "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH", "4242424242424242"])
def test_a_secret_is_found_by_its_shape_wherever_it_stands(tmp_path, secret):
    (tmp_path / "payments.db").write_bytes(os.urandom(5000) + secret.encode() + b"\x00")
    with pytest.raises(AssertionError, match="payments.db shows in clear"):
        leaks.refuse_in_files(tmp_path)
    assert leaks.found(f'{{"message": "{secret}"}}')


@pytest.mark.parametrize("text", ["sk_live_a1B2...", "****1234", "sk_test_...", '{"has_webhook_secret": true}',
                                  "pi_3MtwBwLkdIwHu7ix28a3tqPa", "evt_00000000000000000000000000"])
def test_text_that_people_are_shown_is_not_taken_for_a_secret(text):
    assert not leaks.found(text)


def test_a_service_that_stores_its_own_key_in_clear_fails_the_test(start_server, nghttpx):
    server = start_server(**nghttpx.settings)
    with open(f"{server.data_dir}/master.key", encoding="ascii") as file:
        key = file.read().strip()
    for spelling in (key.encode(), base64.b64decode(key)):
        with open(f"{server.data_dir}/spare", "wb") as file:
            file.write(b"x" + spelling + b"x")
        with pytest.raises(AssertionError, match="spare shows in clear"):
            leaks.refuse_in_files(server.data_dir)
    os.unlink(f"{server.data_dir}/spare")


def test_every_secret_that_a_merchant_of_the_tests_has_can_be_found(merchant):
    merchant.use_webhook("https://merchant.com/webhooks")
    for secret in (merchant.key["key"], merchant.stripe_key, merchant.stripe_webhook_secret, merchant.webhook_secret):
        assert leaks.found(secret) == [secret.encode()]


def test_a_private_database_server_goes_with_the_run_that_is_killed():
    environment = {name: value for name, value in os.environ.items() if name != "TEST_POSTGRESQL"}
    with subprocess.Popen([WITH_POSTGRESQL, "sh", "-c", 'echo "$TEST_POSTGRESQL"; exec cat'], env=environment, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        directory = run.stdout.readline().partition("host=")[2].partition("&")[0]
        assert os.path.exists(f"{directory}/data/postmaster.pid")
        run.kill()
    wait_until(lambda: not os.path.exists(directory), what="the directory to be removed")
