// See node.h.
#include "store/node.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hourly.h"
#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "store/meta.h"
#include "store/nodes.h"
#include "store/store.h"

#define BEAT_EVERY_US US_PER_S
#define CLOCK_DIFFERS_US US_PER_S

// Another node, as this one has seen it.
struct seen {
    struct node_row row;
    bool has_beaten; // since this one first read it
    int unchanged;   // successive readings with the same beat
};

// What a beat's transaction did. Made anew when the job runs again.
struct beat {
    struct uuid id; // another than the node's: it had to register anew
    struct node_beat own;
    int64_t ahead_us;   // this process's clock, of the database's
    bool database_lost; // commits that this node knows of
    int64_t removed;    // dead nodes
    struct node_row rows[NODES_MAX];
    size_t count;
};

struct node {
    struct loop *loop;
    struct store *store;
    struct random *random;
    char *name;
    char *host; // what the name begins with, and the space
    pthread_mutex_t mutex;
    struct uuid id;        // under the mutex; changed by the loop thread
    struct node_beat last; // the last one known to be committed
    int64_t ahead_us;
    int64_t trials; // how often it had to find out anew whether the database can be trusted
    struct timer timer;
    struct store_job job;
    struct beat done;
    struct seen seen[NODES_MAX];
    size_t seen_count;
    int64_t alive;
    int64_t removed_total;
    struct uuid stop_mark;
    struct hourly clock;
};

struct uuid node_id(struct node *node)
{
    if (node == NULL) {
        return (struct uuid){0};
    }
    REQUIRE(pthread_mutex_lock(&node->mutex) == 0);
    const struct uuid id = node->id;
    REQUIRE(pthread_mutex_unlock(&node->mutex) == 0);
    return id;
}

static void set_id(struct node *node, const struct uuid *id)
{
    REQUIRE(pthread_mutex_lock(&node->mutex) == 0);
    node->id = *id;
    REQUIRE(pthread_mutex_unlock(&node->mutex) == 0);
}

int64_t node_count(const struct node *node)
{
    return node != NULL ? node->alive : 1;
}

int64_t node_removed_total(const struct node *node)
{
    return node != NULL ? node->removed_total : 0;
}

int64_t node_clock_ahead_us(const struct node *node)
{
    return node != NULL ? node->ahead_us : 0;
}

static bool is_wrong(int64_t ahead_us)
{
    return ahead_us > NODE_CLOCK_WRONG_US || ahead_us < -NODE_CLOCK_WRONG_US;
}

int64_t node_trials(const struct node *node)
{
    return node != NULL ? node->trials : 1;
}

bool node_clock_is_wrong(const struct node *node)
{
    return is_wrong(node_clock_ahead_us(node));
}

// --- database thread

static enum errc register_anew(struct node *node, struct db *db, struct err *err)
{
    struct beat *beat = &node->done;
    const int64_t now_us = loop_wall_us(node->loop);
    node->random->fill(node->random, beat->id.bytes, sizeof(beat->id.bytes));
    beat->own = (struct node_beat){0};
    enum errc rc = node_insert(db, &beat->id, node->name, now_us, &beat->own.database_us, err);
    beat->ahead_us = loop_wall_us(node->loop) - beat->own.database_us;
    return rc == OK ? nodes_release_ended(db, now_us, err) : rc;
}

// Its row is gone: the others took this node for dead. Or the row is older than this node has written it: the
// database went back in time.
static enum errc rejoin(struct node *node, struct db *db, struct err *err)
{
    bool trusted = false;
    enum errc rc = node_delete(db, &node->id, &node->done.database_lost, &trusted, err);
    if (rc == OK && node->done.database_lost) {
        rc = nodes_distrust(db, err);
    }
    return rc == OK ? register_anew(node, db, err) : rc;
}

static bool is_dead(const struct seen *seen)
{
    const bool was_left = seen->row.is_same_host && !seen->has_beaten;
    return seen->unchanged >= (was_left ? NODE_LEFT_S : NODE_DEAD_S);
}

static enum errc remove_dead(struct node *node, struct db *db, struct beat *beat, struct err *err)
{
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < node->seen_count; i++) {
        bool removed = false;
        rc = is_dead(&node->seen[i]) ? node_remove(db, &node->seen[i].row, &removed, err) : OK;
        beat->removed += removed;
    }
    return rc == OK && beat->removed > 0 ? nodes_release_ended(db, loop_wall_us(node->loop), err) : rc;
}

static enum errc run_beat(struct store_job *job, struct tx *tx, struct err *err)
{
    struct node *node = CONTAINER_OF(job, struct node, job);
    struct beat *beat = &node->done;
    beat->id = node->id;
    beat->removed = 0;
    beat->database_lost = false;
    enum errc rc = node_beat(tx->db, &node->id, node->last.beat, &beat->own, err);
    if (rc == OK) {
        beat->ahead_us = loop_wall_us(node->loop) - beat->own.database_us;
    } else if (rc == ERR_NOT_FOUND) {
        rc = rejoin(node, tx->db, err);
    }
    if (rc == OK) {
        rc = remove_dead(node, tx->db, beat, err);
    }
    tx->work_due = tx->event_due = beat->removed > 0;
    return rc == OK ? nodes_list(tx->db, node->host, beat->rows, &beat->count, err) : rc;
}

// --- loop thread

static struct seen seen_again(const struct node *node, const struct node_row *row)
{
    for (size_t i = 0; i < node->seen_count; i++) {
        const struct seen *seen = &node->seen[i];
        if (uuid_equal(&seen->row.id, &row->id)) {
            const bool beats = seen->row.beat != row->beat;
            return (struct seen){*row, seen->has_beaten || beats, beats ? 0 : seen->unchanged + 1};
        }
    }
    return (struct seen){.row = *row};
}

static void look_at_others(struct node *node)
{
    const struct beat *beat = &node->done;
    struct seen seen[NODES_MAX];
    size_t count = 0;
    node->alive = 1;
    for (size_t i = 0; i < beat->count; i++) {
        const struct node_row *row = &beat->rows[i];
        if (uuid_equal(&row->id, &beat->id)) {
            continue;
        }
        seen[count] = seen_again(node, row);
        node->alive += !is_dead(&seen[count++]);
    }
    memcpy(node->seen, seen, count * sizeof(seen[0]));
    node->seen_count = count;
}

// Nodes compare times that others wrote.
static void look_at_clock(struct node *node)
{
    const int64_t ahead_us = node->done.ahead_us;
    const bool differs = ahead_us > CLOCK_DIFFERS_US || ahead_us < -CLOCK_DIFFERS_US;
    node->clock.count += differs;
    if (is_wrong(ahead_us) && !is_wrong(node->ahead_us)) {
        LOG(LOG_ERROR, "the clock is too far from the database's: the service is not ready until it is set",
            LOG_INT("ahead_ms", ahead_us / US_PER_MS));
    } else if (hourly_take(&node->clock, loop_mono_us(node->loop)) > 0) {
        LOG(LOG_ERROR, "the clock differs from the database's", LOG_INT("ahead_ms", ahead_us / US_PER_MS));
    }
    node->ahead_us = ahead_us;
}

static void rejoined(struct node *node)
{
    const struct beat *beat = &node->done;
    if (beat->database_lost) {
        LOG(LOG_ERROR, "the database has lost what was committed");
    } else {
        LOG(LOG_ERROR, "this node was taken for dead: others do its unfinished work");
    }
    set_id(node, &beat->id);
}

static void beat_done(struct store_job *job)
{
    struct node *node = CONTAINER_OF(job, struct node, job);
    const struct beat *beat = &node->done;
    if (job->result == OK) {
        if (!uuid_equal(&beat->id, &node->id)) {
            rejoined(node);
        }
        if (beat->removed > 0) {
            LOG(LOG_WARN, "took over the unfinished work of nodes that have ended",
                LOG_INT("nodes", beat->removed));
        }
        node->removed_total += beat->removed;
        node->trials += node->last.trusts && !beat->own.trusts;
        node->last = beat->own;
        look_at_others(node);
        look_at_clock(node);
    }
    timer_start(node->loop, &node->timer, BEAT_EVERY_US);
}

static void beat_due(struct timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, timer);
    node->job = (struct store_job){.queue = STORE_WRITE, .run = run_beat, .done = beat_done};
    store_submit_always(node->store, &node->job);
}

void node_start(struct node *node, struct store *store)
{
    if (node != NULL) {
        node->store = store;
        timer_start(node->loop, &node->timer, 0);
    }
}

void node_stop(struct node *node)
{
    if (node != NULL) {
        timer_stop(node->loop, &node->timer);
    }
}

// --- start and end

// Whoever finds the database later must not take it for the one that was stopped before.
static enum errc join(struct db *db, void *context, struct err *err)
{
    struct node *node = context;
    const enum errc rc = meta_stop_mark_take(db, &node->stop_mark, err);
    return rc == OK ? register_anew(node, db, err) : rc;
}

enum errc node_open(struct db *db, struct loop *loop, struct random *random, const char *name,
                    struct node **node, struct err *err)
{
    struct node *made = calloc(1, sizeof(*made));
    REQUIRE(made != NULL);
    made->loop = loop;
    made->random = random;
    made->name = strdup(name);
    made->host = strndup(name, strcspn(name, " ") + 1);
    REQUIRE(made->name != NULL && made->host != NULL && pthread_mutex_init(&made->mutex, NULL) == 0);
    made->alive = 1;
    made->trials = 1;
    timer_init(&made->timer, beat_due);
    const enum errc rc = db_alone(db, join, made, err);
    if (rc != OK) {
        node_free(made);
        return rc;
    }
    made->id = made->done.id;
    look_at_clock(made);
    *node = made;
    return OK;
}

// The last node to stop leaves a mark. One that has not trusted the database must not vouch for it.
static enum errc leave(struct db *db, void *context, struct err *err)
{
    struct node *node = context;
    bool was_there = false;
    bool trusted = false;
    bool is_last = false;
    enum errc rc = node_delete(db, &node->id, &was_there, &trusted, err);
    if (rc == OK) {
        rc = nodes_release_ended(db, loop_wall_us(node->loop), err);
    }
    if (rc == OK) {
        rc = nodes_are_gone(db, &is_last, err);
    }
    node->stop_mark = (struct uuid){0};
    if (rc != OK || !is_last || !trusted) {
        return rc;
    }
    node->random->fill(node->random, node->stop_mark.bytes, sizeof(node->stop_mark.bytes));
    return meta_stop_mark_put(db, &node->stop_mark, err);
}

void node_leave(struct node *node, struct db *db)
{
    struct err err;
    if (node != NULL && db_alone(db, leave, node, &err) != OK) {
        node->stop_mark = (struct uuid){0};
        LOG(LOG_WARN, "cannot tell the other nodes that this one ends; they find out by themselves",
            LOG_STR("error", err.message));
    }
}

struct uuid node_stop_mark(const struct node *node)
{
    return node != NULL ? node->stop_mark : (struct uuid){0};
}

void node_free(struct node *node)
{
    if (node == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&node->mutex);
    free(node->name);
    free(node->host);
    free(node);
}
