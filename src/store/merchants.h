// Merchants: who the service works for, and where their events go.
#pragma once

#include "base/timefmt.h"
#include "store/listing.h"

struct merchant {
    struct uuid id;
    const char *name;
    bool is_admin;
    bool is_active;
    const char *webhook_url;       // NULL: none
    const uint8_t *webhook_secret; // sealed (SEALED_WEBHOOK); NULL: none
    size_t webhook_secret_bytes;
    const uint8_t *webhook_secret_old; // the replaced one, which also signs until webhook_secret_old_until_us
    size_t webhook_secret_old_bytes;
    int64_t webhook_secret_old_until_us;
    bool webhook_stopped; // the endpoint answered 410
    int64_t created_us;
    int64_t updated_us;
};

// ERR_NOT_FOUND. Text into the arena.
enum errc merchant_get(struct db *db, const struct uuid *id, struct arena *arena, struct merchant *merchant,
                       struct err *err) MUST_CHECK;
// Locks the merchant, for a transaction that changes it or its credentials by what it reads of them: that is
// read anew.
enum errc merchant_lock(struct db *db, const struct uuid *id, struct err *err) MUST_CHECK;
enum errc merchant_insert(struct db *db, const struct merchant *row, struct err *err) MUST_CHECK;
// Writes the webhook columns and updated_us, and forgets that the endpoint failed. ERR_NOT_FOUND.
enum errc merchant_update_webhook(struct db *db, const struct merchant *row, struct err *err) MUST_CHECK;

// How long a replaced secret signs together with the new one.
#define WEBHOOK_SECRETS_OVERLAP_US (24 * 3600 * US_PER_S)
// The clock was set back, perhaps after a secret was replaced: limits how long replaced secrets sign to that
// long from now.
enum errc merchants_clock_set_back(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;

// Writes the name, is_active and updated_us of a merchant that the transaction has locked.
enum errc merchant_update(struct db *db, const struct merchant *row, struct err *err) MUST_CHECK;

// "admin" or "merchant".
const char *merchant_role(const struct merchant *merchant);

// The merchants, and the admins if these are wanted, oldest first: *count of them in the array, at most
// `max`; *more says whether there are others.
enum errc merchant_list(struct db *db, bool admins, struct arena *arena, struct merchant *merchants,
                        size_t max, size_t *count, bool *more, struct err *err) MUST_CHECK;

// The merchants that have an object with this id of the provider's, of any kind: at most `max`. Ids of
// different kinds differ, so no merchant appears twice.
enum errc merchant_holders(struct db *db, const char *provider_ref, struct uuid *merchants, size_t max,
                           size_t *count, struct err *err) MUST_CHECK;

// The merchants and admins as an admin lists them.
extern const struct listing merchant_listing;
// Reads the row that a query in those columns stands on. Text into the arena.
void merchant_read(struct db_rows *rows, struct arena *arena, struct merchant *merchant);

// The merchants and admins of exactly this name, oldest first. Databases of earlier versions may hold a name
// twice.
enum errc merchant_find_named(struct db *db, const char *name, struct arena *arena,
                              struct merchant *merchants, size_t max, size_t *count, bool *more,
                              struct err *err) MUST_CHECK;
