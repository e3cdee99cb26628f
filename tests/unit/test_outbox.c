// The outbox's queries on SQLite: when each event is due, and which event waits for which.
#include "outbox_fixture.h"

static void a_new_event_is_due_at_once_and_claimed_once(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid id = append(f, shop, id_of(9), NOW);
    struct outbox_event event;
    assert_false(claim(f, shop, NOW - 1, &event));
    event = must_claim(f, shop, NOW, id);
    assert_string_equal(event.body, "{}");
    assert_string_equal(event.type, "payment.completed");
    assert_row(f, id, "processing", NOW + LEASE);
    assert_false(claim(f, shop, NOW + LEASE - 1, &event));
    must_claim(f, shop, NOW + LEASE, id);
}

static void the_longest_due_event_is_claimed_first(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid late = append(f, shop, id_of(7), NOW + 2);
    struct uuid early = append(f, shop, id_of(8), NOW + 1);
    must_claim(f, shop, NOW + 5, early);
    must_claim(f, shop, NOW + 5, late);
}

static void an_event_waits_for_an_open_one_of_its_transaction(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid first = append(f, shop, id_of(9), NOW);
    struct uuid second = append(f, shop, id_of(9), NOW);
    struct uuid third = append(f, shop, id_of(9), NOW);
    struct outbox_event event = must_claim(f, shop, NOW, first);
    struct outbox_event none;
    assert_false(claim(f, shop, NOW, &none));
    assert_row(f, second, "pending", OUTBOX_BLOCKED);

    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW, .retry_us = NOW + 5}));
    assert_row(f, first, "retrying", NOW + 5);
    assert_row(f, second, "pending", OUTBOX_BLOCKED);

    event = must_claim(f, shop, NOW + 5, first);
    assert_int_equal(event.attempts, 1);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW + 6, .status_code = 200}));
    assert_row(f, first, "delivered", 0);
    assert_row(f, second, "pending", NOW + 6);
    assert_row(f, third, "pending", OUTBOX_BLOCKED);

    event = must_claim(f, shop, NOW + 6, second);
    assert_true(
        record(f, &event, (struct outbox_attempt){OUTBOX_DEAD, NOW + 7, .status_code = 500, .error = "no"}));
    assert_row(f, second, "dead", 0);
    assert_string_equal(row_of(f, second).last_error, "no");
    assert_row(f, third, "pending", NOW + 7);
}

static void events_of_different_transactions_or_of_none_wait_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    const struct uuid none = {0};
    struct uuid ids[] = {append(f, shop, id_of(7), NOW), append(f, shop, id_of(8), NOW),
                         append(f, shop, none, NOW), append(f, shop, none, NOW)};
    for (size_t i = 0; i < 4; i++) {
        assert_row(f, ids[i], "pending", NOW);
    }
    struct outbox_event event = must_claim(f, shop, NOW, ids[0]);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW, .status_code = 200}));
}

static void an_outcome_that_comes_after_its_lease_was_lost_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid first = append(f, shop, id_of(9), NOW);
    struct uuid second = append(f, shop, id_of(9), NOW);
    struct outbox_event lost = must_claim(f, shop, NOW, first);
    must_claim(f, shop, NOW + LEASE, first);
    assert_false(record(f, &lost, (struct outbox_attempt){OUTBOX_DELIVERED, NOW, .status_code = 200}));
    assert_row(f, first, "processing", NOW + LEASE + LEASE);
    assert_row(f, second, "pending", OUTBOX_BLOCKED);
}

static void without_an_endpoint_an_event_waits_until_there_is_one(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, false);
    struct uuid id = append(f, shop, id_of(9), NOW);
    struct outbox_event event;
    assert_row(f, id, "pending", OUTBOX_PARKED);
    assert_false(claim(f, shop, INT64_MAX - 2, &event));
    int64_t moved = 0;
    assert_int_equal(outbox_release_merchant(f->db, &shop, NOW + 9, &moved, &f->err), OK);
    assert_int_equal(moved, 1);
    assert_false(claim(f, shop, NOW + 9, &event));
    database_run(f->db, "UPDATE merchants SET webhook_url = 'https://shop.example/'");
    must_claim(f, shop, NOW + 9, id);
}

static void a_410_makes_all_of_a_merchants_events_wait_but_those_being_sent(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid other_shop = add_merchant(f, 2, true);
    struct uuid gone = append(f, shop, id_of(5), NOW);
    struct uuid retrying = append(f, shop, id_of(6), NOW + 1);
    struct uuid sent = append(f, shop, id_of(7), NOW + 2);
    struct uuid due = append(f, shop, id_of(8), NOW + 3);
    struct uuid blocked = append(f, shop, id_of(8), NOW + 3);
    struct uuid other = append(f, other_shop, id_of(9), NOW);
    struct outbox_event gone_event = must_claim(f, shop, NOW, gone);
    struct outbox_event event = must_claim(f, shop, NOW + 1, retrying);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW + 1, .retry_us = NOW + 500}));
    event = must_claim(f, shop, NOW + 2, sent);

    const struct outbox_attempt attempt = {OUTBOX_GONE, NOW + 4, .status_code = 410,
                                           .merchant_updated_us = NOW};
    assert_true(record(f, &gone_event, attempt));
    assert_row(f, gone, "pending", OUTBOX_PARKED);
    assert_int_equal(row_of(f, gone).attempts, 1);
    assert_row(f, retrying, "pending", OUTBOX_PARKED);
    assert_row(f, due, "pending", OUTBOX_PARKED);
    assert_row(f, sent, "processing", NOW + 2 + LEASE);
    assert_row(f, blocked, "pending", OUTBOX_BLOCKED);
    assert_row(f, other, "pending", NOW);
    assert_row(f, append(f, shop, id_of(10), NOW + 5), "pending", OUTBOX_PARKED);

    struct merchant merchant;
    assert_int_equal(merchant_get(f->db, &shop, &f->arena, &merchant, &f->err), OK);
    assert_true(merchant.webhook_stopped);
}

static void a_410_from_an_old_endpoint_does_not_stop_the_one_set_since(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct outbox_event event = must_claim(f, shop, NOW, append(f, shop, id_of(9), NOW));
    struct uuid other = append(f, shop, id_of(8), NOW);
    struct merchant merchant;
    assert_int_equal(merchant_get(f->db, &shop, &f->arena, &merchant, &f->err), OK);
    merchant.webhook_url = "https://shop.example/new";
    merchant.updated_us = NOW + 1;
    assert_int_equal(merchant_update_webhook(f->db, &merchant, &f->err), OK);

    const struct outbox_attempt attempt = {OUTBOX_GONE, NOW + 2, .status_code = 410,
                                           .merchant_updated_us = NOW};
    assert_true(record(f, &event, attempt));
    assert_int_equal(merchant_get(f->db, &shop, &f->arena, &merchant, &f->err), OK);
    assert_false(merchant.webhook_stopped);
    assert_row(f, other, "pending", NOW);
}

static void waiting_events_expire_and_release_the_next(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, false);
    struct uuid first = append(f, shop, id_of(9), NOW);
    struct uuid second = append(f, shop, id_of(9), NOW + 100);
    struct uuid third = append(f, shop, id_of(8), NOW + 100);
    bool has = false;
    assert_int_equal(outbox_expire_parked(f->db, &shop, NOW, NOW + 50, &has, &f->err), OK);
    assert_false(has);
    assert_int_equal(outbox_expire_parked(f->db, &shop, NOW + 1, NOW + 50, &has, &f->err), OK);
    assert_true(has);
    assert_row(f, first, "dead", 0);
    assert_row(f, second, "pending", NOW + 50);
    assert_row(f, third, "pending", OUTBOX_PARKED);
    assert_int_equal(outbox_expire_parked(f->db, &shop, NOW + 1, NOW + 50, &has, &f->err), OK);
    assert_false(has);
}

static void all_leases_end_at_a_start(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid fresh = append(f, shop, id_of(7), NOW);
    struct uuid retried = append(f, shop, id_of(8), NOW + 1);
    struct uuid delivered = append(f, shop, id_of(9), NOW + 2);
    must_claim(f, shop, NOW, fresh);
    struct outbox_event event = must_claim(f, shop, NOW + 1, retried);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW + 1, .retry_us = NOW + 1}));
    must_claim(f, shop, NOW + 1, retried);
    event = must_claim(f, shop, NOW + 2, delivered);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW + 2, .status_code = 200}));
    int64_t count = 0;
    assert_int_equal(outbox_release_leases(f->db, NOW + 5, &count, &f->err), OK);
    assert_int_equal(count, 2);
    assert_row(f, fresh, "pending", NOW + 5);
    assert_row(f, retried, "retrying", NOW + 5);
    assert_row(f, delivered, "delivered", 0);
}

static void a_clock_that_was_set_back_leaves_leases_and_queues_alone(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid homeless = add_merchant(f, 2, false);
    struct uuid sent = append(f, shop, id_of(7), NOW);
    struct uuid blocked = append(f, shop, id_of(7), NOW);
    must_claim(f, shop, NOW, sent);
    struct uuid later = append(f, shop, id_of(8), NOW + 500);
    struct uuid past = append(f, shop, id_of(9), NOW + 40);
    struct uuid waiting = append(f, homeless, id_of(10), NOW + 500);
    assert_int_equal(outbox_clock_set_back(f->db, NOW, 100, &f->err), OK);
    assert_row(f, sent, "processing", NOW + LEASE);
    assert_row(f, blocked, "pending", OUTBOX_BLOCKED);
    assert_row(f, later, "pending", NOW + 400);
    assert_row(f, past, "pending", NOW);
    assert_row(f, waiting, "pending", OUTBOX_PARKED);
    bool has = false;
    assert_int_equal(outbox_expire_parked(f->db, &homeless, NOW + 1, NOW + 1, &has, &f->err), OK);
    assert_true(has); // it is as old as now
}

static int64_t rows_written(struct fixture *f)
{
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query_once(f->db, &rows, &f->err, "SELECT total_changes()", NULL, 0), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    return db_i64(&rows, 0);
}

static void a_clock_that_was_not_set_back_changes_only_times_beyond_any_retry(void **state)
{
    struct fixture *f = *state;
    const int64_t year_us = 365 * 24 * INT64_C(3600000000);
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid later = append(f, shop, id_of(7), NOW + 500);
    struct uuid never = append(f, shop, id_of(8), NOW + year_us);
    assert_int_equal(outbox_clock_set_back(f->db, NOW, 0, &f->err), OK);
    assert_row(f, later, "pending", NOW + 500);
    assert_row(f, never, "pending", NOW);
    int64_t before = rows_written(f);
    assert_int_equal(outbox_clock_set_back(f->db, NOW, 0, &f->err), OK);
    assert_int_equal(rows_written(f), before);
}

static void merchants_are_walked_by_id_with_their_first_time(void **state)
{
    struct fixture *f = *state;
    struct uuid second = add_merchant(f, 2, true);
    struct uuid without = add_merchant(f, 3, false);
    struct uuid first = add_merchant(f, 1, true);
    add_merchant(f, 4, true); // has no events
    append(f, second, id_of(9), NOW + 7);
    append(f, second, id_of(8), NOW + 5);
    append(f, without, id_of(10), NOW);
    append(f, first, id_of(11), NOW + 9);
    struct outbox_queue queue;
    assert_true(next_queue(f, (struct uuid){0}, &queue));
    assert_memory_equal(&queue.merchant_id, &first, sizeof(first));
    assert_true(next_queue(f, first, &queue));
    assert_memory_equal(&queue.merchant_id, &second, sizeof(second));
    assert_int_equal(queue.first_us, NOW + 5);
    assert_true(queue.has_endpoint);
    assert_false(next_queue(f, second, &queue));

    bool has = false;
    assert_int_equal(outbox_next_parked(f->db, &(struct uuid){0}, &queue, &has, &f->err), OK);
    assert_true(has);
    assert_memory_equal(&queue.merchant_id, &without, sizeof(without));
    assert_false(queue.has_endpoint);
    assert_int_equal(outbox_next_parked(f->db, &without, &queue, &has, &f->err), OK);
    assert_false(has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_event_is_due_at_once_and_claimed_once),
        TEST(the_longest_due_event_is_claimed_first),
        TEST(an_event_waits_for_an_open_one_of_its_transaction),
        TEST(events_of_different_transactions_or_of_none_wait_for_nothing),
        TEST(an_outcome_that_comes_after_its_lease_was_lost_writes_nothing),
        TEST(without_an_endpoint_an_event_waits_until_there_is_one),
        TEST(a_410_makes_all_of_a_merchants_events_wait_but_those_being_sent),
        TEST(a_410_from_an_old_endpoint_does_not_stop_the_one_set_since),
        TEST(waiting_events_expire_and_release_the_next),
        TEST(all_leases_end_at_a_start),
        ONLY_SQLITE("total_changes() counts the rows",
                    TEST(a_clock_that_was_not_set_back_changes_only_times_beyond_any_retry)),
        TEST(a_clock_that_was_set_back_leaves_leases_and_queues_alone),
        TEST(merchants_are_walked_by_id_with_their_first_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
