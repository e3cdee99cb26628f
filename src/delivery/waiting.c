// See waiting.h. Database thread. An event waits 76 hours from when it was made, which is as long as the
// default schedule of retries goes on for.
#include "delivery/waiting.h"

#include "base/list.h"
#include "base/timefmt.h"
#include "store/outbox.h"

#define WAIT_MAX_US (INT64_C(76) * 3600 * US_PER_S)
#define VISITS_MAX 200
#define BURY_MAX 100

static enum errc release(struct waiting *waiting, struct db *db, const struct uuid *merchant_id, bool *full,
                         struct err *err)
{
    int64_t moved = 0;
    enum errc rc = outbox_release_merchant(db, merchant_id, waiting->now_us, &moved, err);
    waiting->released |= moved > 0;
    *full = moved == OUTBOX_BATCH_MAX;
    return rc;
}

static enum errc expire(struct waiting *waiting, struct db *db, const struct uuid *merchant_id, bool *full,
                        struct err *err)
{
    bool has = true;
    enum errc rc = OK;
    for (int buried = 0; rc == OK && has && buried < BURY_MAX; buried++) {
        rc = outbox_expire_parked(db, merchant_id, waiting->now_us - WAIT_MAX_US, waiting->now_us, &has, err);
    }
    *full = has;
    return rc;
}

enum errc waiting_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct waiting *waiting = CONTAINER_OF(job, struct waiting, job);
    waiting->released = waiting->more = false;
    waiting->stopped_at = waiting->cursor;
    enum errc rc = OK;
    for (int visits = 0; rc == OK && !waiting->more && visits < VISITS_MAX; visits++) {
        struct outbox_queue queue;
        bool has = false;
        rc = outbox_next_parked(tx->db, &waiting->stopped_at, &queue, &has, err);
        if (rc != OK || !has) {
            waiting->stopped_at = (struct uuid){0};
            return rc;
        }
        rc =
            (queue.has_endpoint ? release : expire)(waiting, tx->db, &queue.merchant_id, &waiting->more, err);
        if (!waiting->more) {
            waiting->stopped_at = queue.merchant_id;
        }
    }
    return rc;
}
