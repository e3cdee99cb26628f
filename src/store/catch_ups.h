// Accounts that are to be asked for the payments and refunds that this database may lack. A row stays until
// its account has told all; while an operation of the kind that asks is open, the account is held.
#pragma once

#include "store/db.h"

struct catch_up {
    struct uuid credential_id;
    int64_t from_s;     // what was made before is here
    int64_t begun_us;   // what was settled before was so when this database was copied, if it is a copy
    bool known;         // something was missing: this database is a restored one
    bool payments_read; // the refunds are next
    const char *page;   // where to go on; NULL: at the newest
    int64_t payments;   // how many were taken over
    int64_t refunds;
    int64_t left_out; // payments and refunds that could not be
};

// ERR_NOT_FOUND.
enum errc catch_up_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                       struct catch_up *catch_up, struct err *err) MUST_CHECK;
enum errc catch_up_put(struct db *db, const struct catch_up *catch_up, struct err *err) MUST_CHECK;
enum errc catch_up_delete(struct db *db, const struct uuid *credential_id, struct err *err) MUST_CHECK;

// Makes the rows of all credentials, from slack_s before they were made at the earliest. One that is there
// begins anew, and no later than it did.
enum errc catch_ups_begin(struct db *db, int64_t from_s, int64_t slack_s, int64_t now_us,
                          struct err *err) MUST_CHECK;
// Opens the operations, of this kind, that ask the accounts of these rows; credential_id NULL: all.
enum errc catch_ups_ask(struct db *db, const char *kind, const struct uuid *credential_id, int64_t now_us,
                        struct err *err) MUST_CHECK;
// Lets go of all, and of the operations.
enum errc catch_ups_end(struct db *db, const char *kind, struct err *err) MUST_CHECK;

// Whether an operation of this kind is open for this merchant, in this mode or in either.
enum catch_up_mode { CATCH_UP_TEST, CATCH_UP_LIVE, CATCH_UP_EITHER };
enum errc catch_up_is_open(struct db *db, const struct uuid *merchant_id, enum catch_up_mode mode,
                           const char *kind, bool *open, struct err *err) MUST_CHECK;
// How many accounts are held, and how many of them because something was missing.
enum errc catch_ups_count(struct db *db, const char *kind, int64_t *held, int64_t *known,
                          struct err *err) MUST_CHECK;
