// See node.h.
#include "store/node.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "store/nodes.h"
#include "store/store.h"

#define BEAT_EVERY_US US_PER_S

// Another node, as this one has seen it.
struct seen {
    struct node_row row;
    int unchanged; // successive readings with the same beat
};

// What a beat's transaction did. Made anew when the job runs again.
struct beat {
    struct uuid id; // another than the node's: it had to register anew
    int64_t beat;
    int64_t database_us;
    int64_t removed; // dead nodes
    struct node_row rows[NODES_MAX];
    size_t count;
};

struct node {
    struct loop *loop;
    struct store *store;
    struct random *random;
    char *name;
    pthread_mutex_t mutex;
    struct uuid id; // under the mutex; changed by the loop thread
    int64_t beat;   // the last one known to be committed
    struct timer timer;
    struct store_job job;
    struct beat done;
    struct seen seen[NODES_MAX];
    size_t seen_count;
    int64_t alive;
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

// --- database thread

static enum errc register_anew(struct node *node, struct db *db, struct err *err)
{
    struct beat *beat = &node->done;
    const int64_t now_us = loop_wall_us(node->loop);
    node->random->fill(node->random, beat->id.bytes, sizeof(beat->id.bytes));
    beat->beat = 0;
    enum errc rc = node_insert(db, &beat->id, node->name, now_us, err);
    return rc == OK ? nodes_release_ended(db, now_us, err) : rc;
}

static bool is_dead(const struct seen *seen)
{
    return seen->unchanged >= NODE_DEAD_READINGS;
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
    enum errc rc = node_beat(tx->db, &node->id, node->beat, &beat->beat, &beat->database_us, err);
    if (rc == ERR_NOT_FOUND) {
        rc = register_anew(node, tx->db, err);
    }
    if (rc == OK) {
        rc = remove_dead(node, tx->db, beat, err);
    }
    tx->work_due = tx->event_due = beat->removed > 0;
    return rc == OK ? nodes_list(tx->db, beat->rows, &beat->count, err) : rc;
}

// --- loop thread

static int unchanged_readings(const struct node *node, const struct node_row *row)
{
    for (size_t i = 0; i < node->seen_count; i++) {
        const struct seen *seen = &node->seen[i];
        if (uuid_equal(&seen->row.id, &row->id)) {
            return seen->row.beat == row->beat ? seen->unchanged + 1 : 0;
        }
    }
    return 0;
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
        seen[count] = (struct seen){*row, unchanged_readings(node, row)};
        node->alive += !is_dead(&seen[count++]);
    }
    memcpy(node->seen, seen, count * sizeof(seen[0]));
    node->seen_count = count;
}

static void beat_done(struct store_job *job)
{
    struct node *node = CONTAINER_OF(job, struct node, job);
    struct beat *beat = &node->done;
    if (job->result == OK) {
        if (!uuid_equal(&beat->id, &node->id)) {
            LOG(LOG_ERROR, "this node was taken for dead: others do its unfinished work");
            set_id(node, &beat->id);
        }
        if (beat->removed > 0) {
            LOG(LOG_WARN, "took over the unfinished work of nodes that have ended",
                LOG_INT("nodes", beat->removed));
        }
        node->beat = beat->beat;
        look_at_others(node);
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

static enum errc join(struct db *db, void *context, struct err *err)
{
    return register_anew(context, db, err);
}

enum errc node_open(struct db *db, struct loop *loop, struct random *random, const char *name,
                    struct node **node, struct err *err)
{
    struct node *made = calloc(1, sizeof(*made));
    REQUIRE(made != NULL);
    made->loop = loop;
    made->random = random;
    made->name = strdup(name);
    REQUIRE(made->name != NULL && pthread_mutex_init(&made->mutex, NULL) == 0);
    made->alive = 1;
    timer_init(&made->timer, beat_due);
    const enum errc rc = db_alone(db, join, made, err);
    if (rc != OK) {
        node_free(made);
        return rc;
    }
    made->id = made->done.id;
    *node = made;
    return OK;
}

static enum errc leave(struct db *db, void *context, struct err *err)
{
    struct node *node = context;
    enum errc rc = node_delete(db, &node->id, err);
    return rc == OK ? nodes_release_ended(db, loop_wall_us(node->loop), err) : rc;
}

void node_leave(struct node *node, struct db *db)
{
    struct err err;
    if (node != NULL && db_alone(db, leave, node, &err) != OK) {
        LOG(LOG_WARN, "cannot tell the other nodes that this one ends; they find out by themselves",
            LOG_STR("error", err.message));
    }
}

void node_free(struct node *node)
{
    if (node == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&node->mutex);
    free(node->name);
    free(node);
}
