// See parked.h. Database thread.
#include "delivery/parked.h"

#include "base/list.h"
#include "base/timefmt.h"
#include "store/outbox.h"

// An event stays parked for at most 76 hours after it was made, as long as the default schedule of retries.
#define PARKED_MAX_US (INT64_C(76) * 3600 * US_PER_S)
#define VISITS_MAX 200
#define EXPIRE_MAX 100

static enum errc release(struct parked_sweep *sweep, struct db *db, const struct uuid *merchant_id,
                         struct err *err)
{
    int64_t moved = 0;
    enum errc rc = outbox_release_merchant(db, merchant_id, sweep->now_us, &moved, err);
    sweep->released |= moved > 0;
    sweep->more = moved == OUTBOX_BATCH_MAX;
    return rc;
}

static enum errc expire(struct parked_sweep *sweep, struct db *db, const struct uuid *merchant_id,
                        struct err *err)
{
    bool has = true;
    enum errc rc = OK;
    for (int expired = 0; rc == OK && has && expired < EXPIRE_MAX; expired++) {
        rc = outbox_expire_parked(db, merchant_id, sweep->now_us - PARKED_MAX_US, sweep->now_us, &has, err);
    }
    sweep->more = has;
    return rc;
}

enum errc parked_sweep_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct parked_sweep *sweep = CONTAINER_OF(job, struct parked_sweep, job);
    sweep->released = sweep->more = false;
    sweep->next = sweep->cursor;
    enum errc rc = OK;
    for (int visits = 0; rc == OK && !sweep->more && visits < VISITS_MAX; visits++) {
        struct outbox_queue queue;
        bool has = false;
        rc = outbox_next_parked(tx->db, &sweep->next, &queue, &has, err);
        if (rc != OK || !has) {
            sweep->next = (struct uuid){0};
            return rc;
        }
        rc = (queue.has_endpoint ? release : expire)(sweep, tx->db, &queue.merchant_id, err);
        if (!sweep->more) {
            sweep->next = queue.merchant_id;
        }
    }
    return rc;
}
