// Events from the provider. There is one row for each, so that a repeated event changes nothing; it is kept
// for longer than the provider repeats events.
#pragma once

#include "store/listing.h"

// What became of an event, and why it was not applied: the API's words.
#define INBOX_APPLIED "applied"
#define INBOX_KEPT "kept"
#define INBOX_IGNORED "ignored"
#define INBOX_AWAITS_PAYMENT "awaits_payment" // the only reason of those that are kept
#define INBOX_DOES_NOT_FIT "does_not_fit"
#define INBOX_PAYMENT_UNKNOWN "payment_unknown"
#define INBOX_PAYMENT_NEVER_CAME "payment_never_came"
#define INBOX_NO_ROOM "no_room"
#define INBOX_CREDENTIALS_DELETED "credentials_deleted"
#define INBOX_UNREADABLE "unreadable"

struct inbox_event {
    struct uuid id; // nil: an older version recorded it, so it is not listed
    struct uuid merchant_id;
    bool livemode;
    const char *event_id;
    const char *type;
    struct uuid payment_id; // nil: none
    const uint8_t *body; // sealed (SEALED_EVENT), kept only while it waits for its payment; NULL: done with
    size_t body_bytes;
    int64_t received_us;
    const char *outcome;
    const char *reason; // NULL: it was applied
};

// *fresh is false if this event was recorded before: then nothing changes. An ignored event counts as not
// recorded if this time it is applied or kept, unless it does not fit its payment.
enum errc inbox_record(struct db *db, const struct inbox_event *row, bool *fresh, struct err *err) MUST_CHECK;

// How many of a merchant's events wait for payments that do not exist yet.
enum errc inbox_kept_count(struct db *db, const struct uuid *merchant_id, int64_t *count,
                           struct err *err) MUST_CHECK;
// The waiting events whose payment exists now, each payment's oldest first, at most `max`.
enum errc inbox_ready(struct db *db, struct arena *arena, struct inbox_event *events, size_t max,
                      size_t *count, struct err *err) MUST_CHECK;
// Records what became of an event, and removes its body. ignored_because NULL: it was applied.
enum errc inbox_settle(struct db *db, const struct uuid *merchant_id, bool livemode, const char *event_id,
                       const char *ignored_because, struct err *err) MUST_CHECK;
// Events from before that time no longer wait: removes their bodies, at most `max`.
enum errc inbox_give_up(struct db *db, int64_t before_us, size_t max, struct err *err) MUST_CHECK;

// A merchant's events.
extern const struct listing inbox_listing;
// Reads the row that a query in those columns stands on, without its body. Text into the arena; NULL: as in
// db_text.
void inbox_listed_read(struct db_rows *rows, struct arena *arena, struct inbox_event *row);
