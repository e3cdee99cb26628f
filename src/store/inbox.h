// Events from the provider. There is one row for each, so that a repeated event changes nothing; it is kept
// for longer than the provider repeats events.
#pragma once

#include "store/db.h"

struct inbox_event {
    struct uuid merchant_id;
    bool livemode;
    const char *event_id;
    const char *type;
    struct uuid payment_id; // nil: none
    const uint8_t *body; // sealed (SEALED_EVENT), kept only while it waits for its payment; NULL: done with
    size_t body_bytes;
    int64_t received_us;
};

// *fresh is false if this event was recorded before: then nothing changes.
enum errc inbox_record(struct db *db, const struct inbox_event *row, bool *fresh, struct err *err) MUST_CHECK;

// How many of a merchant's events wait for payments that do not exist yet.
enum errc inbox_kept_count(struct db *db, const struct uuid *merchant_id, int64_t *count,
                           struct err *err) MUST_CHECK;
// The waiting events whose payment exists now, each payment's oldest first, at most `max`.
enum errc inbox_ready(struct db *db, struct arena *arena, struct inbox_event *events, size_t max,
                      size_t *count, struct err *err) MUST_CHECK;
// The event was applied: removes its body.
enum errc inbox_done(struct db *db, const struct inbox_event *event, struct err *err) MUST_CHECK;
// Events from before that time no longer wait: removes their bodies, at most `max`.
enum errc inbox_give_up(struct db *db, int64_t before_us, size_t max, struct err *err) MUST_CHECK;
