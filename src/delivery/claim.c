// See claim.h. Database thread; the loop does not change the memory that the job reads until it is done.
//
// Fair: merchants take turns in the order of their ids, each claim goes on where the last one stopped, and no
// merchant gets more than its share. So a merchant with 100,000 due events, or with an endpoint that hangs,
// takes its share of the places in flight and delays nobody else. Bounded: a claim visits a limited number of
// merchants, parks a limited number of rows, and leaves the rest of the walk to the next claim.
#include "delivery/claim.h"

#include <string.h>

#define VISITS_MAX 1000 // about 3 ms of the writer's time
#define CLAIM_MAX 128   // events of one claim: about 2 ms of the writer's time

struct claim_walk claim_walk_after(const struct uuid *merchant_id)
{
    return (struct claim_walk){.start = *merchant_id, .at = *merchant_id, .next_due_us = INT64_MAX};
}

static void note_due(struct claim *claim, int64_t due_us)
{
    if (due_us < claim->to.next_due_us) {
        claim->to.next_due_us = due_us;
    }
}

// Holds a slot.
static enum errc claim_one(struct claim *claim, struct tx *tx, const struct outbox_queue *queue, bool *has,
                           struct err *err)
{
    const struct uuid *merchant_id = &queue->merchant_id;
    struct attempt *attempt = attempt_new(claim->slots, merchant_id);
    attempt->endpoint_failed = queue->endpoint_fails;
    enum errc rc = attempt_claim(attempt, tx, claim->now_us, claim->lease_us, err);
    *has = attempt->claim == ATTEMPT_CLAIMED;
    if (attempt->claim == ATTEMPT_SET_ASIDE) {
        claim->set_aside++;
        claim->aside_id = attempt->event.id;
        *has = !uuid_is_nil(&attempt->event.id); // without its id it could be claimed again at once
    }
    if (rc != OK || attempt->claim != ATTEMPT_CLAIMED) {
        attempt_free(attempt);
        return rc;
    }
    list_append(&claim->attempts, &attempt->link);
    claim->claimed++;
    return OK;
}

// Nothing more of this merchant is due.
static enum errc end_share(struct claim *claim, struct tx *tx, const struct uuid *merchant_id,
                           struct err *err)
{
    int64_t first_us = INT64_MAX;
    enum errc rc = outbox_first_time(tx->db, merchant_id, &first_us, err);
    // A damaged event is left to a later claim.
    note_due(claim, first_us > claim->now_us ? first_us : INT64_MAX);
    send_slots_merchant_done(claim->slots, merchant_id);
    return rc;
}

// Claims up to a merchant's share. If more is due, the end of one of its attempts starts the next claim.
// *again: there was no slot for any of its events, so the next claim visits it first.
static enum errc claim_share(struct claim *claim, struct tx *tx, const struct outbox_queue *queue,
                             bool *again, struct err *err)
{
    const struct uuid *merchant_id = &queue->merchant_id;
    for (int64_t before = claim->claimed; claim->claimed < CLAIM_MAX;) {
        enum slot_take take = send_slots_take(claim->slots, merchant_id, queue->endpoint_fails);
        if (take != SLOT_TAKEN) {
            claim->to.short_of_slots |= take == SLOT_NONE_FREE;
            *again = take == SLOT_NONE_FREE && claim->claimed == before;
            return OK;
        }
        bool has = false;
        enum errc rc = claim_one(claim, tx, queue, &has, err);
        if (rc != OK || !has) {
            return rc == OK ? end_share(claim, tx, merchant_id, err) : rc;
        }
    }
    return OK;
}

// *again: the merchant has more rows to park than one visit may, or got no slot.
static enum errc visit(struct claim *claim, struct tx *tx, const struct outbox_queue *queue, bool *again,
                       struct err *err)
{
    if (queue->first_us > claim->now_us) {
        note_due(claim, queue->first_us);
        send_slots_merchant_done(claim->slots, &queue->merchant_id);
        return OK;
    }
    if (queue->has_endpoint) {
        return claim_share(claim, tx, queue, again, err);
    }
    int64_t moved = 0;
    enum errc rc = outbox_park_merchant(tx->db, &queue->merchant_id, claim->now_us, &moved, err);
    *again = moved == OUTBOX_BATCH_MAX;
    return rc;
}

static bool is_after_start(const struct claim_walk *walk, const struct uuid *merchant_id)
{
    return memcmp(merchant_id->bytes, walk->start.bytes, sizeof(merchant_id->bytes)) > 0;
}

// One step of the walk: on to the next merchant, or back to the first.
static enum errc step(struct claim *claim, struct tx *tx, bool *again, struct err *err)
{
    struct claim_walk *walk = &claim->to;
    struct outbox_queue queue;
    bool has = false;
    enum errc rc = outbox_next_queue(tx->db, &walk->at, &queue, &has, err);
    if (rc != OK) {
        return rc;
    }
    if (!has && !walk->wrapped) {
        walk->wrapped = true;
        walk->at = (struct uuid){0};
        return OK;
    }
    if (!has || (walk->wrapped && is_after_start(walk, &queue.merchant_id))) {
        walk->done = true;
        return OK;
    }
    walk->visits++;
    rc = visit(claim, tx, &queue, again, err);
    if (!*again) {
        walk->at = queue.merchant_id;
    }
    return rc;
}

enum errc claim_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct claim *claim = CONTAINER_OF(job, struct claim, job);
    attempt_free_all(&claim->attempts); // left by a run that could not be committed
    claim->claimed = 0;
    claim->set_aside = 0;
    claim->to = claim->from;
    enum errc rc = OK;
    bool again = false;
    for (int visits = 0; rc == OK && visits < VISITS_MAX && !again; visits++) {
        if (claim->to.done || claim->claimed >= CLAIM_MAX) {
            break;
        }
        rc = step(claim, tx, &again, err);
    }
    send_slots_set_awaited(claim->slots, !claim->to.done || claim->to.short_of_slots);
    return rc;
}
