// Open operations: each still needs a call to the provider. A claim moves a row's next attempt to the end of
// a lease, so that after a crash or a lost answer the row becomes due again by itself. Where several nodes
// share the database (nodes.h), the lease is one node's: no other claims the row until that node has ended.
#pragma once

#include "store/db.h"

struct operation {
    struct uuid subject_id; // the payment, refund or card
    const char *kind;       // struct op_kind's name
    struct uuid merchant_id;
    bool livemode;
    struct uuid credential_version_id;
    const char *body; // the exact form body to send; NULL: the kind sends none
    int attempts;     // calls begun
    bool unresolved;  // an attempt ended with an unknown outcome, or a crash lost it
    // The kind's note from one attempt to the next: two columns, named by what each kind keeps in them.
    union {
        bool lookup_only; // charge, capture, refund, authenticate: never sent again, only looked for
        bool read_next;   // cancel, card_setup: its state is read before it is canceled once more
        bool read_again;  // card, card_keep: an event reported the card, so it is read once it is saved
    };
    union { // wall clock; 0: it did not happen
        int64_t
            absent_us; // when it was looked for in vain: charge, authenticate the first time, refund the last
        int64_t resent_us;     // card, card_setup, detach, a customer: since when another key is used
        int64_t still_open_us; // cancel: when it was first read and not canceled, so that another key is used
        int64_t unmade_us;     // refunds: when its payment was first not known to be made
        int64_t held_up_us;    // events: one of this round has to be fetched again
        int64_t late_us;       // catch_up: since when refunds of this page cannot be imported yet
    };
    // The key was refused, and nothing was tried since, where refused_attempt is attempts and not 0.
    int refused_attempt;
    struct uuid refused_version_id; // the merchant's present version of credentials then
    int64_t next_attempt_us;
    struct uuid node_id; // whose lease it is; nil: it is not leased, or there is only one process
    int64_t created_us;
    bool damaged; // as it was claimed: something in the row is, and reads as 0, "" or nil
};

// Inserts it. If the same (subject, kind) is open, only brings its next attempt forward.
enum errc operation_insert(struct db *db, const struct operation *row, struct err *err) MUST_CHECK;
// Locks it, in a transaction that writes; what it is about is locked before it. ERR_NOT_FOUND: it is not open
// any more.
enum errc operation_get(struct db *db, const struct uuid *subject_id, const char *kind, struct arena *arena,
                        struct operation *operation, struct err *err) MUST_CHECK;
// For a transaction that has not locked what it is about: locks nothing.
enum errc operation_is_open(struct db *db, const struct uuid *subject_id, const char *kind, bool *open,
                            struct err *err) MUST_CHECK;
// Writes every column that may change. A body that is stored already stays as it is.
enum errc operation_update(struct db *db, const struct operation *row, struct err *err) MUST_CHECK;
enum errc operation_delete(struct db *db, const struct uuid *subject_id, const char *kind,
                           struct err *err) MUST_CHECK;

// Delays it until then and changes nothing else: the row may be damaged.
enum errc operation_set_aside(struct db *db, const struct operation *operation, int64_t until_us,
                              struct err *err) MUST_CHECK;

// Makes those of a merchant and mode due now whose key was refused at the last attempt. Walks all open ones.
enum errc operations_try_refused(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t now_us,
                                 struct err *err) MUST_CHECK;

// Claims up to `max` due ones for this node, the longest due first: their next attempt becomes now +
// lease_us.
enum errc operations_claim(struct db *db, const struct uuid *node_id, int64_t now_us, int64_t lease_us,
                           struct arena *arena, struct operation *operations, size_t max, size_t *count,
                           struct err *err) MUST_CHECK;
// When the next one is due that this node may claim; INT64_MAX if there is none.
enum errc operations_next_due(struct db *db, const struct uuid *node_id, int64_t *due_us,
                              struct err *err) MUST_CHECK;
// Whether the merchant has an open one of this kind that began after from_us, at least moment_us ago. One
// that began later than now counts, too: the clock was set back since. Walks all open ones, so call it
// rarely.
enum errc operations_linger(struct db *db, const struct uuid *merchant_id, const char *kind, int64_t from_us,
                            int64_t moment_us, int64_t now_us, bool *any, struct err *err) MUST_CHECK;
// The clock was set by step_us. If it went back, the times of beginning are moved to the new time. If it went
// ahead, perhaps the machine was asleep, so they stay: nothing may count as younger than it is. Operations
// that would send their body again only look for its result from now on, except those of these two kinds.
// Those that were absent are looked for anew, and all are due now.
enum errc operations_distrust_clock(struct db *db, const char *const kinds[2], int64_t now_us,
                                    int64_t step_us, struct err *err) MUST_CHECK;
// At start, for rows that were written while the clock was ahead: nobody knows how old they are. Operations
// of this kind would wait until their time comes. If that is more than a day away, they begin now and are
// only looked for from now on. Times of absence that lie ahead become now.
enum errc operations_distrust_future(struct db *db, const char *kind, int64_t now_us,
                                     struct err *err) MUST_CHECK;
// At start, when no other process can hold a lease: makes due now what an ended process may have held. What
// is due later than lease_us from now stays so, unless it began later than now because the clock was set
// back.
enum errc operations_release_leases(struct db *db, int64_t now_us, int64_t lease_us, int64_t *count,
                                    struct err *err) MUST_CHECK;
// Makes due now what is leased to nodes that are not there any more. Walks all open ones.
enum errc operations_release_ended(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;
