// How far the provider's events have been fetched, for each row of credentials.
#pragma once

#include "store/db.h"
#include "store/operations.h"

struct event_feed {
    struct uuid credential_id;
    int64_t since_s;  // every event from before is here
    int64_t at_s;     // how far the present round has come; never before since_s
    int64_t width_s;  // the length of time that one request asks for; 0: all
    const char *page; // of the present request's time, the page to go on with; NULL: the first
};

enum errc event_feed_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                         struct event_feed *row, struct err *err) MUST_CHECK;
enum errc event_feed_put(struct db *db, const struct event_feed *row, struct err *err) MUST_CHECK;
// Makes the feed, at from_s. If it exists and no operation of this kind is using it, moves it ahead to
// from_s; it never goes back.
enum errc event_feed_open(struct db *db, const struct uuid *credential_id, const char *kind, int64_t from_s,
                          struct err *err) MUST_CHECK;

// The same for all active credentials, but not from before they were made.
enum errc event_feeds_open(struct db *db, const char *kind, int64_t from_s, struct err *err) MUST_CHECK;
// Opens the operations that fetch events, for all active credentials that were ever used: those used last
// come first, one every pace_us. What is due sooner stays so.
enum errc event_feeds_ask(struct db *db, const char *kind, int64_t now_us, int64_t pace_us,
                          struct err *err) MUST_CHECK;
// Makes the operation that fetches the events of this version's credentials due at due_us at the latest,
// unless it failed or is running.
enum errc event_feed_hurry(struct db *db, const struct uuid *version_id, const char *kind, int64_t due_us,
                           struct err *err) MUST_CHECK;
// Whether a payment was made with credentials of this merchant and mode since then.
enum errc event_feed_is_used(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t since_us,
                             bool *used, struct err *err) MUST_CHECK;
