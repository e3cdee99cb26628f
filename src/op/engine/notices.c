// See notices.h. One job every POLL_US: it reads, and writes only when there is something to tell. Loop
// thread, except run_exchange.
#include "op/engine/notices.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/notices.h"

#define POLL_US (500 * US_PER_MS)
#define HEARD_MAX 1000 // rows of one job; the next goes on with the others

struct listener {
    const char *topic;
    void (*heard)(void *context, const struct uuid *about, int64_t value);
    void *context;
    bool ends_by_value;
};

struct notices {
    struct loop *loop;
    struct store *store;
    struct timer timer;
    struct listener listeners[NOTICES_TOPICS_MAX];
    size_t listener_count;
    struct notice told[NOTICES_TOLD_MAX]; // not written yet
    size_t told_count;
    int64_t trials;     // store_trials when it began to listen; 0: it did not
    int64_t old_number; // the last that was told before it began to listen
    int64_t number;     // the last that was heard
    // Of the job.
    struct store_job job;
    struct arena arena;
    struct notice writes[NOTICES_TOLD_MAX];
    size_t write_count;
    bool begins;
    int64_t read_number;
    struct notice *heard;
    size_t heard_count;
};

static enum errc forget_ended(const struct notices *notices, struct tx *tx, struct err *err)
{
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < notices->listener_count; i++) {
        const struct listener *listener = &notices->listeners[i];
        rc = listener->ends_by_value ? notices_forget(tx->db, listener->topic, tx->now_us, err) : OK;
    }
    return rc;
}

static enum errc run_exchange(struct store_job *job, struct tx *tx, struct err *err)
{
    struct notices *notices = CONTAINER_OF(job, struct notices, job);
    enum errc rc = OK;
    arena_release(&notices->arena);
    for (size_t i = 0; rc == OK && i < notices->write_count; i++) {
        rc = notice_put(tx->db, &tx->node_id, &notices->writes[i], err);
    }
    if (rc == OK && notices->write_count > 0) {
        rc = forget_ended(notices, tx, err);
    }
    if (rc == OK && notices->begins) {
        rc = notices_last(tx->db, &notices->old_number, err);
    }
    notices->read_number = notices->number;
    notices->heard = arena_alloc(&notices->arena, HEARD_MAX * sizeof(*notices->heard));
    return rc == OK ? notices_after(tx->db, &tx->node_id, &notices->arena, &notices->read_number,
                                    notices->heard, HEARD_MAX, &notices->heard_count, err)
                    : rc;
}

static void hear(const struct notices *notices, const struct notice *notice)
{
    for (size_t i = 0; i < notices->listener_count; i++) {
        const struct listener *listener = &notices->listeners[i];
        const bool counts = listener->ends_by_value || notice->number > notices->old_number;
        if (counts && text_equal(listener->topic, notice->topic)) {
            listener->heard(listener->context, &notice->about, notice->value);
        }
    }
}

// What could not be written is told again, as far as there is room.
static void tell_again(struct notices *notices)
{
    const size_t room = NOTICES_TOLD_MAX - notices->told_count;
    const size_t count = notices->write_count < room ? notices->write_count : room;
    memmove(notices->told + count, notices->told, notices->told_count * sizeof(notices->told[0]));
    memcpy(notices->told, notices->writes, count * sizeof(notices->told[0]));
    notices->told_count += count;
}

static void exchanged(struct store_job *job)
{
    struct notices *notices = CONTAINER_OF(job, struct notices, job);
    if (job->result != OK) {
        tell_again(notices);
        LOG(LOG_WARN, "notices of other nodes could not be exchanged", LOG_STR("error", job->err.message));
    } else {
        notices->begins = false;
        notices->number = notices->read_number;
        for (size_t i = 0; i < notices->heard_count; i++) {
            hear(notices, &notices->heard[i]);
        }
    }
    timer_start(notices->loop, &notices->timer, POLL_US);
}

// Begins to listen. It does so anew if the database has lost commits, because numbers were lost with them:
// what is told next would have a number that was heard already.
static void begin_if_needed(struct notices *notices)
{
    const int64_t trials = store_trials(notices->store);
    if (trials != notices->trials) {
        notices->trials = trials;
        notices->begins = true;
        notices->number = 0;
    }
}

static void on_timer(struct timer *timer)
{
    struct notices *notices = CONTAINER_OF(timer, struct notices, timer);
    begin_if_needed(notices);
    memcpy(notices->writes, notices->told, sizeof(notices->writes));
    notices->write_count = notices->told_count;
    notices->told_count = 0;
    notices->job = (struct store_job){.queue = notices->write_count > 0 ? STORE_WRITE : STORE_READ,
                                      .run = run_exchange,
                                      .done = exchanged,
                                      .arena = &notices->arena};
    store_submit_always(notices->store, &notices->job);
}

struct notices *notices_open(struct loop *loop, struct store *store)
{
    struct notices *notices = calloc(1, sizeof(*notices));
    REQUIRE(notices != NULL);
    notices->loop = loop;
    notices->store = store;
    timer_init(&notices->timer, on_timer);
    if (store_is_shared(store)) {
        timer_start(loop, &notices->timer, POLL_US);
    }
    return notices;
}

void notices_free(struct notices *notices)
{
    timer_stop(notices->loop, &notices->timer);
    arena_release(&notices->arena);
    free(notices);
}

void notices_listen(struct notices *notices, const char *topic,
                    void (*heard)(void *context, const struct uuid *about, int64_t value), void *context)
{
    REQUIRE(notices->listener_count < NOTICES_TOPICS_MAX);
    notices->listeners[notices->listener_count++] =
        (struct listener){.topic = topic, .heard = heard, .context = context};
}

void notices_end_by_value(struct notices *notices, const char *topic)
{
    for (size_t i = 0; i < notices->listener_count; i++) {
        notices->listeners[i].ends_by_value |= text_equal(notices->listeners[i].topic, topic);
    }
}

void notices_tell(struct notices *notices, const char *topic, const struct uuid *about, int64_t value)
{
    if (store_is_shared(notices->store) && notices->told_count < NOTICES_TOLD_MAX) {
        notices->told[notices->told_count++] = (struct notice){topic, *about, value};
    }
}
