// Events to the merchant, written in the transaction of the change that they report. A row also holds the
// state of its delivery, in next_attempt_us:
// - NULL: the event is delivered or dead.
// - OUTBOX_BLOCKED: an older event of the same transaction is open. At most one of them is attempted at a
//   time.
// - OUTBOX_PARKED: the merchant has no endpoint: no URL, or the endpoint answered 410.
// - A time, when it is due: a new event at once, a failed one at its retry, and one that is being sent
//   ("processing") when its lease ends, so that a crash only delays it.
// The index that the claim walks holds only events with a time.
#pragma once

#include "store/listing.h"
#include "store/merchants.h"
#include "store/tx.h"

#define OUTBOX_BLOCKED INT64_MAX
#define OUTBOX_PARKED (INT64_MAX - 1)

// The most rows that one call moves, so that a backlog never holds the writer for long.
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
    struct uuid node_id;     // whose lease it is; nil: it is not leased, or there is only one process
    int last_status_code;    // 0: none
    const char *last_error;  // NULL: none
    int64_t delivered_us;    // 0: not
    int64_t created_us;
};

// What a new event must know about the events before it.
struct outbox_next {
    // Higher than all ids of its transaction so far: events are sent in the order of their ids, and the clock
    // may have been set back.
    struct uuid id;
    int64_t next_attempt_us;  // blocked by an open event of the same transaction, parked, or due now
    bool is_only_due;         // it is due, and no other event of its merchant is: it may be leased at once
    bool endpoint_fails;      // the merchant's last attempt failed
    struct merchant merchant; // where is_only_due: what a delivery needs of it
};
// transaction_id nil: none. Text into the transaction's arena.
enum errc outbox_next(struct tx *tx, const struct uuid *merchant_id, const struct uuid *transaction_id,
                      struct outbox_next *next, struct err *err) MUST_CHECK;
// Writes a new event, whose status and time it sets. If the delivery can send it right after the commit, it
// is leased for that (struct event_listener).
enum errc outbox_append(struct tx *tx, const struct outbox_next *next, struct outbox_event *event,
                        struct err *err) MUST_CHECK;

// A merchant's open events, as the walks over merchants see them.
struct outbox_queue {
    struct uuid merchant_id;
    int64_t first_us;    // of its first event: when it is due, or when a parked one was made
    bool has_endpoint;   // a URL, a secret, and no 410 since the URL was set
    bool endpoint_fails; // the last attempt failed, and the URL was not set since
};
// The next merchant after `after` (nil: the first) with an event that has a time, and the earliest such time.
// One seek in an index, however many events there are.
enum errc outbox_next_queue(struct db *db, const struct uuid *after, struct outbox_queue *queue, bool *has,
                            struct err *err) MUST_CHECK;
// The next merchant after `after` with parked events, and when the oldest of them was made.
enum errc outbox_next_parked(struct db *db, const struct uuid *after, struct outbox_queue *queue, bool *has,
                             struct err *err) MUST_CHECK;
// The earliest time of one merchant's events; INT64_MAX if none has a time.
enum errc outbox_first_time(struct db *db, const struct uuid *merchant_id, int64_t *first_us,
                            struct err *err) MUST_CHECK;

// Claims the merchant's event that is due longest for this node: it becomes "processing", its time
// lease_until_us. *has is false if none is due, or if the merchant has no endpoint. *damaged: it is claimed,
// but its row is damaged; db_take_damage does not tell of that.
enum errc outbox_claim(struct db *db, const struct uuid *merchant_id, const struct uuid *node_id,
                       int64_t now_us, int64_t lease_until_us, struct arena *arena, struct outbox_event *row,
                       bool *has, bool *damaged, struct err *err) MUST_CHECK;

// For a claimed event that is damaged itself, or whose merchant is: delays it until then. If its id is
// damaged, it waits until its lease ends.
enum errc outbox_set_aside(struct db *db, const struct outbox_event *claimed, int64_t until_us,
                           struct err *err) MUST_CHECK;

enum outbox_outcome {
    OUTBOX_DELIVERED,
    OUTBOX_RETRY, // again at retry_us
    OUTBOX_DEAD,  // no attempt is left in the schedule
    OUTBOX_GONE,  // 410: the merchant's events are parked until it sets its URL
};
// How an attempt at a claimed event ended.
struct outbox_attempt {
    enum outbox_outcome outcome;
    int64_t at_us;
    int64_t retry_us;
    int status_code;             // 0: no answer
    const char *error;           // NULL: none; without query or secret
    int64_t merchant_updated_us; // as read with the claim: a 410 does not stop an endpoint that was set since
    bool endpoint_failed;        // as read with the claim: whether the attempt before this one failed
};
struct outbox_recorded {
    bool done;        // false: the lease has ended and another claim has the event; nothing was written
    bool next_is_due; // the event is finished, and the next one of its transaction was blocked until now
};
// Records it, and whether the merchant's endpoint fails now.
enum errc outbox_record(struct db *db, const struct outbox_event *claimed,
                        const struct outbox_attempt *attempt, struct outbox_recorded *recorded,
                        struct err *err) MUST_CHECK;

// As store_job.ahead, for outbox_record.
void outbox_ask_record(struct db *db, const struct outbox_event *claimed);

// Parks a merchant's events, except those being sent: at most OUTBOX_BATCH_MAX, *moved says how many.
enum errc outbox_park_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us, int64_t *moved,
                               struct err *err) MUST_CHECK;
// Makes a merchant's parked events due, the oldest first, at most OUTBOX_BATCH_MAX; the sweep releases the
// rest. Call it in the transaction that sets the URL, and set event_due in that.
enum errc outbox_release_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us,
                                  int64_t *moved, struct err *err) MUST_CHECK;
// Makes a merchant's oldest parked event dead if it was made before that time; *has is false if there is
// none.
enum errc outbox_expire_parked(struct db *db, const struct uuid *merchant_id, int64_t made_before_us,
                               int64_t now_us, bool *has, struct err *err) MUST_CHECK;

// Ends every lease: at start, when no other process can hold one.
enum errc outbox_release_leases(struct db *db, int64_t now_us, int64_t *count, struct err *err) MUST_CHECK;
// Ends the leases of nodes that are not there any more. Walks all events that have a time.
enum errc outbox_release_ended(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;
// The clock was set back by back_us: moves all due times back by as much, so that every retry keeps its
// distance. Call it at start, too, with 0 if the clock was not set back: an event that is due later than any
// schedule allows was written by a clock that was ahead, and becomes due now. Leases keep their times,
// because their holders find them by these. Walks all open events.
enum errc outbox_clock_set_back(struct db *db, int64_t now_us, int64_t back_us, struct err *err) MUST_CHECK;

// --- the merchant's view: each event's delivery without its body, and sending one again

extern const struct listing outbox_log_listing;
// Reads the row that a query in those columns stands on, without body and merchant. Text into the arena.
void outbox_log_read(struct db_rows *rows, struct arena *arena, struct outbox_event *row);
// ERR_NOT_FOUND: the merchant has no such event.
enum errc outbox_log_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                         struct arena *arena, struct outbox_event *event, struct err *err) MUST_CHECK;
// Makes an event due now, whatever its status and even if it is blocked; one that is being sent stays as it
// is. An event without an attempt left gets one more. Its merchant must have an endpoint.
enum errc outbox_redeliver(struct db *db, const struct uuid *id, int64_t now_us, struct err *err) MUST_CHECK;
