// Events that are leased as they are written, and sent right after the commit.
#include "delivery_fixture.h"

#define GOOD "https://good.example/"
#define SLOW "https://slow.example/"

// A transaction that writes an event as the service's own do, and is rolled back if `fails`.
struct writing {
    struct awaited awaited;
    struct fixture *fixture;
    struct outbox_event event;
    bool fails;
};

static enum errc write_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct writing *writing = CONTAINER_OF(job, struct writing, awaited.job);
    struct outbox_event *event = &writing->event;
    struct outbox_next next;
    tx->arena = &writing->fixture->arena;
    assert_int_equal(outbox_next(tx, &event->merchant_id, &event->transaction_id, &next, err), OK);
    assert_int_equal(outbox_append(tx, &next, event, err), OK);
    return writing->fails ? err_set(err, ERR_CONFLICT, "it fails") : OK;
}

static struct outbox_event write_event(struct fixture *f, struct uuid merchant_id, uint8_t transaction,
                                       bool fails)
{
    struct writing writing = {.awaited = {.job = {.run = write_run}},
                              .fixture = f,
                              .event = new_event(f, merchant_id, transaction),
                              .fails = fails};
    assert_int_equal(store_await(f->store, &f->loop, &writing.awaited), fails ? ERR_CONFLICT : OK);
    return writing.event;
}

static uint32_t append_leased(struct fixture *f, struct uuid merchant_id, uint8_t transaction)
{
    assert_string_equal(write_event(f, merchant_id, transaction, false).status, "processing");
    return f->next_event;
}

static uint32_t append_waiting(struct fixture *f, struct uuid merchant_id, uint8_t transaction)
{
    assert_string_equal(write_event(f, merchant_id, transaction, false).status, "pending");
    return f->next_event;
}

static void start_listening(struct fixture *f)
{
    start(f);
    const struct store_listener listener = {.events = delivery_listener(f->delivery)};
    store_listen(f->store, &listener);
}

static int64_t in_flight(struct fixture *f)
{
    struct delivery_stats stats;
    delivery_stats(f->delivery, &stats);
    return stats.in_flight;
}

static void a_new_event_is_sent_and_recorded_without_a_claim(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start_listening(f);
    int64_t tasks = f->loop.tasks_run;
    uint32_t number = append_leased(f, shop, 1);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(f->loop.tasks_run - tasks, 3); // the write, the answer and its record
    assert_string_equal(event(f, number).status, "delivered");
    assert_int_equal(f->fake.request_count, 1);
    assert_int_equal(in_flight(f), 0);
}

static void a_write_that_is_rolled_back_sends_nothing_and_returns_its_slot(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 1;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start_listening(f);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(write_event(f, shop, 1, true).status, "processing");
        fake_loop_run_for(&f->loop, 0);
        assert_int_equal(in_flight(f), 0);
    }
    assert_int_equal(f->fake.request_count, 0);
    uint32_t number = append_leased(f, shop, 1);
    fake_loop_run_for(&f->loop, 0);
    assert_string_equal(event(f, number).status, "delivered");
}

static void an_event_waits_for_the_one_before_it_of_its_transaction(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    struct uuid shop = add_merchant(f, 1, SLOW);
    start_listening(f);
    append_leased(f, shop, 1);
    uint32_t second = append_waiting(f, shop, 1);
    append_leased(f, shop, 2);
    run_for_s(f, 1);
    assert_int_equal(event(f, second).next_attempt_us, OUTBOX_BLOCKED);
    assert_int_equal(f->fake.request_count, 2);
}

static void the_next_event_follows_a_leased_one(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start_listening(f);
    append_leased(f, shop, 1);
    uint32_t second = append_waiting(f, shop, 1);
    fake_loop_run_for(&f->loop, 0);
    assert_string_equal(event(f, second).status, "delivered");
}

static void a_merchant_gets_no_more_than_its_share(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    struct uuid shop = add_merchant(f, 1, SLOW);
    start_listening(f);
    for (uint8_t i = 1; i <= 4; i++) {
        append_leased(f, shop, i);
    }
    append_waiting(f, shop, 5);
    run_for_s(f, 1);
    assert_int_equal(f->fake.request_count, 4);
    run_for_s(f, 15); // the four end, and the fifth follows
    assert_int_equal(f->fake.request_count, 5);
}

static void new_events_do_not_pass_those_that_wait_for_a_slot(void **state)
{
    struct fixture *f = *state;
    f->config.webhook_in_flight_max = 1;
    f->fake.endpoints[0] = (struct endpoint){SLOW, STATUS_HANGS, NULL};
    f->fake.endpoints[1] = (struct endpoint){GOOD, 200, NULL};
    struct uuid slow = add_merchant(f, 1, SLOW);
    struct uuid good = add_merchant(f, 2, GOOD);
    struct uuid new = add_merchant(f, 3, GOOD);
    start_listening(f);
    append_leased(f, slow, 1);
    fake_loop_run_for(&f->loop, 0);
    uint32_t waiting = append_waiting(f, good, 2);
    fake_loop_run_for(&f->loop, 0);
    uint32_t later = append_waiting(f, new, 3);
    run_for_s(f, 16);
    assert_string_equal(event(f, waiting).status, "delivered");
    assert_string_equal(event(f, later).status, "delivered");
    append_leased(f, new, 4); // nothing waits any more
    fake_loop_run_for(&f->loop, 0);
}

static void a_new_event_waits_while_another_of_its_merchant_is_due(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start_listening(f);
    append(f, shop, 1); // by another program: nobody wakes the delivery
    append_waiting(f, shop, 2);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(f->fake.request_count, 2);
}

static void without_an_endpoint_an_event_is_parked(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, NULL);
    start_listening(f);
    uint32_t number = append_waiting(f, shop, 1);
    assert_int_equal(event(f, number).next_attempt_us, OUTBOX_PARKED);
}

static void a_damaged_merchant_delays_its_own_event_alone(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    run_sql(f, "UPDATE merchants SET webhook_url = 'a' || char(0) || 'b'");
    start_listening(f);
    append_waiting(f, shop, 1);
}

static void nothing_is_leased_once_the_delivery_drains(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start_listening(f);
    assert_true(delivery_drain(f->delivery));
    append_waiting(f, shop, 1);
    assert_true(delivery_drain(f->delivery));
}

static void what_was_leased_before_a_drain_is_left_to_the_next_start(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){GOOD, 200, NULL};
    struct uuid shop = add_merchant(f, 1, GOOD);
    start_listening(f);
    struct writing writing = {
        .awaited = {.job = {.run = write_run, .done = awaited_done, .queue = STORE_WRITE}},
        .fixture = f,
        .event = new_event(f, shop, 1)};
    store_submit_always(f->store, &writing.awaited.job); // runs at once, but its end comes later
    assert_false(delivery_drain(f->delivery));
    fake_loop_run_for(&f->loop, 0);
    assert_true(delivery_drain(f->delivery));
    assert_int_equal(f->fake.request_count, 0);
    delivery_free(f->delivery);
    start_listening(f);
    fake_loop_run_for(&f->loop, 0);
    assert_string_equal(event(f, f->next_event).status, "delivered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_event_is_sent_and_recorded_without_a_claim),
        TEST(a_write_that_is_rolled_back_sends_nothing_and_returns_its_slot),
        TEST(an_event_waits_for_the_one_before_it_of_its_transaction),
        TEST(the_next_event_follows_a_leased_one),
        TEST(a_merchant_gets_no_more_than_its_share),
        TEST(new_events_do_not_pass_those_that_wait_for_a_slot),
        TEST(a_new_event_waits_while_another_of_its_merchant_is_due),
        TEST(without_an_endpoint_an_event_is_parked),
        ONLY_SQLITE("a text cannot hold a NUL", TEST(a_damaged_merchant_delays_its_own_event_alone)),
        TEST(nothing_is_leased_once_the_delivery_drains),
        TEST(what_was_leased_before_a_drain_is_left_to_the_next_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
