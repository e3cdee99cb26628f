// Rows of disputes: one for each dispute at the provider. A transaction that writes one has locked its
// payment.
#pragma once

#include "domain/dispute.h"
#include "store/listing.h"

enum errc dispute_insert(struct db *db, const struct dispute *row, struct err *err) MUST_CHECK;
// Writes what a report says, and updated_us.
enum errc dispute_update(struct db *db, const struct dispute *row, struct err *err) MUST_CHECK;

// ERR_NOT_FOUND, also for another merchant's. Text into the arena.
enum errc dispute_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                      struct arena *arena, struct dispute *dispute, struct err *err) MUST_CHECK;
// By the provider's id, within one merchant and mode. ERR_NOT_FOUND.
enum errc dispute_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                         const char *provider_ref, struct arena *arena, struct dispute *dispute,
                         struct err *err) MUST_CHECK;

// A merchant's disputes.
extern const struct listing dispute_listing;
// Reads the row that a query in those columns stands on. Text into the arena; NULL: as in db_text.
enum errc dispute_read(struct db_rows *rows, struct arena *arena, struct dispute *row,
                       struct err *err) MUST_CHECK;
