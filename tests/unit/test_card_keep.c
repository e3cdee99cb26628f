// The card that a payment saves: once for each payment, however the payment completes, and one row for each
// card number of the customer.
#include "prepared_fixture.h"

#include "op/state/inbound.h"
#include "provider/event.h"

#define CARDS "SELECT count(*) FROM cards WHERE status = "
#define ACTIVE CARDS "'active'"
#define WINDOW_S 600

static const struct fake_call *last_call(const struct fixture *f)
{
    return &f->provider.calls[f->provider.call_count - 1];
}

// Up to the reading of its method, which is under way. Each has its own intent.
static struct buyer *pay(struct fixture *f, const char *intent_ref)
{
    f->provider.holds = true;
    struct provider_answer paid = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    paid.payment.id = intent_ref;
    struct buyer *buyer = buy_and_save(f);
    if (last_call(f)->verb == PROVIDER_CUSTOMER) {
        fake_provider_answer(&f->provider, answer_customer("cus_1"));
        fake_loop_run_for(&f->loop, 0);
    }
    fake_provider_answer(&f->provider, paid);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(last_call(f)->verb, PROVIDER_PAID_METHOD);
    assert_string_equal(last_call(f)->ref, intent_ref);
    return buyer;
}

static void answer_read(struct fixture *f, const char *intent_ref, struct provider_answer answer)
{
    answer.payment.id = intent_ref;
    fake_provider_answer(&f->provider, answer);
    fake_loop_run_for(&f->loop, 0);
}

static void wait_for_call(struct fixture *f)
{
    for (int i = 0; i < 100 && list_empty(&f->provider.held); i++) {
        engine_run_s(f, 10);
    }
}

static struct buyer *pay_and_save(struct fixture *f, const char *intent_ref, const char *method_ref,
                                  const char *fingerprint)
{
    struct buyer *buyer = pay(f, intent_ref);
    answer_read(f, intent_ref, answer_paid_method(method_ref, "cus_1", fingerprint));
    return buyer;
}

static bool noted(struct fixture *f, struct buyer *buyer, const char *what)
{
    return strstr(history_of(f, &buyer->payment.id), what) != NULL;
}

static void a_card_is_saved_as_the_provider_shows_it(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = pay(f, "pi_1");
    assert_int_equal(sql_number(f, CARDS "'saving'"), 1);
    answer_read(f, "pi_1", answer_paid_method("pm_1", "cus_1", "f1"));
    assert_int_equal(sql_number(f,
                                ACTIVE " AND provider_ref = 'pm_1' AND last4 = '4242' AND fingerprint = 'f1'"
                                       " AND customer_email = 'buyer@shop.example' AND is_default = 1"),
                     1);
    assert_true(noted(f, buyer, ", card saved completed recovery"));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM outbox WHERE type = 'card.saved'"), 1);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE kind <> 'events'"), 0);
}

static void a_payment_that_is_reported_again_saves_no_second_card(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = pay_and_save(f, "pi_1", "pm_1", "f1");
    struct tx tx = tx_for(f, "api", "request-1");
    struct payment payment = payment_row(f, &buyer->payment.id);
    const struct provider_payment again = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    transaction_begin(f);
    assert_int_equal(payment_apply_reported(&tx, &payment, &again, &f->err), OK);
    transaction_end(f);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards"), 1);
}

static void a_payment_that_completes_after_it_failed_saves_its_card(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    fake_provider_will(&f->provider, answer_declined());
    struct buyer *buyer = buy_and_save(f);
    struct tx tx = tx_for(f, "api", "request-1");
    struct payment payment = payment_row(f, &buyer->payment.id);
    const struct provider_payment paid = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards"), 0);
    transaction_begin(f);
    assert_int_equal(payment_apply_reported(&tx, &payment, &paid, &f->err), OK);
    transaction_end(f);
    fake_provider_will(&f->provider, answer_paid_method("pm_1", "cus_1", "f1"));
    engine_due(f->engine, 0);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(sql_number(f, ACTIVE), 1);
}

static void a_method_of_another_customer_is_no_card(void **state)
{
    struct fixture *f = *state;
    struct provider_answer without = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    const struct provider_answer answers[] = {
        answer_paid_method("pm_1", NULL, "f1"),
        answer_paid_method("pm_1", "cus_of_another", "f1"),
        without,
        answer_not_found(),
    };
    engine_begin(f);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        const char *intent_ref = arena_printf(&f->arena, "pi_%zu", i);
        struct buyer *buyer = pay(f, intent_ref);
        answer_read(f, intent_ref, answers[i]);
        assert_int_equal(sql_number(f, ACTIVE), 0);
        assert_int_equal(sql_number(f, CARDS "'gone'"), i + 1);
        assert_true(noted(f, buyer, "card not saved"));
    }
    assert_int_equal(sql_number(f, "SELECT count(*) FROM outbox WHERE type LIKE 'card.%'"), 0);
}

static void an_answer_that_cannot_be_read_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct provider_answer others = answer_paid_method("pm_1", "cus_1", "f1");
    engine_begin(f);
    pay(f, "pi_1");
    answer_read(f, "pi_1", answer_unknown());
    wait_for_call(f);
    answer_read(f, "pi_of_another", others);
    assert_int_equal(sql_number(f, CARDS "'saving'"), 1);
    wait_for_call(f);
    answer_read(f, "pi_1", answer_no_auth());
    assert_int_equal(sql_number(f, CARDS "'saving'"), 1);
    wait_for_call(f);
    answer_read(f, "pi_1", answer_paid_method("pm_1", "cus_1", "f1"));
    assert_int_equal(sql_number(f, ACTIVE), 1);
}

static void a_customer_deleted_meanwhile_ends_the_card_too(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = pay(f, "pi_1");
    apply_event(f, (struct provider_event){.id = "evt_1",
                                           .type = "customer.deleted",
                                           .kind = EVENT_CUSTOMER_GONE,
                                           .complete = true,
                                           .object_id = "cus_1"});
    answer_read(f, "pi_1", answer_paid_method("pm_1", "cus_1", "f1"));
    assert_int_equal(sql_number(f, ACTIVE), 0);
    assert_true(noted(f, buyer, "card not saved"));
}

static void a_method_with_an_event_meanwhile_is_read_once_more(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay(f, "pi_1");
    apply_event(f, (struct provider_event){.id = "evt_1",
                                           .type = "payment_method.updated",
                                           .kind = EVENT_METHOD_UPDATED,
                                           .complete = true,
                                           .object_id = "pm_1",
                                           .customer_ref = "cus_1"});
    answer_read(f, "pi_1", answer_paid_method("pm_1", "cus_1", "f1"));
    assert_int_equal(last_call(f)->verb, PROVIDER_METHOD_RETRIEVE);
    assert_string_equal(last_call(f)->ref, "pm_1");
}

// --- the same number again

static void the_same_number_again_is_the_same_card_with_the_newer_method(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay_and_save(f, "pi_1", "pm_1", "f1");
    run_sql(f, "CREATE TABLE first_card AS SELECT id FROM cards WHERE status = 'active'");
    pay_and_save(f, "pi_2", "pm_2", "f1");
    assert_int_equal(sql_number(f, ACTIVE), 1);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards WHERE provider_ref = 'pm_2' AND is_default = 1"
                                   " AND id = (SELECT id FROM first_card)"),
                     1);
    assert_int_equal(last_call(f)->verb, PROVIDER_DETACH);
    assert_string_equal(last_call(f)->ref, "pm_1");
    assert_int_equal(
        sql_number(f, "SELECT count(DISTINCT transaction_id) FROM outbox WHERE type = 'card.saved'"), 1);
}

static void the_same_method_again_is_the_same_card_and_is_not_detached(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay_and_save(f, "pi_1", "pm_1", "f1");
    pay_and_save(f, "pi_2", "pm_1", "f1");
    assert_int_equal(sql_number(f, ACTIVE " AND provider_ref = 'pm_1'"), 1);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_DETACH), 0);
}

static void the_card_of_the_method_is_meant_when_two_have_one_number(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay_and_save(f, "pi_1", "pm_1", "f1");
    pay_and_save(f, "pi_2", "pm_2", "f2");
    run_sql(f, "UPDATE cards SET fingerprint = 'f1'"); // as two that were saved by requests of their own
    pay_and_save(f, "pi_3", "pm_2", "f1");
    assert_int_equal(sql_number(f, ACTIVE " AND provider_ref IN ('pm_1', 'pm_2')"), 2);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_DETACH), 0);
}

static void other_numbers_and_methods_without_one_are_cards_of_their_own(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay_and_save(f, "pi_1", "pm_1", "f1");
    pay_and_save(f, "pi_2", "pm_2", "f2");
    pay_and_save(f, "pi_3", "pm_3", NULL);
    pay_and_save(f, "pi_4", "pm_4", NULL);
    assert_int_equal(sql_number(f, ACTIVE), 4);
    assert_int_equal(sql_number(f, ACTIVE " AND is_default = 1"), 1);
}

static void a_method_that_is_being_charged_is_detached_when_that_can_no_longer_be_sent(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay_and_save(f, "pi_1", "pm_1", "f1");
    struct buyer *charged = buyer_new(f);
    assert_int_equal(buyer_prepare(charged), OK);
    run_sql(f, "UPDATE payments SET saved_card_id = (SELECT id FROM cards) WHERE provider_ref IS NULL");
    pay_and_save(f, "pi_2", "pm_2", "f1");
    engine_run_s(f, WINDOW_S - 10);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_DETACH), 0);
    engine_run_s(f, 20);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_DETACH), 1);
}

static void a_method_that_is_saved_again_before_it_is_detached_stays(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    pay_and_save(f, "pi_1", "pm_1", "f1");
    struct buyer *charged = buyer_new(f);
    assert_int_equal(buyer_prepare(charged), OK);
    run_sql(f, "UPDATE payments SET saved_card_id = (SELECT id FROM cards) WHERE provider_ref IS NULL");
    pay_and_save(f, "pi_2", "pm_2", "f1");
    pay_and_save(f, "pi_3", "pm_1", NULL);
    engine_run_s(f, WINDOW_S + 10);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_DETACH), 0);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE kind = 'detach'"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_card_is_saved_as_the_provider_shows_it),
        TEST(a_payment_that_is_reported_again_saves_no_second_card),
        TEST(a_payment_that_completes_after_it_failed_saves_its_card),
        TEST(a_method_of_another_customer_is_no_card),
        TEST(an_answer_that_cannot_be_read_is_read_again),
        TEST(a_customer_deleted_meanwhile_ends_the_card_too),
        TEST(a_method_with_an_event_meanwhile_is_read_once_more),
        TEST(the_same_number_again_is_the_same_card_with_the_newer_method),
        TEST(the_same_method_again_is_the_same_card_and_is_not_detached),
        TEST(the_card_of_the_method_is_meant_when_two_have_one_number),
        TEST(other_numbers_and_methods_without_one_are_cards_of_their_own),
        TEST(a_method_that_is_being_charged_is_detached_when_that_can_no_longer_be_sent),
        TEST(a_method_that_is_saved_again_before_it_is_detached_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
