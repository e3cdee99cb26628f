// Saving a card while its customer is deleted at the provider: an answer about the previous customer is not
// used for the present one.
#include "prepared_fixture.h"

#include "op/state/inbound.h"
#include "provider/event.h"

#define LEASE_S 110

static const struct fake_call *last_call(const struct fixture *f)
{
    return &f->provider.calls[f->provider.call_count - 1];
}

static void begin_card(struct fixture *f)
{
    f->provider.holds = true;
    engine_begin(f);
    struct prepared card = prepare(f, prepare_card);
    prepared_go(&card);
    assert_int_equal(last_call(f)->verb, PROVIDER_CUSTOMER);
}

static void answer_held(struct fixture *f, struct provider_answer answer)
{
    fake_provider_answer(&f->provider, answer);
    fake_loop_run_for(&f->loop, 0);
}

// The provider reports that it was deleted.
static void delete_customer(struct fixture *f, const char *customer_ref)
{
    char id[UUID_TEXT_BYTES];
    struct card card = card_row(f);
    uuid_format(&card.customer_id, id);
    apply_event(f, (struct provider_event){.id = "evt_1",
                                           .type = "customer.deleted",
                                           .kind = EVENT_CUSTOMER_GONE,
                                           .complete = true,
                                           .object_id = customer_ref,
                                           .customer_id = id});
    assert_int_equal(sql_number(f, "SELECT count(*) FROM customers WHERE gone_us <> 0"), 1);
}

// The call takes longer than its lease: it is planned once more, and the card gets another customer.
static void outlive_lease(struct fixture *f)
{
    struct uuid before = card_row(f).customer_id;
    size_t made = f->provider.call_count;
    engine_run_s(f, LEASE_S);
    struct uuid after = card_row(f).customer_id;
    assert_false(uuid_equal(&before, &after));
    assert_int_equal(f->provider.call_count, made);
}

// From the present customer on: it is made, the card is attached to it, and can be charged.
static void assert_saved_with_another_customer(struct fixture *f)
{
    assert_int_equal(last_call(f)->verb, PROVIDER_CUSTOMER);
    assert_string_not_equal(last_call(f)->idempotency_key, f->provider.calls[0].idempotency_key);
    answer_held(f, answer_customer("cus_2"));
    assert_int_equal(last_call(f)->verb, PROVIDER_ATTACH);
    assert_string_equal(last_call(f)->body, "customer=cus_2");
    answer_held(f, answer_method("pm_2"));
    struct card card = card_row(f);
    assert_int_equal(card.status, CARD_ACTIVE);
    assert_string_equal(card.provider_ref, "pm_2");
    assert_string_equal(open_operations(f, &card.id), "");
}

static void a_card_that_was_attached_to_the_customer_before_is_attached_to_its_own(void **state)
{
    struct fixture *f = *state;
    begin_card(f);
    answer_held(f, answer_customer("cus_1"));
    assert_int_equal(last_call(f)->verb, PROVIDER_ATTACH);
    delete_customer(f, "cus_1");
    outlive_lease(f);
    answer_held(f, answer_method("pm_1"));
    assert_int_equal(card_row(f).status, CARD_SAVING);
    assert_saved_with_another_customer(f);
}

static void a_refusal_of_the_previous_customer_does_not_end_the_card(void **state)
{
    struct fixture *f = *state;
    begin_card(f);
    answer_held(f, answer_customer("cus_1"));
    delete_customer(f, "cus_1");
    outlive_lease(f);
    struct provider_answer missing = answer_not_found();
    missing.customer_missing = true;
    answer_held(f, missing);
    assert_saved_with_another_customer(f);
}

static void a_customer_made_for_the_previous_card_is_not_used_for_this_one(void **state)
{
    struct fixture *f = *state;
    begin_card(f);
    delete_customer(f, "cus_1"); // known by our own id
    outlive_lease(f);
    answer_held(f, answer_customer("cus_1"));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM customers WHERE provider_ref = 'cus_1'"), 0);
    assert_saved_with_another_customer(f);
}

static void a_card_whose_customer_is_deleted_as_it_is_attached_is_not_saved(void **state)
{
    struct fixture *f = *state;
    begin_card(f);
    answer_held(f, answer_customer("cus_1"));
    delete_customer(f, "cus_1");
    answer_held(f, answer_method("pm_1"));
    struct card card = card_row(f);
    assert_int_equal(card.status, CARD_GONE);
    assert_string_equal(card.failure.code, "customer_deleted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_card_that_was_attached_to_the_customer_before_is_attached_to_its_own),
        TEST(a_refusal_of_the_previous_customer_does_not_end_the_card),
        TEST(a_customer_made_for_the_previous_card_is_not_used_for_this_one),
        TEST(a_card_whose_customer_is_deleted_as_it_is_attached_is_not_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
