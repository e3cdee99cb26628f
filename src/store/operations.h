// Open operations: what the provider is still owed a call for. A row is claimed by moving its next attempt
// behind a lease, so that a crash or a lost answer brings it back by itself.
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
        bool lookup_only;    // charge, capture, refund, authenticate: never sent again, only looked for
        bool read_next;      // cancel, card_setup: its state is read before it is canceled once more
        bool told_meanwhile; // card, card_keep: an event told of the card, which is read once it is saved
    };
    union {                    // wall clock; 0: it did not happen
        int64_t absent_us;     // charge, refund, authenticate: when it was first looked for in vain
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
    int64_t created_us;
    bool damaged; // as it was claimed: something in the row is, and reads as 0, "" or nil
};

// Inserts; where the same (subject, kind) is open, only brings its next attempt forward.
enum errc operation_insert(struct db *db, const struct operation *operation, struct err *err) MUST_CHECK;
// ERR_NOT_FOUND: it is not open any more.
enum errc operation_get(struct db *db, const struct uuid *subject_id, const char *kind, struct arena *arena,
                        struct operation *operation, struct err *err) MUST_CHECK;
// Writes every column that may change. A body that was written before stays as it is.
enum errc operation_update(struct db *db, const struct operation *operation, struct err *err) MUST_CHECK;
enum errc operation_delete(struct db *db, const struct uuid *subject_id, const char *kind,
                           struct err *err) MUST_CHECK;

// Lets it wait until then, and changes nothing else: the row may be damaged.
enum errc operation_set_aside(struct db *db, const struct operation *operation, int64_t until_us,
                              struct err *err) MUST_CHECK;

// Those of a merchant and mode whose key was refused at last become due now. Walks the open ones.
enum errc operations_try_refused(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t now_us,
                                 struct err *err) MUST_CHECK;

// Claims up to `max` that are due, the longest due first: each one's next attempt becomes now + lease_us.
enum errc operations_claim(struct db *db, int64_t now_us, int64_t lease_us, struct arena *arena,
                           struct operation *operations, size_t max, size_t *count,
                           struct err *err) MUST_CHECK;
// When the next one is due; INT64_MAX where none is open.
enum errc operations_next_due(struct db *db, int64_t *due_us, struct err *err) MUST_CHECK;
// Whether one of this merchant's of this kind lingers: began after from_us and is still open, but not for
// less than moment_us. One that began later than now did so by a clock that was set since. Walks the open
// ones: not for every request.
enum errc operations_linger(struct db *db, const struct uuid *merchant_id, const char *kind, int64_t from_us,
                            int64_t moment_us, int64_t now_us, bool *any, struct err *err) MUST_CHECK;
// The clock was set by step_us. Where it went back, when anything began is told in the new time; where it
// went ahead it may be the machine that stood still, and the earlier time is the safe one: nothing is ever
// taken for younger than it is. What would be sent again is only looked for from now on, but for these two
// kinds; what was absent is looked for anew, and everything is due now.
enum errc operations_distrust_clock(struct db *db, const char *const kinds[2], int64_t now_us,
                                    int64_t step_us, struct err *err) MUST_CHECK;
// At start. Of what was written by a clock that was ahead nobody knows how old it is. Operations of this
// kind, which are found whatever their age, would wait until that time has come: where that is more than a
// day away, they begin now, and are only looked for from now on. Nothing was absent later than now.
enum errc operations_distrust_future(struct db *db, const char *kind, int64_t now_us,
                                     struct err *err) MUST_CHECK;
// Makes what a process that ended may have held due now: at start, when no other process can hold a lease.
// What is due later than lease_us from now stays so, unless the clock went back behind its beginning
// meanwhile.
enum errc operations_release_leases(struct db *db, int64_t now_us, int64_t lease_us, int64_t *count,
                                    struct err *err) MUST_CHECK;
