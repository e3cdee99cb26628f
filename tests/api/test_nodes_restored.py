"""Which database the nodes trust. Who finds other nodes alive joins them; the first of all asks Stripe for what the database
may lack, unless it kept the mark that the last node left in it."""
from nodes_fixture import wait_for_beats
from stub_fixture import CHARGE, LIST, pay
from support.backup import back_up, put_back, replace_database
from support.database import open_database
from support.waiting import wait_until


def test_a_restart_of_the_last_node_asks_nothing(start_shops, stub_stripe):
    shop, = start_shops(1)
    first = pay(shop)
    shop.server.restart()
    assert pay(shop, key="order-2").status == 201 and pay(shop).body == first.body
    assert not stub_stripe.calls(*LIST)


def test_a_node_that_joins_others_asks_nothing(start_nodes, start_shops, stub_stripe):
    at_a, at_b = start_shops(2)
    pay(at_a)
    at_b.server.restart()
    start_nodes(1, beside=at_a.server)
    at_a.server.restart()
    assert pay(at_b, key="order-2").status == 201
    assert not stub_stripe.calls(*LIST)


def test_a_payment_that_a_restored_backup_lacks_is_not_made_again(start_shops, stub_stripe):
    shop, = start_shops(1)
    pay(shop)
    backup = back_up(shop.server)
    lost = pay(shop, key="lost")
    shop.server.terminate()
    replace_database(shop.server, backup)
    shop.server.start()
    wait_until(lambda: stub_stripe.calls(*LIST), what="Stripe to be asked")
    again = pay(shop, key="lost")
    assert (again.data["id"], again.data["status"]) == (lost.data["id"], "completed")
    assert len(stub_stripe.calls(*CHARGE)) == 2


def test_nodes_notice_that_their_database_was_replaced(start_shops, stub_stripe):
    """As after a failover to a server that lacks the last commits."""
    at_a, at_b = start_shops(2)
    pay(at_a)
    backup = back_up(at_a.server)
    lost = pay(at_a, key="lost")
    wait_for_beats(at_a.server, 3)  # which the backup lacks
    put_back(at_a.server, backup)
    at_a.server.wait_for_log(message="the database has lost what was committed")
    wait_until(lambda: stub_stripe.calls(*LIST), what="Stripe to be asked")
    again = pay(at_b, key="lost")
    assert (again.data["id"], again.data["status"]) == (lost.data["id"], "completed")
    assert len(stub_stripe.calls(*CHARGE)) == 2
