// Open operations that cannot be planned: their row, or one that they need, is damaged, or their credentials
// cannot be decrypted. Each is tried again after a growing delay of at most an hour, and never blocks the
// others. Database thread, except engine_log_set_aside.
#include <stdio.h>

#include "base/log.h"
#include "domain/retry.h"
#include "op/engine/engine_private.h"

enum errc op_set_aside(struct set_aside *aside, struct tx *tx, const struct operation *row, int64_t now_us,
                       const char *why, struct err *err)
{
    if (aside->count++ == 0) {
        aside->subject_id = row->subject_id;
        (void)snprintf(aside->kind, sizeof(aside->kind), "%s", row->kind);
        (void)snprintf(aside->why, sizeof(aside->why), "%s", why);
    }
    // If the row's key is damaged, this finds no row. The row comes back when its lease ends.
    return operation_set_aside(tx->db, row, now_us + retry_aside_delay_us(now_us, row->created_us), err);
}

void engine_log_set_aside(struct engine *engine, const struct set_aside *aside)
{
    engine->stats.set_aside_total += aside->count;
    engine->set_aside.count += aside->count;
    int64_t count =
        aside->count > 0 ? hourly_take(&engine->set_aside, loop_mono_us(engine->options.loop)) : 0;
    if (count > 0) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&aside->subject_id, id);
        LOG(LOG_ERROR, "unfinished operations cannot continue; this is one of them", LOG_INT("times", count),
            LOG_STR("subject_id", id), LOG_STR("operation", aside->kind), LOG_STR("error", aside->why));
    }
}
