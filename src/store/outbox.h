// Events to the merchant, written in the transaction of the change they tell of. A row is its delivery's
// state too. next_attempt_us is NULL once it is delivered or dead. Of the events of one transaction at most
// the oldest open one is attempted, the others are OUTBOX_BLOCKED it. An event whose merchant has no endpoint
// (no URL, or it answered 410) is OUTBOX_PARKED. All else that is open has a time, and with it a place in
// the index that the claim walks: a new event its own, a failed one that of its retry, and one being sent
// ("processing") the end of its lease, at which a crash is over.
#pragma once

#include "store/db.h"

#define OUTBOX_BLOCKED INT64_MAX
#define OUTBOX_PARKED (INT64_MAX - 1)

// Rows that one call moves at most, so that a backlog never holds the writer for long.
#define OUTBOX_BATCH_MAX 1000

struct outbox_event {
    struct uuid id;
    struct uuid merchant_id;
    bool livemode;
    struct uuid transaction_id; // nil: none (webhook.test)
    const char *type;
    const char *body;   // the exact bytes to send
    const char *status; // "pending", "processing", "delivered", "retrying", "dead"
    int attempts;
    int64_t next_attempt_us; // 0: finished
    int last_status_code;    // 0: none
    const char *last_error;  // NULL: none
    int64_t delivered_us;    // 0: not
    int64_t created_us;
};

// An id for a transaction's next event, behind those of all that it has: they are sent in the order of their
// ids, and the clock may have gone back since.
enum errc outbox_next_id(struct db *db, const struct uuid *transaction_id, struct random *random,
                         int64_t now_us, struct uuid *id, struct err *err) MUST_CHECK;

// Appends a pending event: due now, behind an unfinished one of the same transaction, or waiting for an
// endpoint.
enum errc outbox_append(struct db *db, const struct outbox_event *event, struct err *err) MUST_CHECK;

// A merchant with open events, as the walks over merchants see it.
struct outbox_lane {
    struct uuid merchant_id;
    int64_t first_us;  // what its first event stands at: when it is due, or when it was made
    bool has_endpoint; // a URL, a secret, and no 410 since the URL was set
};
// The next merchant behind `after` (nil: from the first) that has an event with a time, and the earliest such
// time. One seek in an index, however many events anybody has.
enum errc outbox_next_lane(struct db *db, const struct uuid *after, struct outbox_lane *queue, bool *has,
                           struct err *err) MUST_CHECK;
// The next merchant behind `after` with waiting events, and when the oldest of them was made.
enum errc outbox_next_waiting(struct db *db, const struct uuid *after, struct outbox_lane *queue, bool *has,
                              struct err *err) MUST_CHECK;
// The earliest time of one merchant's events; INT64_MAX where none has one.
enum errc outbox_first_time(struct db *db, const struct uuid *merchant_id, int64_t *first_us,
                            struct err *err) MUST_CHECK;

// Claims the longest due event of a merchant: "processing", its time becomes lease_until_us. *has is false
// where none is due.
enum errc outbox_claim(struct db *db, const struct uuid *merchant_id, int64_t now_us, int64_t lease_until_us,
                       struct arena *arena, struct outbox_event *event, bool *has,
                       struct err *err) MUST_CHECK;

// It was claimed, but it or its merchant is damaged: lets it wait until then. Where its id is damaged, it
// waits until its lease ends.
enum errc outbox_set_aside(struct db *db, const struct outbox_event *claimed, int64_t until_us,
                           struct err *err) MUST_CHECK;

enum outbox_outcome {
    OUTBOX_DELIVERED,
    OUTBOX_RETRY, // again at retry_us
    OUTBOX_DEAD,  // the schedule is used up
    OUTBOX_GONE,  // 410: the merchant's events wait until it sets its URL
};
// How an attempt at a claimed event ended.
struct outbox_attempt {
    enum outbox_outcome outcome;
    int64_t at_us;
    int64_t retry_us;
    int status_code;             // 0: no answer
    const char *error;           // NULL: none; without query or secret
    int64_t merchant_updated_us; // as read with the claim: a 410 does not stop an endpoint that was set since
};
// Records it, and frees the next event of the transaction if this one is finished. *recorded is false where
// the lease had lapsed and another claim has the event: nothing was written.
enum errc outbox_record(struct db *db, const struct outbox_event *claimed,
                        const struct outbox_attempt *attempt, bool *recorded, struct err *err) MUST_CHECK;

// Makes a merchant's events wait, all but those being sent, at most OUTBOX_BATCH_MAX; *moved says how many.
enum errc outbox_park_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us, int64_t *moved,
                               struct err *err) MUST_CHECK;
// Makes a merchant's waiting events due, the oldest first, at most OUTBOX_BATCH_MAX; the sweep frees what is
// left. To be called in the transaction that sets the URL; delivery_wake when it is durable.
enum errc outbox_release_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us,
                                  int64_t *moved, struct err *err) MUST_CHECK;
// Lets the oldest waiting event of a merchant die if it was made before that time; *has is false where there
// is none.
enum errc outbox_expire_parked(struct db *db, const struct uuid *merchant_id, int64_t made_before_us,
                               int64_t now_us, bool *has, struct err *err) MUST_CHECK;

// Ends every lease: at start, when no other process can hold one.
enum errc outbox_release_leases(struct db *db, int64_t now_us, int64_t *count, struct err *err) MUST_CHECK;
// The clock was set back by back_us: what is still to come comes as much sooner, so that every retry keeps
// its distance. To be called at start, too (0: it was not, as far as we know): what is due later than
// anything is ever put off was written by a clock that was ahead, and is due now. Leases stay as they are,
// because their holders know them by their times. Walks all open events.
enum errc outbox_clock_set_back(struct db *db, int64_t now_us, int64_t back_us, struct err *err) MUST_CHECK;
