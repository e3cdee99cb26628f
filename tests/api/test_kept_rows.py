"""Keys, merchants and credentials are kept by each thread of the service that has read them. A change by the API, by a
command or by another program stops what it forbids with the very next request. Without the triggers on these tables every
test here fails."""
import threading
import time
import uuid

import pytest

from auth_fixture import ask, new_address
from support.database import open_database
from support.merchant import Merchant, ObservedMerchant
from support.shape import refused, succeeded

TIMES = 6  # more often than there are threads that keep rows


@pytest.fixture
def known(server):
    """A merchant whose rows every thread has read."""
    merchant = Merchant.with_stripe(server)
    use(merchant)
    return merchant


def use(merchant):
    for _ in range(TIMES):
        succeeded(ask(merchant.server, merchant.key["key"]))
    merchant.pay()


def expect_refused(merchant, status, code):
    for _ in range(TIMES):
        refused(ask(merchant.server, merchant.key["key"]), status, code)
        api = merchant.server.api(merchant.key["key"], X_Forwarded_For=new_address())
        refused(api.post("/v1/payments", {}), status, code)


def test_a_revoked_key_stops(server, known):
    server.command("revokeapikey", "--key", known.key["id"])
    expect_refused(known, 401, "AUTH_INVALID_KEY")


def test_the_keys_of_a_deactivated_merchant_stop_and_work_again(known):
    known.activate(False)
    expect_refused(known, 401, "AUTH_INVALID_KEY")
    known.activate(True)
    use(known)


def test_the_scopes_of_a_key_change(server, known):
    with open_database(server) as database:
        database.execute("UPDATE api_keys SET scopes = 0 WHERE id = ?", (uuid.UUID(known.key["id"]).bytes,))
    expect_refused(known, 403, "AUTH_INSUFFICIENT_SCOPE")


def test_deleted_credentials_are_not_used(known):
    known.api.delete("/v1/merchant/providers/stripe", expect=200)
    body = {"amount": "10.00", "currency": "USD", "provider": "stripe", "payment_method": "pm_card_visa"}
    for _ in range(TIMES):
        refused(known.api.post("/v1/payments", body, idempotency_key=str(uuid.uuid4())), 422, "PROVIDER_NOT_CONFIGURED")


def test_a_charge_is_sent_with_the_newest_credentials(start_server, stub_stripe):
    merchant = ObservedMerchant(start_server(stub_stripe.url), stub_stripe)
    for _ in range(3):
        merchant.use_stripe()
        assert len(merchant.charges()) == 0
        merchant.pay()
        assert len(merchant.charges()) == 1


def test_no_request_that_begins_after_a_revocation_succeeds(server, known):
    answers = []
    stopped = threading.Event()

    def ask_again():
        while not stopped.is_set():
            begun = time.monotonic()
            answers.append((begun, ask(server, known.key["key"]).status))
    threads = [threading.Thread(target=ask_again) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    server.command("revokeapikey", "--key", known.key["id"])
    revoked = time.monotonic()
    time.sleep(0.2)
    stopped.set()
    for thread in threads:
        thread.join()
    assert any(status == 200 for begun, status in answers if begun < revoked)
    after = [status for begun, status in answers if begun > revoked]
    assert set(after) == {401}, after
