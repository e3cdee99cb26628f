// Events that named a merchant and that no signing secret of it had signed: most often the wrong secret was
// stored. In memory alone, since strangers can send such events too. Any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

struct refused_events;

struct refused_count {
    int64_t count; // since the last event that was genuine, or the start
    int64_t last_us;
};

struct refused_events *refused_events_open(void);
void refused_events_free(struct refused_events *refused);

// One more. Warns in the log, once an hour for each merchant and mode.
void refused_events_add(struct refused_events *refused, const struct uuid *merchant_id, bool livemode,
                        int64_t now_us);
// A genuine one came.
void refused_events_clear(struct refused_events *refused, const struct uuid *merchant_id, bool livemode);
struct refused_count refused_events_of(struct refused_events *refused, const struct uuid *merchant_id,
                                       bool livemode);
