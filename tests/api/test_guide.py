"""docs/guide.md does what it says: its commands, typed in order, print what the guide shows, and its programs handle
failures. Its receivers are in test_guide_receivers.py."""
import json
import random
import socket
import subprocess
import uuid

import pytest

from guide_fixture import INTERPRETERS
from support.guide import Block, Terminal, check, is_as_shown
from support.http_listener import Answer, HttpListener
from support.background import InBackground
from support.merchant import Merchant
from support.process import environment
from support.stock import add_payments, payment, utc_us
from support.stripe_model import AUTHENTICATE
from support.waiting import scaled, wait_until


def port_for_a_receiver():
    """A free one that the system gives to nobody who asks for any."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


# The guide, from its beginning to its end

def test_all_of_the_guide_does_what_it_says(guide, folder, start_server, sandbox, nghttpx):
    settings = guide.service_settings()
    assert settings.pop("stripe_api_base") == "http://127.0.0.1:12111"
    server = start_server(**nghttpx.settings, **settings)
    key = server.command_json("createapikey")["key"]
    read = guide.read_with({"http://127.0.0.1:8080": server.url, "http://127.0.0.1:12111": sandbox.url,
                            "sk_live_...": key, "9000": str(port_for_a_receiver())})
    terminal = Terminal(folder)
    try:
        for commands, shown in read.steps():
            check(terminal, commands, shown)
    finally:
        terminal.close()


def test_every_block_of_the_guide_is_saved_or_typed_or_shown(guide):
    assert {block.language for block in guide.blocks} == {"console", "sh", "json", "text", "python", "js"}
    assert guide.text.count("\n```") == 2 * len(guide.blocks)
    typed = "\n".join(commands for commands, _ in guide.steps())
    programs = guide.programs()
    assert {name.removesuffix(".py") for name in programs if name.endswith(".py")} == {
        name.removesuffix(".mjs") for name in programs if name.endswith(".mjs")} - {"checkout"}
    for name in programs.keys() - {"payments.py", "payments.mjs", "receiver.mjs", "checkout.mjs"}:
        assert name in typed, name
    # Each block of output stands after the commands that print it.
    assert sum(shown is not None for _, shown in guide.steps()) == sum(
        block.language in ("json", "text") for block in guide.blocks)


# Its programs, where not all goes well

def run(program, folder, *words, **variables):
    """The finished process, whatever its status."""
    return subprocess.run([INTERPRETERS[program.rpartition(".")[2]], program, *words], cwd=folder,
                          env=environment(**variables), text=True, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=scaled(60), check=False)


def account(merchant):
    return {"PAYMENTS_URL": merchant.server.url + "/v1", "PAYMENTS_KEY": merchant.key["key"]}


def test_an_answer_that_does_not_come_is_asked_for_again_under_the_same_key(folder, language):
    paid = Answer(201, {"success": True, "data": {"status": "completed"}})
    at_once = {"Retry-After": "0"}
    answers = [Answer(201, cut_after=0), Answer(503, headers=at_once), Answer(409, headers=at_once), paid]
    asked = []

    def respond(request):
        asked.append(request)
        return answers[len(asked) - 1]

    listener = HttpListener(respond)
    try:
        done = run(f"order.{language}", folder, "order-1", "50.00", "USD", "pm_card_visa", PAYMENTS_URL=listener.url,
                   PAYMENTS_KEY="sk_test_1")
    finally:
        listener.close()
    assert done.stdout == "order-1: paid\n", done.stderr
    assert len(asked) == 4
    assert {(request.body, request.header("Idempotency-Key")) for request in asked} == {(asked[0].body, "order-1")}


def test_billing_that_runs_twice_at_once_charges_each_customer_once(folder, merchant, language):
    cards = [merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=201).data["id"]
             for _ in range(3)]
    subscriptions = [{"id": number, "saved_card_id": card, "amount": "29.99", "currency": "USD", "attempt": number}
                     for number, card in enumerate(cards, 1)]
    (folder / "subscriptions.json").write_text(json.dumps(subscriptions))
    runs = [InBackground(run, f"billing.{language}", folder, "subscriptions.json", "2026-12", **account(merchant))
            for _ in range(2)]
    for done in runs:
        done = done.result(timeout=60)
        assert done.stdout.splitlines() == [f"subscription-{name}: completed" for name in (
            "1-2026-12", "2-2026-12-2", "3-2026-12-3")], done.stderr
        assert done.returncode == 0
    assert merchant.api.get("/v1/payments?count=true").meta["total"] == 3


def test_one_subscription_that_cannot_be_charged_keeps_no_other_from_it(folder, merchant, language):
    card = merchant.api.post("/v1/payments/cards", {"payment_method_id": "pm_card_visa"}, expect=201).data["id"]
    subscriptions = [{"id": number, "saved_card_id": used, "amount": "29.99", "currency": "USD", "attempt": 1}
                     for number, used in ((1, str(uuid.uuid4())), (2, card))]
    (folder / "subscriptions.json").write_text(json.dumps(subscriptions))
    done = run(f"billing.{language}", folder, "subscriptions.json", "2026-12", **account(merchant))
    refused, charged = done.stdout.splitlines()
    assert "NOT_FOUND" in refused and charged == "subscription-2-2026-12: completed"
    assert done.returncode == 1


def test_the_comparison_goes_through_all_pages(folder, start_server, nghttpx, language):
    merchant = Merchant(start_server(**nghttpx.settings))
    merchant.server.terminate()
    stock = [payment(merchant, utc_us("2025-01-01T00:00:00") + number * 1000000, idempotency_key=f"order-{number}")
             for number in range(230)]
    add_payments(merchant.server, stock)
    merchant.server.start()
    (folder / "orders.json").write_text(json.dumps({"order-7": "10.00 USD", "order-8": "1.00 USD"}))
    done = run(f"reconcile.{language}", folder, "orders.json", "2025-01-01T00:00:00Z", **account(merchant))
    expected = {f"order-{number}: nothing in our books, 10.00 USD paid" for number in range(230) if number not in (7, 8)}
    assert sorted(done.stdout.splitlines()) == sorted(expected | {"order-8: 1.00 USD in our books, 10.00 USD paid"})


# In the payer's browser

IN_A_BROWSER = """
import { pay } from './checkout.mjs'

const { page, secret, payment } = JSON.parse(process.env.GIVEN)
globalThis.fetch = ((real) => async (address, sent) => {
  if (address !== '/pay') return real(address, sent)
  console.log(sent.body)
  return { json: async () => payment }
})(fetch)
const elements = { submit: async () => ({}) }
const stripe = {
  createPaymentMethod: async (given) => given.elements === elements ? { paymentMethod: { id: 'pm_1' } } : {},
  handleNextAction: async ({ clientSecret }) => {
    if (clientSecret !== secret) return { error: { message: 'wrong secret' } }
    await fetch(page, { method: 'POST', body: new URLSearchParams({ action: 'complete' }), redirect: 'manual' })
    return {}
  }
}
console.log(await pay(stripe, elements, 'order-1'))
"""


def run_in_a_browser(folder, **given):
    (folder / "browser.mjs").write_text(IN_A_BROWSER)
    done = run("browser.mjs", folder, GIVEN=json.dumps(given))
    assert done.returncode == 0, done.stderr
    sent, said = done.stdout.splitlines()
    assert json.loads(sent) == {"order": "order-1", "payment_method": "pm_1"}
    return said


def test_the_payer_authenticates_in_the_shops_own_page(folder, listening, at_stripe):
    pending = listening.pay(payment_method=AUTHENTICATE)
    intent = at_stripe.intent(pending)
    said = run_in_a_browser(folder, page=intent["next_action"]["use_stripe_sdk"]["stripe_js"],
                            secret=intent["client_secret"], payment=pending)
    assert said.startswith("Thank you")
    wait_until(lambda: listening.payment(pending["id"])["status"] == "completed")


def test_the_payer_is_told_of_a_declined_card(folder, merchant):
    declined = merchant.pay(payment_method="pm_card_visa_chargeDeclined")
    assert run_in_a_browser(folder, payment=declined) == "Your card was declined."


# The check of what is shown

@pytest.mark.parametrize("language, shown, printed", [
    ("json", '{"a": "1"}', '{"a": 1}'), ("json", '{"a": 1}', '{"a": true}'), ("json", '{"a": "…"}', '{"a": null}'),
    ("json", '{"a": null}', "{}"), ("json", '[{"a": 1}]', '[{"a": 1}, {"a": 1}]'), ("text", "a …\n", "a b\nc\n"),
    ("text", "a.b\n", "acb\n"), ("text", "a\n", "a\nb\n")])
def test_the_output_must_be_what_the_guide_shows(language, shown, printed):
    assert not is_as_shown(printed, Block(language, shown))
    assert is_as_shown(shown, Block(language, shown))
