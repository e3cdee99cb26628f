// Accounts that are asked for the payments and refunds that this database may lack. A row stays until its
// account has answered completely. While an operation of the asking kind is open, the account is held.
// Whoever decides by a row has locked the account's credentials (credential_lock).
#pragma once

#include "store/db.h"

struct catch_up {
    struct uuid credential_id;
    int64_t from_s;     // what was made before is here
    int64_t begun_us;   // what was settled before was already so in the copy, if this database is a copy
    bool known;         // something was missing: this database was restored
    bool payments_read; // the refunds are next
    const char *page;   // where to go on; NULL: at the newest
    int64_t payments;   // how many were imported
    int64_t refunds;
    int64_t left_out; // payments and refunds that could not be imported
};

// ERR_NOT_FOUND.
enum errc catch_up_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                       struct catch_up *row, struct err *err) MUST_CHECK;
enum errc catch_up_put(struct db *db, const struct catch_up *row, struct err *err) MUST_CHECK;
enum errc catch_up_delete(struct db *db, const struct uuid *credential_id, struct err *err) MUST_CHECK;

// Makes a row for each of the credentials, from slack_s before they were made at the earliest. An existing
// row begins anew, at the earlier of both times. Locks all credentials.
enum errc catch_ups_begin(struct db *db, int64_t from_s, int64_t slack_s, int64_t now_us,
                          struct err *err) MUST_CHECK;
// Opens the operations of this kind that ask the accounts of these rows; credential_id NULL: all.
enum errc catch_ups_ask(struct db *db, const char *kind, const struct uuid *credential_id, int64_t now_us,
                        struct err *err) MUST_CHECK;
// Deletes all rows and their operations.
enum errc catch_ups_end(struct db *db, const char *kind, struct err *err) MUST_CHECK;

// Whether an operation of this kind is open for this merchant, in this mode or in either.
enum catch_up_mode { CATCH_UP_TEST, CATCH_UP_LIVE, CATCH_UP_EITHER };
enum errc catch_up_is_open(struct db *db, const struct uuid *merchant_id, enum catch_up_mode mode,
                           const char *kind, bool *open, struct err *err) MUST_CHECK;
// How many accounts are held, and how many of them because something was missing.
enum errc catch_ups_count(struct db *db, const char *kind, int64_t *held, int64_t *known,
                          struct err *err) MUST_CHECK;
