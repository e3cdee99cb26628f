// Rows of payments and of their history.
#pragma once

#include "domain/payment.h"
#include "store/listing.h"

enum errc payment_insert(struct db *db, const struct payment *row, struct err *err) MUST_CHECK;
// Writes every column that may change after the insert.
enum errc payment_update(struct db *db, const struct payment *row, struct err *err) MUST_CHECK;

// A transaction that writes locks the payment with these two, so that what it read stays true. ERR_NOT_FOUND.
// merchant_id NULL: any merchant's (recovery). Text into the arena.
enum errc payment_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                      struct arena *arena, struct payment *payment, struct err *err) MUST_CHECK;
// By the provider's id, within one merchant and mode. ERR_NOT_FOUND.
enum errc payment_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                         const char *provider_ref, struct arena *arena, struct payment *payment,
                         struct err *err) MUST_CHECK;
// The same as payment_get, for a plan: it locks nothing, so the payment may change meanwhile.
enum errc payment_plan_get(struct db *db, const struct uuid *id, struct arena *arena, struct payment *payment,
                           struct err *err) MUST_CHECK;
// Lock the payment, where there is one: itself, the one of a refund, the one that saves a card.
enum errc payment_lock(struct db *db, const struct uuid *id, struct err *err) MUST_CHECK;
enum errc payment_lock_refunded(struct db *db, const struct uuid *refund_id, struct err *err) MUST_CHECK;
enum errc payment_lock_saving(struct db *db, const struct uuid *card_id, struct err *err) MUST_CHECK;
// The provider's id of another payment, made near this one with the same version of credentials; NULL: none.
enum errc payment_ref_of_version(struct db *db, const struct payment *payment, struct arena *arena,
                                 const char **provider_ref, struct err *err) MUST_CHECK;

// How many there are, of all merchants, but counts no further than `most` (a million takes 25 ms).
enum errc payment_count(struct db *db, int64_t most, int64_t *count, struct err *err) MUST_CHECK;

// A merchant's payments.
extern const struct listing payment_listing;
// Reads the row that a query in those columns stands on: what a list shows, and nothing sealed. Text into the
// arena; NULL: as in db_text.
enum errc payment_read_listed(struct db_rows *rows, struct arena *arena, struct payment *row,
                              struct err *err) MUST_CHECK;

// What happened to a payment: appended, and never changed.
struct payment_history_entry {
    struct uuid id;
    struct uuid payment_id;
    int64_t at_us;
    const char *what;           // "created", "completed", "ignored: a failure", ...
    enum payment_status status; // after it
    const char *cause;          // "api", "event", "recovery"
    const char *cause_ref;      // request id, provider's event id; NULL: none
};
// Writes a new payment's first entry.
enum errc payment_history_begin(struct db *db, const struct payment_history_entry *row,
                                struct err *err) MUST_CHECK;
// Appends an entry whose id was just made. If the clock was set back since the entry before, the id becomes
// the one after that entry's, so that the ids keep the entries' order.
enum errc payment_history_append(struct db *db, const struct payment_history_entry *row,
                                 struct err *err) MUST_CHECK;
// Whether it failed once and has been pending again since.
#define PAYMENT_REOPENED "reopened"
enum errc payment_was_reopened(struct db *db, const struct uuid *payment_id, bool *reopened,
                               struct err *err) MUST_CHECK;
// A payment's history.
extern const struct listing payment_history_listing;
// Leaves payment_id as it is.
enum errc payment_history_read(struct db_rows *rows, struct arena *arena, struct payment_history_entry *row,
                               struct err *err) MUST_CHECK;
