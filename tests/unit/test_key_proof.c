// A secret key that is refused while a charge's outcome is unknown, and the merchant's next key, which may
// belong to the same account.
#include "prepared_fixture.h"

// The charge is sent again, and its key refused: the next call is the other key's.
static void refuse_key(struct fixture *f)
{
    f->provider.holds = true;
    engine_run_s(f, 10);
    assert_int_equal(f->provider.calls[f->provider.call_count - 1].verb, PROVIDER_CHARGE);
    fake_provider_answer(&f->provider, answer_no_auth());
    assert_int_equal(f->provider.calls[f->provider.call_count - 1].verb, PROVIDER_RETRIEVE);
    assert_string_equal(f->provider.calls[f->provider.call_count - 1].ref, "pi_1");
}

// It would read up to 2,000 others at each attempt.
static void a_charge_reads_no_other_payment_while_its_key_is_the_present_one(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    buy(f);
    run_sql(f, "UPDATE payments SET provider_ref = CAST(x'7069005f31' AS TEXT)"); // damaged
    fake_provider_will(&f->provider, answer_unknown());
    struct buyer *buyer = buy(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 60);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static enum errc abandon(struct fixture *f, const struct uuid *id)
{
    struct payment payment = payment_row(f, id);
    struct tx tx = tx_for(f, "api", "request-1");
    transaction_begin(f);
    enum errc rc = charge_abandon(&tx, &payment, &f->err);
    transaction_end(f);
    return rc;
}

// Nobody can ask only once Stripe says that the present key does not see what the refused one made.
static void a_merchant_cannot_end_a_charge_while_the_next_key_may_belong_to_its_account(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    buy(f); // known as "pi_1"
    struct buyer *buyer = buy(f);
    put_credentials(f, 2, "sk_test_second");
    refuse_key(f);
    fake_provider_answer(&f->provider, answer_unknown());
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(abandon(f, &buyer->payment.id), ERR_CONFLICT);
    refuse_key(f);
    fake_provider_answer(&f->provider, answer_not_found());
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(abandon(f, &buyer->payment.id), OK);
}

// The second key is replaced, and so wiped, while it proves that it is of the first one's account.
static void a_key_that_is_replaced_while_it_proves_its_account_gives_way_to_the_next(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    buy(f); // known as "pi_1"
    struct buyer *buyer = buy(f);
    put_credentials(f, 2, "sk_test_second");
    refuse_key(f);
    assert_string_equal(f->provider.calls[f->provider.call_count - 1].secret_key, "sk_test_second");
    put_credentials(f, 3, "sk_test_third");
    f->provider.holds = false;
    static struct provider_payment found[1];
    found[0] = listed(f, &buyer->payment.id, "pi_2", PROVIDER_PAYMENT_SUCCEEDED);
    fake_provider_will(&f->provider, answer_no_auth());
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_provider_will(&f->provider, answer_list(found, 1, NULL));
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    engine_run_s(f, 60);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONLY_SQLITE("a text cannot hold bytes that are no characters",
                    TEST(a_charge_reads_no_other_payment_while_its_key_is_the_present_one)),
        TEST(a_merchant_cannot_end_a_charge_while_the_next_key_may_belong_to_its_account),
        TEST(a_key_that_is_replaced_while_it_proves_its_account_gives_way_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
