// A refund whose outcome stays unknown for longer than its key is valid.
#include "op_setup.h"

static void begin_refund(struct fixture *f)
{
    engine_begin(f);
    struct prepared refund = prepare(f, prepare_refund);
    fake_provider_will(&f->provider, answer_unknown());
    prepared_go(&refund);
}

static size_t calls(const struct fixture *f, enum provider_verb verb)
{
    return fake_provider_count(&f->provider, verb);
}

static void a_refund_that_cannot_be_looked_up_is_checked_at_growing_intervals(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = answer_no_auth();
    begin_refund(f);
    engine_run_s(f, 3 * 24 * 3600);
    assert_true(calls(f, PROVIDER_REFUND_LIST) > 0);
    assert_in_range(f->provider.call_count, 20, 100);
    assert_int_equal(sql_number(f, "SELECT status = 'pending' FROM refunds"), 1);
}

static void a_refund_that_is_absent_after_its_key_expired_is_sent_again(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = answer_no_auth();
    begin_refund(f);
    engine_run_s(f, 23 * 3600 + 1800);
    size_t sent = calls(f, PROVIDER_REFUND);
    f->provider.otherwise = answer_list(NULL, 0, NULL); // of refunds too: an empty one
    engine_run_s(f, 3600);
    assert_int_equal(calls(f, PROVIDER_REFUND), sent);
    engine_run_s(f, 3600);
    assert_int_equal(calls(f, PROVIDER_REFUND), sent + 1);
}

// The list shows at once that it may be sent anew, but that cannot be recorded.
static void a_refund_whose_absence_cannot_be_recorded_is_checked_at_growing_intervals(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = answer_no_auth();
    begin_refund(f);
    engine_run_s(f, 26 * 3600);
    run_sql(f, "CREATE UNIQUE INDEX refuse ON operations((absent_us <> 0)) WHERE absent_us <> 0");
    run_sql(f, "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id,"
               " attempts, unresolved, look_up, absent_us, next_attempt_us, created_us) SELECT subject_id,"
               " 'sync', merchant_id, livemode, credential_version_id, 0, 0, 0, 1,"
               " next_attempt_us + 1000000000000, created_us FROM operations WHERE kind = 'refund'");
    run_sql(f, "UPDATE operations SET next_attempt_us = 0 WHERE kind = 'refund'");
    size_t before = calls(f, PROVIDER_REFUND_LIST);
    f->provider.otherwise = answer_list(NULL, 0, NULL); // of refunds too: an empty one
    engine_run_s(f, 600);
    assert_int_equal(calls(f, PROVIDER_REFUND_LIST) - before, 1);
}

#define TWIN_ID "x'0A000000000000000000000000000001'"

static struct provider_answer refunded(void)
{
    return (struct provider_answer){.outcome = PROVIDER_DONE,
                                    .status = 200,
                                    .has_refund = true,
                                    .refund = {.id = "re_1",
                                               .status = REFUND_COMPLETED,
                                               .amount_provider_minor = 5000,
                                               .currency = "usd",
                                               .payment_ref = "pi_1"}};
}

// As an older version of this program did it, where the event came first.
static void a_refund_that_was_taken_over_under_its_id_before_it_was_answered_counts_once(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct prepared refund = prepare(f, prepare_refund);
    prepared_go(&refund);
    run_sql(f, "INSERT INTO refunds SELECT " TWIN_ID
               ", payment_id, merchant_id, livemode, amount_minor, currency,"
               " 'completed', 're_1', NULL, NULL, NULL, credential_version_id, created_us + 1, updated_us "
               "FROM refunds");
    run_sql(f, "UPDATE payments SET refunded_minor = 5000, status = 'refunded'");
    fake_provider_answer(&f->provider, refunded());
    engine_run_s(f, 1);
    assert_int_equal(sql_number(f, "SELECT status = 'completed' AND provider_ref = 're_1' FROM refunds"
                                   " WHERE id <> " TWIN_ID),
                     1);
    assert_int_equal(sql_number(f, "SELECT status = 'failed' AND provider_ref IS NULL FROM refunds"
                                   " WHERE id = " TWIN_ID),
                     1);
    assert_int_equal(sql_number(f, "SELECT refunded_minor FROM payments WHERE status = 'refunded'"), 5000);
    assert_string_equal(events_of(f, &PAYMENT_ID), "refund.failed, payment.refunded");
    assert_string_equal(open_operations(f, &REFUND_ID), "");
}

static void a_refund_that_never_fits_is_read_again_for_an_hour_and_then_noted(void **state)
{
    static struct provider_refund too_much[1];
    struct fixture *f = *state;
    too_much[0] = refunded().refund;
    too_much[0].amount_provider_minor = 5001;
    f->provider.otherwise = (struct provider_answer){
        .outcome = PROVIDER_DONE, .status = 200, .refunds = too_much, .refund_count = 1};
    engine_begin(f);
    (void)prepare(f, schedule_refunds);
    engine_due(f->engine, 0);
    engine_run_s(f, 3000);
    assert_string_equal(open_operations(f, &PAYMENT_ID), "refunds");
    engine_run_s(f, 3 * 3600);
    assert_string_equal(open_operations(f, &PAYMENT_ID), "");
    assert_in_range(f->provider.call_count, 4, 8);
    assert_string_equal(history_of(f, &PAYMENT_ID), "ignored: a refund that does not fit completed recovery");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM refunds"), 0);
}

// The payment's row is damaged between the plan and the answer.
static void a_refund_whose_payment_cannot_be_read_stays_open(void **state)
{
    static struct provider_refund unmarked[1];
    struct fixture *f = *state;
    engine_begin(f);
    struct prepared refund = prepare(f, prepare_refund);
    fake_provider_will(&f->provider, answer_look_up());
    prepared_go(&refund);
    f->provider.holds = true;
    while (calls(f, PROVIDER_REFUND_LIST) == 0) {
        engine_run_s(f, 1);
    }
    run_sql(f, "UPDATE payments SET currency = 'XXX'");
    unmarked[0] = refunded().refund;
    unmarked[0].unmarked = true;
    f->provider.otherwise = (struct provider_answer){
        .outcome = PROVIDER_DONE, .status = 200, .refunds = unmarked, .refund_count = 1};
    fake_provider_answer(&f->provider, f->provider.otherwise);
    f->provider.holds = false;
    engine_run_s(f, 1);
    assert_int_equal(sql_number(f, "SELECT status = 'pending' FROM refunds"), 1);
    run_sql(f, "UPDATE payments SET currency = 'USD'");
    engine_run_s(f, 3600);
    assert_int_equal(sql_number(f, "SELECT status = 'completed' FROM refunds"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refund_that_cannot_be_looked_up_is_checked_at_growing_intervals),
        TEST(a_refund_that_is_absent_after_its_key_expired_is_sent_again),
        TEST(a_refund_whose_absence_cannot_be_recorded_is_checked_at_growing_intervals),
        TEST(a_refund_that_never_fits_is_read_again_for_an_hour_and_then_noted),
        TEST(a_refund_whose_payment_cannot_be_read_stays_open),
        TEST(a_refund_that_was_taken_over_under_its_id_before_it_was_answered_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
