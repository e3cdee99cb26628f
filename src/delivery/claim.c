// See claim.h. Database thread; the loop's memory that it reads lies still until the job is done.
//
// Fair: merchants take turns, in the order of their ids, going on where the claim before stopped, and none
// gets beyond its share. So one with 100,000 due events, or whose endpoint hangs, takes its share of what is
// in flight and no more of the others' time. Bounded: a claim visits so many merchants, makes so many rows
// wait, and leaves the rest of the walk for later.
#include "delivery/claim.h"

#include <string.h>

#include "domain/retry.h"

#define VISITS_MAX 1000 // about 3 ms of the writer's time

struct claim_walk claim_walk_behind(const struct uuid *merchant_id)
{
    return (struct claim_walk){.start = *merchant_id, .at = *merchant_id, .next_due_us = INT64_MAX};
}

static int64_t busy_with(const struct claim *claim, const struct uuid *merchant_id)
{
    int64_t count = 0;
    for (size_t i = 0; i < claim->busy_count; i++) {
        count += uuid_equal(&claim->busy[i], merchant_id);
    }
    return count;
}

static void due_at(struct claim *claim, int64_t due_us)
{
    if (due_us < claim->to.next_due_us) {
        claim->to.next_due_us = due_us;
    }
}

// Later and later; the others go on.
static enum errc set_aside(struct claim *claim, struct db *db, const struct outbox_event *event,
                           struct err *err)
{
    claim->set_aside++;
    claim->aside_id = event->id;
    return outbox_set_aside(db, event, claim->now_us + retry_aside_delay_us(claim->now_us, event->created_us),
                            err);
}

static enum errc claim_one(struct claim *claim, struct db *db, const struct uuid *merchant_id, bool *has,
                           struct err *err)
{
    struct sending *sending = sending_new();
    enum errc rc = outbox_claim(db, merchant_id, claim->now_us, claim->now_us + claim->lease_us,
                                &sending->arena, &sending->event, has, err);
    if (rc == OK && *has) {
        rc = merchant_get(db, merchant_id, &sending->arena, &sending->merchant, err);
    }
    if (db_take_damage(db)) {
        rc = set_aside(claim, db, &sending->event, err);
        *has = !uuid_is_nil(&sending->event.id); // else there is no telling what would be claimed next
        sending_free(sending);
        return rc;
    }
    if (rc != OK || !*has) {
        sending_free(sending);
        return rc;
    }
    list_append(&claim->sendings, &sending->link);
    claim->claimed++;
    return OK;
}

// Claims up to a merchant's share. Where that leaves something due, the end of one of those in flight leads
// to the next claim.
static enum errc claim_share(struct claim *claim, struct db *db, const struct uuid *merchant_id,
                             struct err *err)
{
    int64_t share = claim->endpoint_max - busy_with(claim, merchant_id);
    for (; share > 0 && claim->claimed < claim->room; share--) {
        bool has = false;
        enum errc rc = claim_one(claim, db, merchant_id, &has, err);
        if (rc != OK) {
            return rc;
        }
        if (!has) {
            int64_t first_us = INT64_MAX;
            rc = outbox_first_time(db, merchant_id, &first_us, err);
            due_at(claim, first_us > claim->now_us ? first_us : INT64_MAX); // damage is for a later look
            return rc;
        }
    }
    return OK;
}

// *again: this merchant has more to do than one visit may.
static enum errc visit(struct claim *claim, struct db *db, const struct outbox_queue *queue, bool *again,
                       struct err *err)
{
    if (queue->first_us > claim->now_us) {
        due_at(claim, queue->first_us);
        return OK;
    }
    if (queue->has_endpoint) {
        return claim_share(claim, db, &queue->merchant_id, err);
    }
    int64_t moved = 0;
    enum errc rc = outbox_park_merchant(db, &queue->merchant_id, claim->now_us, &moved, err);
    *again = moved == OUTBOX_BATCH_MAX;
    return rc;
}

static bool is_behind_start(const struct claim_walk *walk, const struct uuid *merchant_id)
{
    return memcmp(merchant_id->bytes, walk->start.bytes, sizeof(merchant_id->bytes)) > 0;
}

// One step of the walk: on to the next merchant, or around.
static enum errc step(struct claim *claim, struct db *db, bool *again, struct err *err)
{
    struct claim_walk *walk = &claim->to;
    struct outbox_queue queue;
    bool has = false;
    enum errc rc = outbox_next_queue(db, &walk->at, &queue, &has, err);
    if (rc != OK) {
        return rc;
    }
    if (!has && !walk->wrapped) {
        walk->wrapped = true;
        walk->at = (struct uuid){0};
        return OK;
    }
    if (!has || (walk->wrapped && is_behind_start(walk, &queue.merchant_id))) {
        walk->done = true;
        return OK;
    }
    walk->visits++;
    rc = visit(claim, db, &queue, again, err);
    if (!*again) {
        walk->at = queue.merchant_id;
    }
    return rc;
}

enum errc claim_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct claim *claim = CONTAINER_OF(job, struct claim, job);
    sending_free_all(&claim->sendings); // of a run whose batch could not be committed
    claim->claimed = 0;
    claim->set_aside = 0;
    claim->to = claim->from;
    enum errc rc = OK;
    bool again = false;
    for (int visits = 0; rc == OK && visits < VISITS_MAX && !again; visits++) {
        if (claim->to.done || claim->claimed >= claim->room) {
            break;
        }
        rc = step(claim, tx->db, &again, err);
    }
    return rc;
}
