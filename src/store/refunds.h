// Rows of refunds. A transaction that writes one, or decides by some, has locked their payment. How much of a
// payment is left to refund is always computed from them, in the transaction that relies on it.
#pragma once

#include "domain/refund.h"
#include "store/listing.h"

enum errc refund_insert(struct db *db, const struct refund *row, struct err *err) MUST_CHECK;
// Writes every column that may change after the insert: status, provider_ref, failure, updated_us.
enum errc refund_update(struct db *db, const struct refund *row, struct err *err) MUST_CHECK;

// ERR_NOT_FOUND. merchant_id NULL: any merchant's. Text into the arena.
enum errc refund_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                     struct arena *arena, struct refund *refund, struct err *err) MUST_CHECK;
// By the provider's id, within one merchant and mode. ERR_NOT_FOUND.
enum errc refund_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                        const char *provider_ref, struct arena *arena, struct refund *refund,
                        struct err *err) MUST_CHECK;

// Minor units of a payment's refunds: completed ones, and those still pending (which reserve their amount).
enum errc refund_sums(struct db *db, const struct uuid *payment_id, int64_t *completed_minor,
                      int64_t *pending_minor, struct err *err) MUST_CHECK;

// *awaited: whether the provider was asked for a refund of this payment and amount, whose id there is not
// known yet.
enum errc refund_is_awaited(struct db *db, const struct uuid *payment_id, int64_t amount_minor, bool *awaited,
                            struct err *err) MUST_CHECK;

// A merchant's refunds.
extern const struct listing refund_listing;
// Reads the row that a query in those columns stands on. Text into the arena; NULL: as in db_text.
enum errc refund_read(struct db_rows *rows, struct arena *arena, struct refund *row,
                      struct err *err) MUST_CHECK;
