// For tests of the delivery: the real store on a SQLite file, run in the test's own thread, a virtual clock
// and endpoints that the test controls.
#pragma once

#include "database.h"
#include "fake_endpoints.h"
#include "samples.h"
#include "store_in_thread.h"

#include "base/timefmt.h"
#include "delivery/delivery.h"
#include "store/outbox.h"
#include "store/sealed.h"

#define START_US (INT64_C(1700000000) * US_PER_S)
#define SECRET_NEW "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECRET_OLD "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct fixture {
    struct scratch scratch;
    struct fake_loop loop;
    struct fake_endpoints fake;
    struct config config;
    struct keyring keyring;
    struct store *store;
    struct delivery *delivery;
    struct arena arena;
    uint32_t next_event;
};

// A job of the test's own, done when `fixture_do` returns; tasks posted after it have not run yet.
struct deed {
    struct awaited awaited;
    struct fixture *fixture;
    void (*act)(struct fixture *f, struct db *db, void *context);
    void *context;
};

static inline enum errc deed_run(struct store_job *job, struct tx *tx, struct err *err)
{
    (void)err;
    struct deed *deed = CONTAINER_OF(job, struct deed, awaited.job);
    deed->act(deed->fixture, tx->db, deed->context);
    return OK;
}

static inline void fixture_do(struct fixture *f, void (*act)(struct fixture *f, struct db *db, void *context),
                              void *context)
{
    struct deed deed = {.awaited = {.job = {.run = deed_run}}, .fixture = f, .act = act, .context = context};
    assert_int_equal(store_await(f->store, &f->loop, &deed.awaited), OK);
}

static inline void act_sql(struct fixture *f, struct db *db, void *context)
{
    (void)f;
    const char **sql = context;
    database_run(db, *sql);
}

static inline void run_sql(struct fixture *f, const char *sql)
{
    fixture_do(f, act_sql, &sql);
}

static inline int64_t now_us(const struct fixture *f)
{
    return f->loop.mono_us + f->loop.wall_offset_us;
}

static inline void run_for_s(struct fixture *f, int64_t seconds)
{
    fake_loop_run_for(&f->loop, seconds * US_PER_S);
}

static inline void fixture_wake(struct fixture *f)
{
    delivery_wake(f->delivery);
    fake_loop_run_for(&f->loop, 0);
}

// --- merchants

static inline struct sealed seal_secret(struct fixture *f, const struct uuid *merchant_id, const char *secret)
{
    return seal(&f->keyring.master, &f->arena, sealed_context(&f->arena, SEALED_WEBHOOK, merchant_id), secret,
                strlen(secret));
}

static inline void act_add_merchant(struct fixture *f, struct db *db, void *context)
{
    (void)f;
    struct err err;
    assert_int_equal(merchant_insert(db, context, &err), OK);
}

static inline struct uuid add_merchant(struct fixture *f, uint8_t number, const char *url)
{
    const struct uuid id = {.bytes = {0x01, [15] = number}};
    struct merchant merchant = sample_merchant(&id, now_us(f));
    merchant.webhook_url = url;
    struct sealed sealed = seal_secret(f, &merchant.id, SECRET_NEW);
    merchant.webhook_secret = sealed.data;
    merchant.webhook_secret_bytes = sealed.bytes;
    fixture_do(f, act_add_merchant, &merchant);
    return merchant.id;
}

struct endpoint_change {
    struct uuid merchant_id;
    const char *url;
    bool release;                // as the API does it
    int64_t secret_old_until_us; // not 0: SECRET_OLD signs, too, until then
};

static inline void act_set_endpoint(struct fixture *f, struct db *db, void *context)
{
    const struct endpoint_change *change = context;
    struct merchant merchant;
    struct err err;
    int64_t moved = 0;
    assert_int_equal(merchant_get(db, &change->merchant_id, &f->arena, &merchant, &err), OK);
    struct sealed old = seal_secret(f, &merchant.id, SECRET_OLD);
    merchant.webhook_url = change->url;
    merchant.webhook_stopped = false;
    merchant.webhook_secret_old = change->secret_old_until_us ? old.data : NULL;
    merchant.webhook_secret_old_bytes = change->secret_old_until_us ? old.bytes : 0;
    merchant.webhook_secret_old_until_us = change->secret_old_until_us;
    merchant.updated_us = now_us(f) + 1;
    assert_int_equal(merchant_update_webhook(db, &merchant, &err), OK);
    if (change->release) {
        assert_int_equal(outbox_release_merchant(db, &merchant.id, now_us(f), &moved, &err), OK);
    }
}

static inline void set_endpoint(struct fixture *f, struct endpoint_change change)
{
    fixture_do(f, act_set_endpoint, &change);
}

// --- events

static inline void act_append(struct fixture *f, struct db *db, void *context)
{
    struct err err;
    struct outbox_event *event = context;
    struct tx tx = {.db = db, .arena = &f->arena, .random = &random_system, .now_us = event->created_us};
    struct outbox_next next;
    assert_int_equal(outbox_next(&tx, &event->merchant_id, &event->transaction_id, &next, &err), OK);
    assert_int_equal(outbox_append(&tx, &next, event, &err), OK);
}

// Event 1, 2, 3... with the body {"event": N}; transaction 0: none.
static inline struct outbox_event new_event(struct fixture *f, struct uuid merchant_id, uint8_t transaction)
{
    uint32_t number = ++f->next_event;
    return (struct outbox_event){
        .id = {.bytes = {0x02, [14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}},
        .merchant_id = merchant_id,
        .transaction_id = {.bytes = {[0] = transaction}},
        .type = "payment.completed",
        .body = arena_printf(&f->arena, "{\"event\": %u}", number),
        .created_us = now_us(f),
    };
}

// Its number.
static inline uint32_t append(struct fixture *f, struct uuid merchant_id, uint8_t transaction)
{
    struct outbox_event event = new_event(f, merchant_id, transaction);
    fixture_do(f, act_append, &event);
    return f->next_event;
}

struct event_row {
    uint32_t number; // in
    const char *status;
    int64_t attempts;
    int64_t next_attempt_us;
    int64_t last_status_code;
    const char *last_error;
    int64_t delivered_us;
};

static inline void act_read_event(struct fixture *f, struct db *db, void *context)
{
    struct event_row *row = context;
    struct uuid id = {.bytes = {0x02, [14] = (uint8_t)(row->number >> 8), [15] = (uint8_t)row->number}};
    struct err err;
    bool has = false;
    DB_ROWS(rows);
    assert_int_equal(db_query(db, &rows, &err,
                              "SELECT status, attempts, next_attempt_us, last_status_code, last_error,"
                              " delivered_us FROM outbox WHERE id = $1",
                              DB_ID(&id)),
                     OK);
    assert_int_equal(db_next(&rows, &has, &err), OK);
    assert_true(has);
    row->status = db_text(&rows, 0, &f->arena);
    row->attempts = db_i64(&rows, 1);
    row->next_attempt_us = db_i64(&rows, 2);
    row->last_status_code = db_i64(&rows, 3);
    row->last_error = db_text(&rows, 4, &f->arena);
    row->delivered_us = db_i64(&rows, 5);
}

static inline struct event_row event(struct fixture *f, uint32_t number)
{
    struct event_row row = {.number = number};
    fixture_do(f, act_read_event, &row);
    return row;
}

static inline size_t requests_to(const struct fixture *f, const char *url)
{
    size_t count = 0;
    for (size_t i = 0; i < f->fake.request_count; i++) {
        count += strcmp(f->fake.requests[i].url, url) == 0;
    }
    return count;
}

// --- life

static inline void start(struct fixture *f)
{
    struct err err;
    const struct delivery_options options = {.loop = &f->loop.base,
                                             .store = f->store,
                                             .client = &f->fake.base,
                                             .keyring = &f->keyring,
                                             .config = &f->config,
                                             .random = &random_system,
                                             .sweep_us = DELIVERY_SWEEP_US};
    assert_int_equal(delivery_start(&options, &f->delivery, &err), OK);
    fake_loop_run_for(&f->loop, 0);
}

// Ends as the program does when its patience for a drain is over.
static inline void stop(struct fixture *f)
{
    delivery_drain(f->delivery);
    fake_endpoints_cut(&f->fake);
    fake_loop_run_tasks(&f->loop);
    assert_true(delivery_drain(f->delivery));
    delivery_free(f->delivery);
    f->delivery = NULL;
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(&f->scratch);
    fake_loop_init(&f->loop, START_US);
    fake_endpoints_init(&f->fake, &f->loop);
    seal_key_set(&f->keyring.master, (const uint8_t[SEAL_KEY_BYTES]){1, 2, 3});
    f->config = (struct config){.database = f->scratch.database,
                                .webhook_schedule = "5,300",
                                .webhook_timeout_ms = 15000,
                                .webhook_in_flight_max = 64,
                                .webhook_endpoint_max = 4};
    f->store = store_in_thread(&f->loop, &f->scratch, &f->keyring);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    if (f->delivery) {
        stop(f);
    }
    store_close(f->store);
    store_free(f->store);
    fake_endpoints_release(&f->fake);
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
