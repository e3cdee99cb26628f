// Merchants with more due events than slots.
#include "delivery_fixture.h"

#define SLOW "https://slow.example/"
#define GOOD "https://good.example/"

static void a_large_backlog_is_worked_off(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 256;
    f->config.webhook_endpoint_max = 200;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    for (int i = 0; i < 1500; i++) {
        append(f, shop, (uint8_t)(1 + i % 5));
    }
    start(f);
    struct delivery_stats stats;
    delivery_stats(f->delivery, &stats);
    assert_int_equal(stats.delivered_total, 1500);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(f->fake.request_count, 1500);
}

// Each attempt that ends well claims the merchant's next event as it is recorded.
static void a_backlog_needs_no_claim_for_each_event(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    for (int i = 0; i < 100; i++) {
        append(f, shop, 0);
    }
    int64_t tasks = f->loop.tasks_run;
    start(f);
    assert_int_equal(f->fake.request_count, 100);
    assert_in_range(f->loop.tasks_run - tasks, 200, 220); // an answer and a record of each
}

static void a_backlog_does_not_keep_a_slot_that_another_merchant_waits_for(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 1;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    f->fake.endpoints[1] = (struct endpoint){SLOW, 200, NULL};
    struct uuid busy = add_merchant(f, 1, GOOD);
    for (int i = 0; i < 20; i++) {
        append(f, busy, 0);
    }
    append(f, add_merchant(f, 2, SLOW), 0);
    start(f);
    assert_int_equal(f->fake.request_count, 21);
    assert_string_equal(f->fake.requests[1].url, SLOW);
}

static void a_damaged_event_does_not_stop_a_backlog(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_endpoint_max = 1;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    for (int i = 0; i < 10; i++) {
        append(f, shop, 0);
    }
    run_sql(f, "UPDATE outbox SET body = 'a' || char(0) || 'b' WHERE hex(id) LIKE '%05'");
    start(f);
    struct delivery_stats stats;
    delivery_stats(f->delivery, &stats);
    assert_int_equal(stats.set_aside_total, 1);
    assert_int_equal(stats.delivered_total, 9);
}

static void more_events_than_a_batch_wait_for_an_endpoint_and_are_all_sent(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, NULL);
    for (int i = 0; i < 2 * OUTBOX_BATCH_MAX + 10; i++) {
        append(f, shop, 0);
    }
    start(f);
    set_endpoint(f, (struct endpoint_change){shop, GOOD, .release = true});
    fixture_wake(f);
    run_for_s(f, 11);
    assert_int_equal(f->fake.request_count, 2 * OUTBOX_BATCH_MAX + 10);
}

// Some of its events have a time when the URL goes.
static void more_events_than_a_batch_stop_when_the_url_goes(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, GOOD);
    for (int i = 0; i < 2 * OUTBOX_BATCH_MAX + 10; i++) {
        append(f, shop, 0);
    }
    set_endpoint(f, (struct endpoint_change){shop, NULL});
    start(f);
    run_for_s(f, 1);
    assert_int_equal(f->fake.request_count, 0);
    assert_int_equal(event(f, 1).next_attempt_us, OUTBOX_PARKED);
    assert_int_equal(event(f, 2 * OUTBOX_BATCH_MAX + 10).next_attempt_us, OUTBOX_PARKED);
}

// Only a claim parks what is due; an attempt that was in flight meanwhile takes none of it.
static void a_backlog_stops_with_its_endpoint(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_endpoint_max = 1;
    f->fake.endpoints[0] = (struct endpoint){GOOD, STATUS_HANGS, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    append(f, shop, 0);
    uint32_t second = append(f, shop, 0);
    start(f);
    assert_int_equal(f->fake.in_flight, 1);
    set_endpoint(f, (struct endpoint_change){shop, NULL});
    exchange_end(CONTAINER_OF(f->fake.exchanges.next, struct exchange, link), HTTP_DONE, 200);
    run_for_s(f, 10);
    assert_int_equal(f->fake.request_count, 1);
    assert_int_equal(event(f, second).next_attempt_us, OUTBOX_PARKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_large_backlog_is_worked_off),
        TEST(a_backlog_needs_no_claim_for_each_event),
        TEST(a_backlog_does_not_keep_a_slot_that_another_merchant_waits_for),
        ONLY_SQLITE("a text cannot hold a NUL", TEST(a_damaged_event_does_not_stop_a_backlog)),
        TEST(more_events_than_a_batch_wait_for_an_endpoint_and_are_all_sent),
        TEST(more_events_than_a_batch_stop_when_the_url_goes),
        TEST(a_backlog_stops_with_its_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
