// A merchant's provider credentials: one row for each mode. Every secret key that it ever had is a version,
// because an operation is only retried with the version that it was first sent with.
#pragma once

#include "base/timefmt.h"
#include "store/db.h"

struct credential {
    struct uuid id;
    struct uuid merchant_id;
    const char *provider;
    bool livemode;
    bool is_active;
    struct uuid version_id;        // the present one
    const uint8_t *webhook_secret; // sealed (SEALED_PROVIDER_WEBHOOK); NULL: none
    size_t webhook_secret_bytes;
    int64_t created_us;
    int64_t updated_us;
};

// Finds inactive ones, too. ERR_NOT_FOUND: there are none for that mode.
enum errc credential_get(struct db *db, const struct uuid *merchant_id, const char *provider, bool livemode,
                         struct arena *arena, struct credential *credential, struct err *err) MUST_CHECK;
// Locks the row, for a transaction that changes what hangs on it.
enum errc credential_lock(struct db *db, const struct uuid *id, struct err *err) MUST_CHECK;
// Both modes, at most 2 a provider, live first.
enum errc credential_list(struct db *db, const struct uuid *merchant_id, struct arena *arena,
                          struct credential credentials[2], size_t *count, struct err *err) MUST_CHECK;
// Inserts or replaces the row of (merchant, provider, mode).
enum errc credential_put(struct db *db, const struct credential *row, struct err *err) MUST_CHECK;
enum errc credential_set_active(struct db *db, const struct uuid *id, bool active, int64_t now_us,
                                struct err *err) MUST_CHECK;

// A version's secret key, sealed (SEALED_PROVIDER_KEY). ERR_NOT_FOUND: unknown or wiped.
enum errc credential_version_get(struct db *db, const struct uuid *version_id, struct arena *arena,
                                 const uint8_t **sealed, size_t *bytes, struct err *err) MUST_CHECK;
enum errc credential_version_insert(struct db *db, const struct uuid *version_id,
                                    const struct uuid *credential_id, const uint8_t *sealed, size_t bytes,
                                    int64_t now_us, struct err *err) MUST_CHECK;
// Wipes the versions of this credential that are neither its present one nor an open operation's.
enum errc credential_versions_wipe(struct db *db, const struct uuid *credential_id,
                                   struct err *err) MUST_CHECK;

// How long the webhook secret of deleted credentials is accepted.
#define RETIRED_SECRET_US (30 * 24 * 3600 * US_PER_S)
// Calls `visit` for every accepted webhook secret (of any merchant and mode), for events that name no
// merchant, until it returns false or `max` were visited; *more says that there are others. The sealed bytes
// are valid during the call.
struct credential_webhook {
    struct uuid credential_id;
    struct uuid merchant_id;
    bool livemode;
    bool retired; // its credentials were deleted
    const uint8_t *sealed;
    size_t bytes;
};
enum errc credential_webhooks_each(struct db *db, const struct uuid *merchant_id /* NULL: all */,
                                   int64_t now_us, size_t max,
                                   bool (*visit)(const struct credential_webhook *webhook, void *context),
                                   void *context, bool *more, struct err *err) MUST_CHECK;
