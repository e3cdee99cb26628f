"""Customers of the sandbox, through Stripe's own SDK."""
import pytest
import stripe

from sandbox_fixture import Account


def retrieve(account, customer):
    return stripe.Customer.retrieve(customer.id, **account.options)


def test_a_customer_is_what_was_said(account):
    customer = account.customer(email="jo@example.com", name="Jo", phone="+254700000000", description="a regular",
                                metadata={"our": "7"})
    assert customer.id.startswith("cus_") and customer.object == "customer"
    assert (customer.email, customer.name, customer.phone) == ("jo@example.com", "Jo", "+254700000000")
    assert (customer.description, customer.metadata.our, customer.livemode) == ("a regular", "7", False)
    assert retrieve(account, customer) == customer
    assert account.event_types() == ["customer.created"]


def test_every_creation_makes_another_customer(account):
    assert account.customer(email="jo@example.com").id != account.customer(email="jo@example.com").id


def test_a_creation_under_one_key_makes_one_customer(account):
    first = account.post("/v1/customers", {"email": "jo@example.com"}, key="cus-1")
    again = account.post("/v1/customers", {"email": "jo@example.com"}, key="cus-1")
    assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    assert len(stripe.Customer.list(**account.options).data) == 1


@pytest.mark.parametrize("field, value, code", [
    ("email", "nobody", "email_invalid"), ("email", "@", "email_invalid"), ("email", "jo@" + "x" * 510, None),
    ("name", "x" * 257, None), ("phone", "1" * 21, None), ("description", "x" * 5001, None), ("nickname", "Jo", None)])
def test_a_bad_field_is_refused_by_name(account, field, value, code):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        account.customer(**{field: value})
    assert (caught.value.http_status, caught.value.param) == (400, field)
    assert code is None or caught.value.code == code
    assert stripe.Customer.list(**account.options).data == []


def test_an_update_changes_what_it_names(account):
    customer = account.customer(email="jo@example.com", name="Jo", metadata={"a": "1"})
    changed = stripe.Customer.modify(customer.id, name="", phone="123", metadata={"b": "2"}, **account.options)
    assert (changed.email, changed.name, changed.phone) == ("jo@example.com", None, "123")
    assert changed.metadata == {"a": "1", "b": "2"}
    assert retrieve(account, customer) == changed
    event = account.last_event("customer.updated")
    assert event.data.object.phone == "123" and event.data.previous_attributes == {"name": "Jo", "phone": None,
                                                                                          "metadata": {"b": None}}


def test_an_address_is_kept_and_changed_member_by_member(account):
    customer = account.customer(address={"line1": "1 Main St", "city": "Nairobi", "country": "KE"})
    assert dict(customer.address) == {"line1": "1 Main St", "city": "Nairobi", "country": "KE", "line2": None,
                                      "postal_code": None, "state": None}
    changed = stripe.Customer.modify(customer.id, address={"city": "", "line2": "2nd floor"}, **account.options)
    assert (changed.address.line1, changed.address.line2, changed.address.city) == ("1 Main St", "2nd floor", None)
    event = account.last_event("customer.updated")
    assert event.data.previous_attributes == {"address": {"line2": None, "city": "Nairobi"}}
    assert stripe.Customer.modify(customer.id, address="", **account.options).address is None
    assert account.customer().address is None


def test_an_address_that_is_no_object_is_refused(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        account.customer(address="1 Main St")
    assert caught.value.param == "address"


def test_a_customer_may_be_made_with_a_card_that_is_its_default(account):
    customer = account.customer(payment_method="pm_card_visa",
                                invoice_settings={"default_payment_method": "pm_card_visa", "footer": "Thanks"})
    card = stripe.PaymentMethod.list(customer=customer.id, **account.options).data[0]
    assert customer.invoice_settings.default_payment_method == card.id
    assert (customer.invoice_settings.footer, card.card.last4) == ("Thanks", "4242")
    expanded = stripe.Customer.retrieve(customer.id, expand=["invoice_settings.default_payment_method"],
                                        **account.options)
    assert expanded.invoice_settings.default_payment_method.card.last4 == "4242"
    assert account.event_types() == ["customer.created", "payment_method.attached"]


def test_a_customer_is_not_made_with_a_card_that_declines(account):
    with pytest.raises(stripe.error.CardError) as caught:
        account.customer(payment_method="pm_card_visa_chargeDeclined")
    assert caught.value.http_status == 402
    assert stripe.Customer.list(**account.options).data == []


def test_a_default_card_must_be_the_customers_own(account):
    card = account.attach()
    changed = stripe.Customer.modify(card.customer, invoice_settings={"default_payment_method": card.id},
                                     **account.options)
    assert changed.invoice_settings.default_payment_method == card.id
    event = account.last_event("customer.updated")
    assert event.data.previous_attributes == {"invoice_settings": {"default_payment_method": None}}
    for other in (account.attach().id, "pm_unknown", "pm_card_visa"):
        with pytest.raises(stripe.error.InvalidRequestError) as caught:
            stripe.Customer.modify(card.customer, invoice_settings={"default_payment_method": other},
                                   **account.options)
        assert (caught.value.code, caught.value.param) == ("resource_missing",
                                                           "invoice_settings[default_payment_method]")
    assert stripe.Customer.retrieve(card.customer, **account.options) == changed


def test_a_detached_card_is_no_longer_the_default(account):
    card = account.attach()
    stripe.Customer.modify(card.customer, invoice_settings={"default_payment_method": card.id}, **account.options)
    stripe.PaymentMethod.detach(card.id, **account.options)
    customer = stripe.Customer.retrieve(card.customer, **account.options)
    assert customer.invoice_settings.default_payment_method is None
    event = account.last_event("customer.updated")
    assert event.data.previous_attributes == {"invoice_settings": {"default_payment_method": card.id}}


def test_a_deleted_customer_is_answered_as_deleted_and_cannot_be_used(account):
    customer = account.customer(email="jo@example.com")
    deleted = stripe.Customer.delete(customer.id, **account.options)
    assert deleted.deleted is True and deleted.id == customer.id
    assert retrieve(account, customer).deleted is True
    assert account.last_event("customer.deleted").data.object.email == "jo@example.com"
    for change in (lambda: stripe.Customer.modify(customer.id, name="Jo", **account.options),
                   lambda: stripe.Customer.delete(customer.id, **account.options)):
        with pytest.raises(stripe.error.InvalidRequestError) as caught:
            change()
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert stripe.Customer.list(**account.options).data == []


def test_a_deleted_customer_takes_its_cards_along(account):
    customer = account.customer()
    mine, other = account.attach(customer=customer.id), account.attach()
    stripe.Customer.delete(customer.id, **account.options)
    assert stripe.PaymentMethod.retrieve(mine.id, **account.options).customer is None
    assert stripe.PaymentMethod.retrieve(other.id, **account.options).customer == other.customer
    assert "may not be used again" in account.refused(payment_method=mine.id).user_message
    refused = account.refused(customer=customer.id)
    assert (refused.code, refused.param) == ("resource_missing", "customer")
    assert "payment_method.detached" not in account.event_types()


def test_customers_are_listed_by_their_address_and_by_pages(account):
    made = [account.customer(email=f"{name}@example.com").id for name in ("a", "b", "a", "c")]
    assert [c.id for c in stripe.Customer.list(email="a@example.com", **account.options)] == [made[2], made[0]]
    assert stripe.Customer.list(email="A@example.com", **account.options).data == []
    page = stripe.Customer.list(limit=3, **account.options)
    assert [c.id for c in page.data] == made[:0:-1] and page.has_more
    rest = stripe.Customer.list(limit=3, starting_after=made[1], **account.options)
    assert [c.id for c in rest.data] == made[:1] and not rest.has_more


def test_customers_are_searched_for(account):
    jo = account.customer(email="Jo@Example.com", name="Jo O'Neil", phone="+254700000000", metadata={"our": "7"})
    al = account.customer(email="al@example.com", name="Al", metadata={"our": "8"})
    gone = account.customer(email="gone@example.com")
    stripe.Customer.delete(gone.id, **account.options)

    def found(query, **params):
        return [one.id for one in stripe.Customer.search(query=query, **params, **account.options).data]

    assert found("email:'jo@example.com'") == [jo.id]
    assert found("email~'example'") == [al.id, jo.id]
    assert found("""name:"Jo O'Neil" AND metadata['our']:'7'""") == [jo.id]
    assert found("-metadata['our']:'7'") == [al.id]
    assert found("phone:null OR name:'nobody'") == [al.id]
    assert found(f"created>={jo.created} -name:'al'") == [jo.id]
    page = stripe.Customer.search(query="email~'example'", limit=1, **account.options)
    assert (page.object, page.url, page.has_more) == ("search_result", "/v1/customers/search", True)
    assert [one.id for one in page.auto_paging_iter()] == [al.id, jo.id]


@pytest.mark.parametrize("query", ["status:'succeeded'", "email='a'", "email~'a'", "", None])
def test_a_search_that_is_not_understood_is_refused(account, query):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Customer.search(query=query, **account.options)
    assert (caught.value.http_status, caught.value.param) == (400, "query")


def test_an_unknown_customer_is_missing(account):
    with pytest.raises(stripe.error.InvalidRequestError) as caught:
        stripe.Customer.retrieve("cus_unknown", **account.options)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_customers_and_cards_outlive_a_restart(start_sandbox, tmp_path):
    data = tmp_path / "state"
    first = start_sandbox("--data", data)
    account = Account(first)
    customer, gone = account.customer(email="jo@example.com"), account.customer()
    card = account.attach(customer=customer.id)
    stripe.Customer.delete(gone.id, **account.options)
    first.close()
    account = Account(start_sandbox("--data", data), key=account.key)
    assert retrieve(account, customer) == customer
    assert retrieve(account, gone).deleted is True
    assert stripe.PaymentMethod.retrieve(card.id, **account.options) == card
    assert account.create(customer=customer.id, payment_method=card.id).status == "succeeded"
