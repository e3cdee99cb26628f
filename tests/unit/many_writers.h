// For tests of two nodes that do something at the same moment, on PostgreSQL. One node's transaction has done
// its work and stays open in a thread of its own; it commits once the other node waits for one of its locks,
// or has ended. Without the lock the other would decide by rows that are about to change.
#pragma once

#include "batch_all.h"
#include "inbound_fixture.h"
#include "op_setup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "api/api_private.h"
#include "api/handlers.h"
#include "api/refused_events.h"
#include "api/request.h"
#include "api/slots.h"
#include "database.h"
#include "store/batch.h"
#include "store/kept_rows.h"

#define OPEN_MAX_MS 4000 // less than the time that a lock is waited for

static inline void put_payment(struct fixture *f, struct payment payment)
{
    transaction_begin(f);
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    transaction_end(f);
}

// A request without a socket, whose key was checked.
struct caller {
    struct api api;
    struct request request;
    struct arena arena;
};

static inline struct caller *caller_new(struct fixture *f, const char *key, const struct uuid *param,
                                        const char *body, void (*read)(struct request *request))
{
    struct caller *caller = calloc(1, sizeof(*caller));
    REQUIRE(caller != NULL);
    caller->api = (struct api){.loop = &f->loop.base,
                               .engine = f->engine,
                               .keyring = &f->keyring,
                               .config = &f->config,
                               .random = &random_system,
                               .operations = slots_open(10, 10),
                               .refused_events = refused_events_open()};
    struct request *request = &caller->request;
    *request = (struct request){.api = &caller->api,
                                .arena = &caller->arena,
                                .now_us = loop_wall_us(&f->loop.base),
                                .idempotency_key = key,
                                .principal = {.merchant_id = f->merchant_id},
                                .id = "request-1"};
    assert_true(slot_reserve(caller->api.operations, f->merchant_id.bytes, &request->operation));
    if (param != NULL) {
        char text[UUID_TEXT_BYTES];
        uuid_format(param, text);
        request->param = arena_strdup(&caller->arena, text);
    }
    if (body != NULL) {
        assert_int_equal(json_read(&caller->arena, body, strlen(body), 100, &request->body, &f->err), OK);
    }
    if (read != NULL) {
        read(request);
    }
    assert_null(request->refusal);
    assert_int_equal(request->field_errors.count, 0);
    return caller;
}

static inline void caller_free(struct caller *caller)
{
    op_free(caller->request.op);
    slot_release(&caller->request.operation);
    slots_close(caller->api.operations);
    refused_events_free(caller->api.refused_events);
    arena_release(&caller->arena);
    free(caller);
}

// What a node does in one transaction.
struct deed {
    struct store_job job;
    struct fixture *f;
    struct arena arena;
    int runs;
    // One of the two.
    struct caller *caller;
    enum errc (*work)(struct request *request, struct tx *tx, struct err *err);
    enum errc (*run)(struct deed *deed, struct tx *tx, struct err *err);
    enum errc (*then)(struct deed *deed, struct tx *tx,
                      struct err *err); // once the other waits; NULL: nothing
    const void *what;                   // for these two
    bool waited;                        // for the other node
};

static inline enum errc deed_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct deed *deed = CONTAINER_OF(job, struct deed, job);
    deed->runs++;
    if (deed->run != NULL) {
        return deed->run(deed, tx, err);
    }
    struct request *request = &deed->caller->request;
    op_free(request->op); // of a run that was undone
    request->op = NULL;
    request->wait_for = NULL;
    request->status = 0;
    request->replayed = false;
    return deed->work(request, tx, err);
}

static inline void deed_begin(struct deed *deed, struct fixture *f)
{
    deed->f = f;
    deed->job = (struct store_job){.queue = STORE_WRITE,
                                   .run = deed_run,
                                   .arena = &deed->arena,
                                   .cause = "api",
                                   .now_us = loop_wall_us(&f->loop.base)};
}

static inline struct batch_source source_of(struct fixture *f)
{
    static const struct event_listener none;
    return (struct batch_source){
        .loop = &f->loop.base, .random = &random_system, .keyring = &f->keyring, .events = &none};
}

// The transaction that stays open.
struct holder {
    struct deed *deed;
    struct db *db;
    pthread_t thread;
    atomic_bool held;
    atomic_bool other_ended;
    bool waited; // the other node waited for it
    enum errc result;
    struct err err;
};

// Where no server is named, there is nothing to test: SQLite has one writer.
#define SKIP_WITHOUT_NODES()                                                                                 \
    do {                                                                                                     \
        if (getenv("TEST_POSTGRESQL") == NULL) {                                                             \
            puts("1..0 # SKIP SQLite has one writer");                                                       \
            return 0;                                                                                        \
        }                                                                                                    \
    } while (0)

static inline void pause_ms(int ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000L};
    nanosleep(&time, NULL);
}

static inline void *holder_run(void *argument)
{
    struct holder *holder = argument;
    const struct batch_source source = source_of(holder->deed->f);
    database_begin(holder->db, true);
    holder->result = batch_run(&source, holder->db, &holder->deed->job);
    if (holder->result == OK) {
        holder->result = holder->db->driver->settle(holder->db, &holder->err);
    }
    atomic_store(&holder->held, true);
    for (int i = 0; holder->result == OK && i < OPEN_MAX_MS && !holder->waited && !holder->other_ended; i++) {
        pause_ms(1);
        holder->waited =
            database_number(holder->db, "SELECT count(*) FROM pg_locks WHERE NOT granted"
                                        " AND pg_backend_pid() = ANY(pg_blocking_pids(pid))") > 0;
    }
    if (holder->result == OK && holder->deed->then != NULL) {
        holder->result = holder->deed->then(holder->deed, &holder->deed->job.tx, &holder->err);
    }
    if (holder->result == OK) {
        holder->result = holder->db->driver->commit(holder->db, &holder->err);
    } else {
        holder->db->driver->rollback(holder->db);
    }
    return NULL;
}

static inline enum errc deed_alone(struct deed *deed, struct fixture *f)
{
    const struct batch_source source = source_of(f);
    struct db *db = database_open(f->scratch.database, true);
    struct list jobs;
    list_init(&jobs);
    deed_begin(deed, f);
    list_append(&jobs, &deed->job.task.link);
    kept_rows_start(db);
    batch_all(&source, db, &jobs);
    kept_rows_stop(db);
    db->driver->close(db);
    return deed->job.result;
}

// Begins the first, which has done its work when this returns.
static inline void hold(struct fixture *f, struct holder *holder, struct deed *first)
{
    *holder = (struct holder){.deed = first, .db = database_open(f->scratch.database, true)};
    deed_begin(first, f);
    assert_int_equal(pthread_create(&holder->thread, NULL, holder_run, holder), 0);
    while (!holder->held) {
        pause_ms(1);
    }
}

// The other has ended: the first commits at the latest now. True if the other waited for it.
static inline bool let_go(struct holder *holder)
{
    holder->other_ended = true;
    pthread_join(holder->thread, NULL);
    if (holder->result != OK) {
        const char *why = holder->deed->job.err.message;
        fail_msg("the first: %s", why[0] != '\0' ? why : holder->err.message);
    }
    holder->db->driver->close(holder->db);
    return holder->waited;
}

// The first does its work, and then the second begins; the first commits when the second waits for it. The
// second's result.
static inline enum errc at_once(struct fixture *f, struct deed *first, struct deed *second)
{
    struct holder holder;
    hold(f, &holder, first);
    const enum errc result = deed_alone(second, f);
    second->waited = let_go(&holder);
    return result;
}

static inline void deed_end(struct deed *deed)
{
    if (deed->caller != NULL) {
        caller_free(deed->caller);
    }
    arena_release(&deed->arena);
}
