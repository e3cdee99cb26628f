// Rows of customers, the owners of saved cards.
#pragma once

#include "domain/card.h"
#include "store/listing.h"

// The customer with this e-mail (folded) who is not gone. ERR_NOT_FOUND.
enum errc customer_by_email(struct db *db, const struct uuid *merchant_id, bool livemode, const char *email,
                            struct arena *arena, struct customer *customer, struct err *err) MUST_CHECK;
// Locks the customer in a transaction that writes. A transaction that writes a card or decides by the
// customer's cards has locked the customer. ERR_NOT_FOUND.
enum errc customer_get(struct db *db, const struct uuid *id, struct arena *arena, struct customer *customer,
                       struct err *err) MUST_CHECK;
// The same for a plan: it locks nothing, so the customer may change meanwhile.
enum errc customer_plan_get(struct db *db, const struct uuid *id, struct arena *arena,
                            struct customer *customer, struct err *err) MUST_CHECK;
enum errc customer_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                          const char *provider_ref, struct arena *arena, struct customer *customer,
                          struct err *err) MUST_CHECK;
enum errc customer_insert(struct db *db, const struct customer *row, struct err *err) MUST_CHECK;
enum errc customer_set_ref(struct db *db, const struct uuid *id, const char *provider_ref,
                           struct err *err) MUST_CHECK;
enum errc customer_set_gone(struct db *db, const struct uuid *id, int64_t now_us, struct err *err) MUST_CHECK;

// A merchant's customers that were made at the provider, those that are gone among them.
extern const struct listing customer_listing;
// Reads the row that a query in those columns stands on. Text into the arena; NULL: as in db_text.
void customer_read(struct db_rows *rows, struct arena *arena, struct customer *row);
