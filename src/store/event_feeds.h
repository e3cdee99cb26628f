// How far the provider's events of each credentials have been asked for.
#pragma once

#include "store/db.h"
#include "store/operations.h"

struct event_feed {
    struct uuid credential_id;
    int64_t since_s;  // whatever was made before is here, for good
    int64_t at_s;     // how far the present round has come; never before since_s
    int64_t width_s;  // of the time that is asked for at once; 0: all there is
    const char *page; // within the present time, the page to go on with; NULL: the first
};

enum errc event_feed_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                         struct event_feed *feed, struct err *err) MUST_CHECK;
enum errc event_feed_put(struct db *db, const struct event_feed *feed, struct err *err) MUST_CHECK;
// Makes the feed, or has one that nobody is asking for (by an operation of this kind) go on, at from_s. Never
// goes back.
enum errc event_feed_open(struct db *db, const struct uuid *credential_id, const char *kind, int64_t from_s,
                          struct err *err) MUST_CHECK;

// The same of all credentials there are, from when they were made at the earliest.
enum errc event_feeds_open(struct db *db, const char *kind, int64_t from_s, struct err *err) MUST_CHECK;
// Opens the operations that ask for events of all credentials that were ever used: those used last first, one
// every pace_us.
enum errc event_feeds_ask(struct db *db, const char *kind, int64_t now_us, int64_t pace_us,
                          struct err *err) MUST_CHECK;
// Has the operation that asks for the events of this version's credentials be due at due_us at the latest,
// unless it failed or is under way.
enum errc event_feed_hurry(struct db *db, const struct uuid *version_id, const char *kind, int64_t due_us,
                           struct err *err) MUST_CHECK;
// Whether a payment was made with credentials of this merchant and mode since then.
enum errc event_feed_is_used(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t since_us,
                             bool *used, struct err *err) MUST_CHECK;
