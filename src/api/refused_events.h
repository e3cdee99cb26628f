// Counts events that name a merchant but are not signed with any of its signing secrets: most often the wrong
// secret was stored. Kept only in memory, because anybody can send such events. Any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

struct refused_events;

struct refused_count {
    int64_t count; // since the last genuine event, or since the start
    int64_t last_us;
};

struct refused_events *refused_events_open(void);
void refused_events_free(struct refused_events *refused);

// Counts one. Logs a warning at most once an hour for each merchant and mode.
void refused_events_add(struct refused_events *refused, const struct uuid *merchant_id, bool livemode,
                        int64_t now_us);
// A genuine event came.
void refused_events_clear(struct refused_events *refused, const struct uuid *merchant_id, bool livemode);
struct refused_count refused_events_of(struct refused_events *refused, const struct uuid *merchant_id,
                                       bool livemode);
