// See audit_head.h. If the chain no longer contains the head that was logged before, it was truncated or
// replaced while the service ran, and that is logged as an error.
#include "api/audit_head.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/audit.h"

#define WRITE_EVERY_US (600 * US_PER_S)

struct audit_heads {
    struct loop *loop;
    struct store *store;
    struct timer timer;
    struct store_job job;
    bool reading;
    struct audit_head known; // the head that was logged last; none at first
    struct audit_head present;
    bool known_holds;
};

static enum errc run_read(struct store_job *job, struct tx *tx, struct err *err)
{
    struct audit_heads *heads = CONTAINER_OF(job, struct audit_heads, job);
    enum errc rc = audit_head_read(tx->db, &heads->present, err);
    return rc == OK ? audit_head_holds(tx->db, tx->keyring->pepper, &heads->known, &heads->known_holds, err)
                    : rc;
}

static void read_done(struct store_job *job)
{
    struct audit_heads *heads = CONTAINER_OF(job, struct audit_heads, job);
    heads->reading = false;
    if (job->result != OK) {
        LOG(LOG_ERROR, "the audit log's head could not be read", LOG_STR("error", job->err.message));
        return;
    }
    char mac[2 * AUDIT_MAC_BYTES + 1];
    if (!heads->known_holds) {
        text_hex(heads->known.mac, sizeof(heads->known.mac), mac);
        LOG(LOG_ERROR, "the audit log was truncated or changed: it no longer contains this head",
            LOG_INT("entries", heads->known.seq), LOG_STR("head", mac));
    }
    if (heads->present.seq != heads->known.seq || !heads->known_holds) {
        heads->known = heads->present;
        text_hex(heads->known.mac, sizeof(heads->known.mac), mac);
        LOG(LOG_INFO, "audit head", LOG_INT("entries", heads->known.seq), LOG_STR("head", mac));
    }
}

static void on_timer(struct timer *timer)
{
    struct audit_heads *heads = CONTAINER_OF(timer, struct audit_heads, timer);
    timer_start(heads->loop, &heads->timer, WRITE_EVERY_US);
    if (!heads->reading) {
        heads->reading = true;
        heads->job = (struct store_job){.queue = STORE_READ, .run = run_read, .done = read_done};
        store_submit_always(heads->store, &heads->job);
    }
}

struct audit_heads *audit_heads_open(struct loop *loop, struct store *store)
{
    struct audit_heads *heads = calloc(1, sizeof(*heads));
    REQUIRE(heads != NULL);
    heads->loop = loop;
    heads->store = store;
    timer_init(&heads->timer, on_timer);
    timer_start(loop, &heads->timer, 0);
    return heads;
}

void audit_heads_free(struct audit_heads *heads)
{
    timer_stop(heads->loop, &heads->timer);
    REQUIRE(!heads->reading);
    free(heads);
}

bool audit_heads_drain(struct audit_heads *heads)
{
    timer_stop(heads->loop, &heads->timer);
    return !heads->reading;
}
