"""Idempotency keys of the sandbox."""
import threading

import pytest
import stripe

from sandbox_fixture import Account, CHARGE_FORM, charges_of, set_faults

INTENTS = "/v1/payment_intents"


def test_the_same_key_gets_the_same_answer_and_charges_once(account, sandbox):
    form = CHARGE_FORM | {"metadata[key]": account.key}
    first, again = account.post(INTENTS, form, key="k1"), account.post(INTENTS, form, key="k1")
    assert first.status_code == again.status_code == 200 and first.content == again.content
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] == "k1"
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    assert len(charges_of(sandbox, key=account.key)) == 1


def test_the_order_of_parameters_does_not_matter(account):
    account.post(INTENTS, CHARGE_FORM, key="k1")
    turned = dict(reversed(CHARGE_FORM.items()))
    assert account.post(INTENTS, turned, key="k1").headers["Idempotent-Replayed"] == "true"


def test_the_same_key_for_another_request_is_refused(account):
    account.create(idempotency_key="k1")
    with pytest.raises(stripe.error.IdempotencyError) as caught:
        account.create(idempotency_key="k1", amount=2000)
    assert (caught.value.http_status, caught.value.error.type) == (400, "idempotency_error")


def test_the_same_key_at_another_address_is_refused(account):
    intent = account.create(capture_method="manual", idempotency_key="k1")
    with pytest.raises(stripe.error.IdempotencyError):
        stripe.PaymentIntent.capture(intent.id, idempotency_key="k1", **account.options)


def test_a_decline_is_kept(account):
    form = CHARGE_FORM | {"payment_method": "pm_card_declined"}
    first, again = account.post(INTENTS, form, key="k1"), account.post(INTENTS, form, key="k1")
    assert first.status_code == again.status_code == 402 and first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"


def test_an_error_of_the_server_is_kept_though_it_charged(account, sandbox):
    form = CHARGE_FORM | {"payment_method": "pm_sandbox_serverError", "metadata[key]": account.key}
    first, again = account.post(INTENTS, form, key="k1"), account.post(INTENTS, form, key="k1")
    assert first.status_code == again.status_code == 500
    assert first.headers["Stripe-Should-Retry"] == "false" and again.headers["Idempotent-Replayed"] == "true"
    assert [charge["status"] for charge in charges_of(sandbox, key=account.key)] == ["succeeded"]


def test_a_refused_request_does_not_use_the_key_up(account):
    assert account.post(INTENTS, CHARGE_FORM | {"amount": "1"}, key="k1").status_code == 400
    assert account.post(INTENTS, CHARGE_FORM, key="k1").json()["status"] == "succeeded"


def test_each_account_has_its_own_keys(account, sandbox):
    other = Account(sandbox)
    assert account.create(idempotency_key="k1").id != other.create(idempotency_key="k1").id


def test_a_key_means_nothing_on_a_read(account):
    intent = account.create(idempotency_key="k1")
    answer = account.get(f"{INTENTS}/{intent.id}", **{"Idempotency-Key": "k1"})
    assert answer.json()["id"] == intent.id and "Idempotent-Replayed" not in answer.headers


def test_a_key_is_at_most_255_characters(account):
    assert account.post(INTENTS, CHARGE_FORM, key="k" * 255).status_code == 200
    assert account.post(INTENTS, CHARGE_FORM, key="k" * 256).json()["error"]["type"] == "idempotency_error"


def test_a_key_is_in_use_until_its_first_answer_is_out(own_sandbox):
    account = Account(own_sandbox)
    set_faults(own_sandbox, latency_ms=1500)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(account.post(INTENTS, CHARGE_FORM, key="k1")))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    busy = next(answer for answer in answers if answer.status_code == 409)
    assert busy.json()["error"]["code"] == "idempotency_key_in_use" and busy.headers["Stripe-Should-Retry"] == "true"
    set_faults(own_sandbox, latency_ms=0)
    assert account.post(INTENTS, CHARGE_FORM, key="k1").headers["Idempotent-Replayed"] == "true"
    assert len(charges_of(own_sandbox)) == 1
