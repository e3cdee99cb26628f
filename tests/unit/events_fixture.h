// For tests of fetched events: the provider's own list of them, with its clock and its limits, and a
// merchant with a payment that they are about.
#pragma once

#include "engine_fixture.h"

#include "base/text.h"
#include "op/kinds/events.h"
#include "op/state/inbound.h"
#include "provider/event.h"

#define HOUR_S INT64_C(3600)
#define EVENTS_MAX 4000
#define ANSWER_BYTES_MAX 1000

// The provider's own list: disputes of the intent "pi_1", named in the order they were made.
struct made_event {
    int64_t made_s; // by the provider's clock
    int64_t shows_s;
    bool livemode;
    size_t bytes;
    char id[16];
};
static struct made_event provider_events[EVENTS_MAX];
static size_t provider_event_count;
static int64_t provider_behind_s; // how far its clock is behind
static struct provider_answer refusal;

static inline int64_t provider_now_s(struct fixture *f)
{
    return loop_wall_us(&f->loop.base) / US_PER_S - provider_behind_s;
}

// This machine's clock alone; the provider's stays right.
static inline void set_clock_ahead_s(struct fixture *f, int64_t seconds)
{
    f->loop.wall_offset_us += seconds * US_PER_S;
    provider_behind_s += seconds;
}

static inline struct made_event *event_at(int64_t made_s)
{
    REQUIRE(provider_event_count < EVENTS_MAX);
    struct made_event *made = &provider_events[provider_event_count++];
    *made = (struct made_event){.made_s = made_s};
    (void)snprintf(made->id, sizeof(made->id), "evt_%04zu", provider_event_count);
    return made;
}

static inline struct provider_event as_event(const struct made_event *made)
{
    return (struct provider_event){.id = made->id,
                                   .type = "charge.dispute.created",
                                   .created_s = made->made_s,
                                   .livemode = made->livemode,
                                   .kind = EVENT_DISPUTE_OPENED,
                                   .complete = true,
                                   .object_id = "dp_1",
                                   .payment_ref = "pi_1",
                                   .dispute = {.id = "dp_1"}};
}

static inline struct provider_answer list_events(struct fake_provider *fake, const struct provider_call *call)
{
    struct fixture *f = CONTAINER_OF(fake, struct fixture, provider);
    assert_int_equal(call->verb, PROVIDER_EVENTS);
    if (refusal.outcome != PROVIDER_DONE) {
        return refusal;
    }
    struct provider_answer answer = {.outcome = PROVIDER_DONE,
                                     .status = 200,
                                     .server_time_us = provider_now_s(f) * US_PER_S,
                                     .events = arena_alloc(&f->arena, 100 * sizeof(struct provider_event))};
    const struct provider_answer too_large = {
        .outcome = PROVIDER_UNKNOWN, .reason = "too large", .too_large = true};
    const size_t items_max = (size_t)call->page_items;
    size_t bytes = 0;
    bool reached = call->page == NULL;
    for (size_t i = provider_event_count; i > 0; i--) {
        const struct made_event *made = &provider_events[i - 1];
        if (!reached) {
            reached = text_equal(made->id, call->page);
            continue;
        }
        bool fits = made->made_s >= call->created_from_s && made->made_s <= provider_now_s(f) &&
                    made->shows_s <= provider_now_s(f) &&
                    (call->created_until_s == 0 || made->made_s < call->created_until_s);
        if (fits && answer.event_count == items_max) {
            answer.next_page = answer.events[items_max - 1].id;
            break;
        }
        if (fits) {
            answer.events[answer.event_count++] = as_event(made);
            bytes += made->bytes;
        }
    }
    return bytes <= ANSWER_BYTES_MAX ? answer : too_large;
}

static inline int setup(void **state)
{
    int rc = engine_fixture_setup(state);
    struct fixture *f = *state;
    f->provider.events = list_events;
    provider_event_count = 0;
    provider_behind_s = 0;
    refusal = (struct provider_answer){.outcome = PROVIDER_DONE};
    return rc;
}

static inline void give_webhook_secret(struct fixture *f)
{
    run_sql(f, "UPDATE credentials SET webhook_secret = x'00'");
}

// As the API does after a PUT.
static inline void put_credentials(struct fixture *f)
{
    struct tx tx = tx_for(f, "api", NULL);
    struct credential credential = {0};
    transaction_begin(f);
    assert_int_equal(credential_get(f->db, &f->merchant_id, "stripe", false, &f->arena, &credential, &f->err),
                     OK);
    assert_int_equal(events_begin(f->engine, &tx, &credential, loop_wall_us(&f->loop.base), &f->err), OK);
    transaction_end(f);
}

static inline struct buyer *buy_paid(struct fixture *f)
{
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    return buy(f);
}

static inline int64_t now_s(struct fixture *f)
{
    return loop_wall_us(&f->loop.base) / US_PER_S;
}

// A payment, and then a stop of this length.
static inline struct buyer *buy_and_stop(struct fixture *f, int64_t stopped_s)
{
    engine_begin(f);
    struct buyer *buyer = buy_paid(f);
    engine_run_s(f, 300);
    engine_crash(f);
    f->loop.mono_us += stopped_s * US_PER_S;
    return buyer;
}

static inline int64_t applied(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM payment_history WHERE what = 'disputed'");
}

static inline int64_t written(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM outbox WHERE type = 'payment.disputed'");
}

static inline int64_t asking(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM operations WHERE kind = 'events'");
}

static inline void assert_all_applied_once_in_order(struct fixture *f)
{
    assert_int_equal(applied(f), provider_event_count);
    assert_int_equal(written(f), provider_event_count);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM (SELECT cause_ref, lag(cause_ref) OVER (ORDER BY id)"
                                   " AS before FROM payment_history WHERE what = 'disputed')"
                                   " AS those WHERE before >= cause_ref"),
                     0);
}

#define EVENTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, engine_fixture_teardown)
