// A refund whose outcome is not known for longer than its key is held.
#include "beginnings.h"

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

static void a_refund_that_cannot_be_looked_for_is_asked_after_at_growing_distances(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = answer_no_auth();
    begin_refund(f);
    engine_run_s(f, 3 * 24 * 3600);
    assert_true(calls(f, PROVIDER_REFUND_LIST) > 0);
    assert_in_range(f->provider.call_count, 20, 100);
    assert_int_equal(sql_number(f, "SELECT status = 'pending' FROM refunds"), 1);
}

static void a_refund_that_is_not_there_once_its_key_is_forgotten_is_sent_anew(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refund_that_cannot_be_looked_for_is_asked_after_at_growing_distances),
        TEST(a_refund_that_is_not_there_once_its_key_is_forgotten_is_sent_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
