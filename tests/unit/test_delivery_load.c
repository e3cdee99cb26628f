// Many events, many merchants and failures around the delivery: nobody waits for the endpoint of another,
// nothing is polled, nothing is lost.
#include "delivery_fixture.h"

#define SLOW "https://slow.example/"
#define GOOD "https://good.example/"

static void a_hanging_endpoint_with_a_backlog_does_not_delay_another(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    f->fake.endpoints[1] = (struct endpoint){GOOD, 200, NULL};
    struct uuid slow = add_merchant(f, 1, SLOW);
    struct uuid good = add_merchant(f, 2, GOOD);
    for (int i = 0; i < 500; i++) {
        append(f, slow, 0);
    }
    start(f);
    run_for_s(f, 7);
    uint32_t number = append(f, good, 0);
    fixture_wake(f);
    assert_string_equal(event(f, number).status, "delivered");
    assert_int_equal(event(f, number).delivered_us, START_US + 7 * US_PER_S);
    assert_int_equal(requests_to(f, SLOW), 4);
    run_for_s(f, 8);
    assert_int_equal(requests_to(f, SLOW), 5); // one at a time, now that they have failed
    assert_int_equal(f->fake.in_flight_max, 5);
}

static void all_merchants_together_never_have_more_in_flight_than_allowed(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 6;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    for (uint8_t number = 1; number <= 5; number++) {
        struct uuid shop = add_merchant(f, number, SLOW);
        for (int i = 0; i < 10; i++) {
            append(f, shop, 0);
        }
    }
    start(f);
    run_for_s(f, 100);
    assert_int_equal(f->fake.in_flight_max, 6);
    assert_true(f->fake.request_count >= 24); // those that have failed leave half of the slots unused
}

static void after_a_restart_endpoints_that_hang_do_not_take_the_slots_of_another(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 6;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    f->fake.endpoints[1] = (struct endpoint){GOOD, 200, NULL};
    for (uint8_t number = 1; number <= 12; number++) {
        struct uuid shop = add_merchant(f, number, SLOW);
        for (int i = 0; i < 10; i++) {
            append(f, shop, 0);
        }
    }
    struct uuid good = add_merchant(f, 13, GOOD);
    start(f);
    run_for_s(f, 100); // each has failed by now
    stop(f);
    start(f);
    assert_int_equal(f->fake.in_flight, 3);
    uint32_t number = append(f, good, 0);
    fixture_wake(f);
    assert_string_equal(event(f, number).status, "delivered");
}

// A new URL gets all slots of its merchant.
static void an_endpoint_that_is_set_again_has_not_failed(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    f->fake.endpoints[1] = (struct endpoint){GOOD, STATUS_HANGS, NULL};
    struct uuid shop = add_merchant(f, 1, SLOW);
    for (int i = 0; i < 20; i++) {
        append(f, shop, 0);
    }
    start(f);
    run_for_s(f, 16);
    assert_int_equal(f->fake.in_flight, 1);
    run_for_s(f, 10);
    set_endpoint(f, (struct endpoint_change){shop, GOOD, .release = true});
    run_for_s(f, 6);
    assert_int_equal(requests_to(f, GOOD), 4);
}

static void merchants_take_turns_where_there_is_not_room_for_all(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 1;
    f->config.webhook_endpoint_max = 1;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    f->fake.endpoints[1] = (struct endpoint){GOOD, 200, NULL};
    struct uuid slow = add_merchant(f, 1, SLOW);
    struct uuid good = add_merchant(f, 2, GOOD);
    for (int i = 0; i < 20; i++) {
        append(f, slow, 0);
    }
    append(f, good, 0);
    append(f, good, 0);
    start(f);
    run_for_s(f, 35);
    assert_string_equal(f->fake.requests[1].url, GOOD);
    assert_string_equal(f->fake.requests[3].url, GOOD);
}

static void a_poll_comes_around_to_the_merchants_before_its_start(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 1;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    f->fake.endpoints[1] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    struct uuid good = add_merchant(f, 1, GOOD);
    append(f, add_merchant(f, 2, SLOW), 0);
    start(f);
    uint32_t number = append(f, good, 0);
    run_for_s(f, 16);
    assert_int_equal(event(f, number).delivered_us, START_US + 15 * US_PER_S);
}

static void act_append_and_wake(struct fixture *f, struct db *db, void *context)
{
    act_append(f, db, context);
    delivery_wake(f->delivery);
}

static void an_event_that_is_appended_while_a_claim_is_under_way_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start(f);
    struct outbox_event event = new_event(f, shop, 0);
    delivery_wake(f->delivery);
    fixture_do(f, act_append_and_wake, &event);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(f->fake.request_count, 1);
}

static void the_writer_rests_between_walks_over_many_merchants(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){SLOW, 500, NULL};
    f->fake.endpoints[1] = (struct endpoint){GOOD, 200, NULL};
    for (uint8_t number = 1; number <= 200; number++) {
        append(f, add_merchant(f, number, SLOW), 0);
    }
    struct uuid good = add_merchant(f, 201, GOOD);
    start(f);
    run_for_s(f, 1);
    int64_t tasks = f->loop.tasks_run;
    for (int i = 0; i < 1000; i++) {
        delivery_wake(f->delivery);
        fake_loop_run_for(&f->loop, US_PER_MS);
    }
    assert_in_range(f->loop.tasks_run - tasks, 50, 200);
    uint32_t number = append(f, good, 0);
    delivery_wake(f->delivery);
    fake_loop_run_for(&f->loop, 20 * US_PER_MS);
    assert_string_equal(event(f, number).status, "delivered");
}

static void nothing_is_polled_while_there_is_nothing_to_do(void **state)
{
    struct fixture *f = *state;
    start(f);
    int64_t fired = f->loop.timers_fired;
    run_for_s(f, 600);
    assert_in_range(f->loop.timers_fired - fired, 100, 125);
}

static void nothing_is_polled_while_an_endpoint_has_all_its_share_in_flight(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    struct uuid shop = add_merchant(f, 1, SLOW);
    for (int i = 0; i < 50; i++) {
        append(f, shop, 0);
    }
    start(f);
    int64_t tasks = f->loop.tasks_run;
    run_for_s(f, 14);
    assert_in_range(f->loop.tasks_run - tasks, 1, 8);
}

static void claim_all(struct fixture *f, struct db *db, void *context)
{
    struct outbox_event claimed;
    struct err err;
    bool has = false;
    bool damaged = false;
    assert_int_equal(outbox_claim(db, context, &(struct uuid){0}, now_us(f), now_us(f) + 45 * US_PER_S,
                                  &f->arena, &claimed, &has, &damaged, &err),
                     OK);
    assert_true(has);
}

static void an_event_that_a_crash_left_claimed_is_sent_at_the_next_start(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    uint32_t number = append(f, shop, 0);
    fixture_do(f, claim_all, &shop);
    assert_string_equal(event(f, number).status, "processing");
    start(f);
    assert_string_equal(event(f, number).status, "delivered");
}

static void an_event_that_another_process_claimed_is_sent_when_its_lease_ends(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start(f);
    uint32_t number = append(f, shop, 0);
    fixture_do(f, claim_all, &shop);
    run_for_s(f, 44);
    assert_int_equal(f->fake.request_count, 0);
    run_for_s(f, 2);
    assert_string_equal(event(f, number).status, "delivered");
}

static void an_outcome_that_the_store_refuses_is_recorded_later_and_not_sent_again(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH ROW WHEN (NEW.status = "
               "'delivered') " REFUSES);
    uint32_t number = append(f, shop, 0);
    start(f);
    run_for_s(f, 10);
    struct delivery_stats stats;
    delivery_stats(f->delivery, &stats);
    assert_int_equal(stats.in_flight, 1);
    run_sql(f, "DROP TRIGGER refuse /*ON outbox*/");
    run_for_s(f, 2);
    assert_string_equal(event(f, number).status, "delivered");
    assert_int_equal(f->fake.request_count, 1);
}

static void an_attempt_that_our_own_stop_cut_does_not_count(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, STATUS_HANGS, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    uint32_t number = append(f, shop, 0);
    start(f);
    assert_false(delivery_drain(f->delivery));
    stop(f);
    assert_int_equal(event(f, number).attempts, 0);
    f->fake.endpoints[0].status = 200;
    start(f);
    assert_string_equal(event(f, number).status, "delivered");
}

static void a_drain_records_what_is_answered_and_starts_nothing(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    uint32_t number = append(f, shop, 1);
    uint32_t next = append(f, shop, 1);
    const struct delivery_options options = {&f->loop.base, f->store,       &f->fake.base,    &f->keyring,
                                             &f->config,    &random_system, DELIVERY_SWEEP_US};
    struct err err;
    assert_int_equal(delivery_start(&options, &f->delivery, &err), OK);
    while (f->fake.in_flight == 0) {
        fake_loop_run_task(&f->loop);
    }
    assert_false(delivery_drain(f->delivery));
    fake_loop_run_for(&f->loop, 0);
    assert_true(delivery_drain(f->delivery));
    assert_string_equal(event(f, number).status, "delivered");
    run_for_s(f, 60);
    assert_string_equal(event(f, next).status, "pending");
}

static void a_malformed_schedule_is_refused(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_schedule = "5,soon";
    const struct delivery_options options = {&f->loop.base, f->store,       &f->fake.base,    &f->keyring,
                                             &f->config,    &random_system, DELIVERY_SWEEP_US};
    struct delivery *delivery = NULL;
    struct err err;
    assert_int_equal(delivery_start(&options, &delivery, &err), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hanging_endpoint_with_a_backlog_does_not_delay_another),
        TEST(all_merchants_together_never_have_more_in_flight_than_allowed),
        TEST(after_a_restart_endpoints_that_hang_do_not_take_the_slots_of_another),
        TEST(an_endpoint_that_is_set_again_has_not_failed),
        TEST(merchants_take_turns_where_there_is_not_room_for_all),
        TEST(a_poll_comes_around_to_the_merchants_before_its_start),
        TEST(an_event_that_is_appended_while_a_claim_is_under_way_is_not_forgotten),
        TEST(the_writer_rests_between_walks_over_many_merchants),
        TEST(nothing_is_polled_while_there_is_nothing_to_do),
        TEST(nothing_is_polled_while_an_endpoint_has_all_its_share_in_flight),
        TEST(an_event_that_a_crash_left_claimed_is_sent_at_the_next_start),
        TEST(an_event_that_another_process_claimed_is_sent_when_its_lease_ends),
        TEST(an_outcome_that_the_store_refuses_is_recorded_later_and_not_sent_again),
        TEST(an_attempt_that_our_own_stop_cut_does_not_count),
        TEST(a_drain_records_what_is_answered_and_starts_nothing),
        TEST(a_malformed_schedule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
