// Rows of saved cards.
#pragma once

#include "domain/card.h"
#include "store/listing.h"

enum errc card_insert(struct db *db, const struct card *row, struct err *err) MUST_CHECK;
// Writes every column that may change after the insert.
enum errc card_update(struct db *db, const struct card *row, struct err *err) MUST_CHECK;
// Locks the card's customer and the card in a transaction that writes. ERR_NOT_FOUND. merchant_id NULL: any
// merchant's. Text into the arena.
enum errc card_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id, struct arena *arena,
                   struct card *card, struct err *err) MUST_CHECK;
// The same for a plan: it locks nothing, so the card may change meanwhile.
enum errc card_plan_get(struct db *db, const struct uuid *id, struct arena *arena, struct card *card,
                        struct err *err) MUST_CHECK;
// Locks the card's customer and the card.
enum errc card_lock(struct db *db, const struct uuid *id, struct err *err) MUST_CHECK;
// The active card of this payment method (the provider's id), or the one that a request for this e-mail
// (NULL: none) is saving from it, or that waits for its payer. ERR_NOT_FOUND.
enum errc card_by_method(struct db *db, const struct uuid *merchant_id, bool livemode, const char *method,
                         const char *email, struct arena *arena, struct card *card,
                         struct err *err) MUST_CHECK;
// The card with this id at the provider; the active one if there are several. ERR_NOT_FOUND.
enum errc card_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode, const char *provider_ref,
                      struct arena *arena, struct card *card, struct err *err) MUST_CHECK;
// The customer's active card with this fingerprint. If there are several, the one of this method, or else
// any. ERR_NOT_FOUND.
enum errc card_by_fingerprint(struct db *db, const struct uuid *customer_id, const char *fingerprint,
                              const char *provider_ref, struct arena *arena, struct card *card,
                              struct err *err) MUST_CHECK;
// The card of the provider's set-up with this id. ERR_NOT_FOUND.
enum errc card_by_setup(struct db *db, const struct uuid *merchant_id, bool livemode, const char *setup_ref,
                        struct arena *arena, struct card *card, struct err *err) MUST_CHECK;
// Starts to read the newest `limit` of the customer's active, pending and failed cards, newest first, for
// card_read.
enum errc cards_of_customer(struct db *db, const struct uuid *customer_id, int64_t limit,
                            struct db_rows *rows, struct err *err) MUST_CHECK;
// The open operations that save a card from this method, or for the provider's customer (NULL: none), look at
// it once more when it is saved: *count of them.
enum errc cards_saving_look_up(struct db *db, const struct uuid *merchant_id, bool livemode,
                               const char *method, const char *customer_ref, int64_t *count,
                               struct err *err) MUST_CHECK;

// Whether a charge of this card is open: it may still be sent.
enum errc card_is_being_charged(struct db *db, const struct card *card, bool *charged,
                                struct err *err) MUST_CHECK;

// Whether the customer has an active default card.
enum errc card_has_default(struct db *db, const struct uuid *customer_id, bool *has,
                           struct err *err) MUST_CHECK;
// Makes this card the customer's only default.
enum errc card_make_default(struct db *db, const struct card *card, int64_t now_us,
                            struct err *err) MUST_CHECK;
// Makes the customer's newest active card the default, if there is one.
enum errc card_make_newest_default(struct db *db, const struct uuid *customer_id, int64_t now_us,
                                   struct err *err) MUST_CHECK;
// Makes every active card of the customer gone.
enum errc cards_all_gone(struct db *db, const struct uuid *customer_id, int64_t now_us,
                         struct err *err) MUST_CHECK;

// Active cards whose last month is this one (time_month) or before, and whose merchant was not told of that
// yet: the oldest expiry first, at most `max`. Leaves out damaged ones, and those that another node is
// telling of. Text into the arena.
enum errc cards_expiring(struct db *db, int month, struct arena *arena, struct card *cards, size_t max,
                         size_t *count, struct err *err) MUST_CHECK;
// Records that the merchant was told of the card's present expiry.
enum errc card_expiring_told(struct db *db, const struct card *card, struct err *err) MUST_CHECK;

// A merchant's active cards.
extern const struct listing card_listing;
// Reads the row that a query in those columns stands on. Text into the arena; NULL: as in db_text.
enum errc card_read(struct db_rows *rows, struct arena *arena, struct card *row, struct err *err) MUST_CHECK;
