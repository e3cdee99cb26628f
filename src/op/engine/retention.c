// Deletes what is older than the settings say: in small transactions, with a pause after each, and more
// rarely while the database has much to do. Loop thread, except functions that take a struct tx.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"
#include "store/audit.h"
#include "store/meta.h"
#include "store/prune.h"

// The record of an event from the provider is deleted after this time. The provider keeps and sends events
// for 30 days.
#define INBOX_KEPT_US (35 * 24 * 3600 * US_PER_S)
// A busy node makes up to 1,000 records of transactions a second with each of its two connections. Even if it
// may take only a step a second, it deletes more, so any number of nodes keeps up. PostgreSQL takes 2 to 4
// ms.
#define COMMITS_STEP_ROWS 4000
// After this time no transaction is still writing an operation with a key that was replaced.
#define REPLACED_KEYS_KEPT_US (24 * 3600 * US_PER_S)
// Rows of one table in one transaction. To delete one takes about 20 µs.
#define STEP_ROWS 50
// From one transaction to the next, while there is more to delete.
#define PAUSE_US (20 * US_PER_MS)
// While more jobs than this wait for the database, a transaction is put off, by PUT_OFF_MAX_US at most.
#define BUSY_JOBS 16
#define PUT_OFF_MAX_US US_PER_S
// Rows that had to stay are looked at again after this time, or sooner if rows are kept for less.
#define WALK_EVERY_US (3600 * US_PER_S)

// How far tables have been walked. No row comes before the last record of a transaction that was deleted, so
// that walk does not begin again.
struct walks {
    struct uuid commits;
    struct uuid outbox;
    struct uuid history;
    struct uuid keys; // of accounts
    struct audit_head audit;
};

struct retention {
    struct engine *engine;
    struct timer timer;
    struct store_job job;
    struct walks walks;
    struct walks walked; // by the transaction under way
    int64_t walks_us;    // monotonic; when the walks began
    int64_t put_off_us;  // by how much the next transaction is late
    bool more;           // the last transaction left rows to delete
    struct hourly failed;
};

static int64_t walk_every_us(const struct config *config)
{
    const int64_t kept_ms[] = {config->webhooks_kept_ms, config->history_kept_ms,
                               config->audit_counts_kept_ms};
    int64_t every_us = WALK_EVERY_US;
    for (size_t i = 0; i < COUNT_OF(kept_ms); i++) {
        every_us = kept_ms[i] < every_us / US_PER_MS ? kept_ms[i] * US_PER_MS : every_us;
    }
    return every_us;
}

// What was made before this time is old. It is not before 1970: the setting may be a hundred years.
static int64_t old_us(const struct tx *tx, int64_t kept_ms)
{
    const int64_t before_us = tx->now_us - kept_ms * US_PER_MS;
    return before_us > 0 ? before_us : 0;
}

static enum errc run_step(struct store_job *job, struct tx *tx, struct err *err)
{
    struct retention *retention = CONTAINER_OF(job, struct retention, job);
    const struct config *config = retention->engine->options.config;
    struct walks *walks = &retention->walked;
    *walks = retention->walks;
    bool replies = false;
    bool inbox = false;
    bool commits = false;
    bool outbox = false;
    bool history = false;
    bool keys = false;
    bool audit = false;
    bool mine = false;
    retention->more = false;
    enum errc rc = meta_take_turn(tx->db, "retention", &mine, err);
    if (rc != OK || !mine) {
        retention->more = true; // another node is at it for a moment
        return rc;
    }
    rc = prune_replies(tx->db, old_us(tx, config->answers_kept_ms), STEP_ROWS, &replies, err);
    if (rc == OK) {
        rc = prune_inbox(tx->db, tx->now_us - INBOX_KEPT_US, STEP_ROWS, &inbox, err);
    }
    if (rc == OK) {
        rc = prune_commits(tx->db, tx->now_us - COMMITS_KEPT_US, COMMITS_STEP_ROWS, &walks->commits, &commits,
                           err);
    }
    if (rc == OK) {
        rc = prune_outbox(tx->db, old_us(tx, config->webhooks_kept_ms), STEP_ROWS, &walks->outbox, &outbox,
                          err);
    }
    if (rc == OK) {
        rc = prune_history(tx->db, old_us(tx, config->history_kept_ms), STEP_ROWS, &walks->history, &history,
                           err);
    }
    if (rc == OK) {
        rc = prune_replaced_keys(tx->db, tx->now_us - REPLACED_KEYS_KEPT_US, STEP_ROWS, &walks->keys, &keys,
                                 err);
    }
    if (rc == OK) {
        rc = audit_prune(tx->db, tx->keyring->pepper, old_us(tx, config->audit_counts_kept_ms), STEP_ROWS,
                         &walks->audit, &audit, err);
    }
    retention->more = replies || inbox || commits || outbox || history || keys || audit;
    return rc;
}

static void step_done(struct store_job *job)
{
    struct retention *retention = CONTAINER_OF(job, struct retention, job);
    struct engine *engine = retention->engine;
    bool more = job->result == OK && retention->more;
    if (job->result == OK) {
        retention->walks = retention->walked;
    } else {
        retention->failed.count++;
        if (hourly_take(&retention->failed, loop_mono_us(engine->options.loop)) > 0) {
            LOG(LOG_ERROR, "old rows could not be deleted", LOG_STR("error", job->err.message));
        }
    }
    engine->stats.in_flight--;
    if (!engine->draining) {
        timer_start(engine->options.loop, &retention->timer,
                    more ? PAUSE_US : engine->options.config->reconcile_interval_ms * US_PER_MS);
    }
}

static void retention_run(struct timer *timer)
{
    struct retention *retention = CONTAINER_OF(timer, struct retention, timer);
    struct engine *engine = retention->engine;
    if (engine->draining) {
        return;
    }
    if (store_clock_is_wrong(engine->options.store)) { // it would delete what is not old
        timer_start(engine->options.loop, timer, engine->options.config->reconcile_interval_ms * US_PER_MS);
        return;
    }
    if (store_waiting(engine->options.store) > BUSY_JOBS && retention->put_off_us < PUT_OFF_MAX_US) {
        retention->put_off_us += PAUSE_US;
        timer_start(engine->options.loop, timer, PAUSE_US);
        return;
    }
    retention->put_off_us = 0;
    int64_t mono_us = loop_mono_us(engine->options.loop);
    if (mono_us - retention->walks_us >= walk_every_us(engine->options.config)) {
        retention->walks_us = mono_us;
        retention->walks = (struct walks){.commits = retention->walks.commits};
    }
    retention->job = (struct store_job){.queue = STORE_WRITE, .run = run_step, .done = step_done};
    engine->stats.in_flight++;
    store_submit_always(engine->options.store, &retention->job);
}

struct retention *retention_open(struct engine *engine)
{
    struct retention *retention = calloc(1, sizeof(*retention));
    REQUIRE(retention != NULL);
    retention->engine = engine;
    retention->walks_us = loop_mono_us(engine->options.loop);
    timer_init(&retention->timer, retention_run);
    return retention;
}

void retention_free(struct retention *retention)
{
    timer_stop(retention->engine->options.loop, &retention->timer);
    free(retention);
}

void retention_start(struct retention *retention)
{
    timer_start(retention->engine->options.loop, &retention->timer,
                retention->engine->options.config->reconcile_interval_ms * US_PER_MS);
}
