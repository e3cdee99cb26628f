// Two nodes at the same moment: how far an account is read for what this database lacks.
#include "many_writers.h"

#include "op/state/catch_up_schedule.h"

static struct catch_up catching_up(struct fixture *f, struct db *db)
{
    struct catch_up row = {0};
    assert_int_equal(catch_up_get(db, &f->credential_id, &f->arena, &row, &f->err), OK);
    return row;
}

// As the settle of a page.
static enum errc read_position(struct deed *deed, struct tx *tx, struct err *err)
{
    struct catch_up *row = (void *)(uintptr_t)deed->what;
    const enum errc rc = credential_lock(tx->db, &deed->f->credential_id, err);
    *row = catching_up(deed->f, tx->db);
    return rc;
}

static enum errc put_next_position(struct deed *deed, struct tx *tx, struct err *err)
{
    struct catch_up *row = (void *)(uintptr_t)deed->what;
    row->payments_read = true;
    return catch_up_put(tx->db, row, err);
}

static enum errc begin_catching_up(struct deed *deed, struct tx *tx, struct err *err)
{
    (void)deed;
    return catch_ups_begin(tx->db, START_US / US_PER_S, 0, tx->now_us, err);
}

static void catching_up_that_begins_anew_is_not_undone_by_a_page(void **state)
{
    struct fixture *f = *state;
    struct catch_up row = {0};
    transaction_begin(f);
    assert_int_equal(catch_ups_begin(f->db, START_US / US_PER_S, 0, START_US, &f->err), OK);
    transaction_end(f);
    struct deed first = {.run = read_position, .then = put_next_position, .what = &row};
    struct deed second = {.run = begin_catching_up};
    assert_int_equal(at_once(f, &first, &second), OK);
    transaction_begin(f);
    assert_false(catching_up(f, f->db).payments_read);
    transaction_end(f);
    assert_int_equal(second.runs, 1); // no deadlock
    deed_end(&first);
    deed_end(&second);
}

static enum errc miss_payment(struct deed *deed, struct tx *tx, struct err *err)
{
    return catch_up_schedule(tx, &deed->f->merchant_id, false, deed->what, err);
}

static void an_account_is_read_from_the_earliest_of_its_lost_payments_on(void **state)
{
    struct fixture *f = *state;
    const int64_t earlier_us = START_US - 7200 * US_PER_S;
    const struct uuid earlier = uuid_new(&random_system, earlier_us);
    const struct uuid later = uuid_new(&random_system, START_US);
    struct deed first = {.run = miss_payment, .what = &earlier};
    struct deed second = {.run = miss_payment, .what = &later};
    assert_int_equal(at_once(f, &first, &second), OK);
    transaction_begin(f);
    assert_int_equal(catching_up(f, f->db).from_s, earlier_us / US_PER_S - CATCH_UP_CLOCK_SLACK_S);
    transaction_end(f);
    deed_end(&first);
    deed_end(&second);
}

int main(void)
{
    SKIP_WITHOUT_NODES();
    const struct CMUnitTest tests[] = {
        TEST(catching_up_that_begins_anew_is_not_undone_by_a_page),
        TEST(an_account_is_read_from_the_earliest_of_its_lost_payments_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
