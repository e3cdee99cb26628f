"""A deleted card is gone at once, and Stripe detaches it in the end. Also, which card becomes the default."""
import pytest

from cards_fixture import DETACH, charge, delete, keep_fault, make_default, new_method, saved
from support.http_listener import Answer
from support.merchant import Merchant
from support.shape import refused
from support.stripe_model import stripe_error
from support.stub import executed
from support.waiting import wait_until


def test_a_deleted_card_is_inactive_at_once_and_detached_at_stripe(shop, stub_stripe):
    card = saved(shop)
    assert delete(shop, card).json == {"success": True}
    refused(delete(shop, card), 404, "NOT_FOUND")
    refused(charge(shop, card), 404, "NOT_FOUND")
    refused(make_default(shop, card), 404, "NOT_FOUND")
    call = stub_stripe.wait_for(*DETACH)[0]
    assert call.header("Idempotency-Key") == f"det_{card['id']}"
    wait_until(lambda: [method["customer"] for method in stub_stripe.objects("payment_method")] == [None])


@pytest.mark.parametrize("answer", [executed(cut_after=0), Answer(503, stripe_error("api_error"))],
                         ids=["done, closed", "503"])
def test_detaching_goes_on_over_a_restart_until_it_is_done(start_shop, stub_stripe, answer):
    shop = start_shop()
    card = saved(shop)
    stub_stripe.answer_always(*DETACH, answer)
    assert delete(shop, card).status == 200
    stub_stripe.wait_for(*DETACH)
    shop.server.kill()
    stub_stripe.behave()
    shop.server.start()
    wait_until(lambda: [method["customer"] for method in stub_stripe.objects("payment_method")] == [None])
    refused(delete(shop, card), 404, "NOT_FOUND")


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_fault_that_stripe_stored_for_a_detach_does_not_leave_the_card_attached(shop, stub_stripe, done):
    card = saved(shop)
    method, = stub_stripe.objects("payment_method")
    customer = method["customer"]

    def stored(_):
        method["customer"] = None if done else customer
        return keep_fault(shop, stub_stripe)
    stub_stripe.answer_next(*DETACH, stored)
    assert delete(shop, card).status == 200
    stub_stripe.wait_for("GET", f"/v1/payment_methods/{method['id']}")
    wait_until(lambda: method["customer"] is None)
    wait_until(lambda: shop.server.metric("operations_in_flight") == 0)
    assert len({call.header("Idempotency-Key") for call in stub_stripe.calls(*DETACH)}) == (1 if done else 2)


def test_a_method_that_is_detached_already_is_not_asked_for_again(shop, stub_stripe):
    card = saved(shop)
    stub_stripe.answer_next(*DETACH, Answer(400, stripe_error(message="It is not attached.")))
    assert delete(shop, card).status == 200
    stub_stripe.wait_for(*DETACH)
    shop.server.restart()
    saved(shop)
    assert len(stub_stripe.calls(*DETACH)) == 1


def test_a_deleted_method_can_be_saved_again(shop, stub_stripe):
    method = new_method(shop, stub_stripe)
    card = saved(shop, method)
    delete(shop, card)
    stub_stripe.wait_for(*DETACH)
    again = saved(shop, method)
    assert again["id"] != card["id"] and again["is_default"]


def test_the_newest_of_the_rest_becomes_the_default(shop):
    first, second, third = (saved(shop) for _ in range(3))
    assert delete(shop, second).status == 200
    assert make_default(shop, first).data["is_default"]
    assert delete(shop, first).status == 200
    assert make_default(shop, third).data == third | {"is_default": True}
    assert not saved(shop)["is_default"]


def test_making_a_card_the_default_makes_no_other_the_default(shop, stub_stripe):
    first, second = saved(shop, method := new_method(shop, stub_stripe)), saved(shop)
    assert make_default(shop, second).data == second | {"is_default": True}
    assert saved(shop, method) == first | {"is_default": False}
    elsewhere = saved(shop, email="other@example.com")
    assert elsewhere["is_default"]


def test_cards_of_others_and_of_a_mode_that_the_key_may_not_see_are_not_there(server, merchant):
    card = saved(merchant)
    other = Merchant(server)
    merchant.use_stripe("live")
    live = saved(merchant)
    test_api = merchant.client(mode="test")
    for call in (delete, make_default):
        refused(call(other, card), 404, "NOT_FOUND")
        refused(call(merchant, live, test_api), 404, "NOT_FOUND")
        refused(call(merchant, {"id": "x"}), 404, "NOT_FOUND")
    assert delete(merchant, card, test_api).status == 200 and delete(merchant, live).status == 200
