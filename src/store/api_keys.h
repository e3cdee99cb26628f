// API keys as stored: a keyed hash, never the key.
#pragma once

#include "store/listing.h"

struct api_key {
    struct uuid id;
    struct uuid merchant_id;
    uint8_t hash[32];   // HMAC-SHA256 of the key's text under the pepper
    const char *prefix; // its first 12 characters
    uint32_t scopes;    // bits of domain/scopes.h
    bool livemode;
    const char *name;   // NULL: none
    int64_t expires_us; // 0: never
    int64_t revoked_us; // 0: not
    int64_t created_us;
};

enum errc api_key_insert(struct db *db, const struct api_key *row, struct err *err) MUST_CHECK;

// What authentication needs to know about a key's merchant.
struct api_key_owner {
    bool merchant_active;
    bool is_admin;
};
// Finds a key by its hash. ERR_NOT_FOUND.
enum errc api_key_find(struct db *db, const uint8_t hash[32], struct arena *arena, struct api_key *key,
                       struct api_key_owner *owner, struct err *err) MUST_CHECK;

// Notes that the key was used at that time, unless a later time is noted.
enum errc api_key_note_use(struct db *db, const struct uuid *id, int64_t at_us, struct err *err) MUST_CHECK;

// Whether its requests are accepted, and why not: "active", "revoked", "expired", or "inactive", as its
// merchant is.
const char *api_key_state(const struct api_key *key, bool merchant_active, int64_t now_us);

// Finds keys by id (UUID text) or prefix: at most `max`, newest first.
enum errc api_key_search(struct db *db, const char *id_or_prefix, struct arena *arena, struct api_key *keys,
                         size_t max, size_t *count, struct err *err) MUST_CHECK;
// The keys of a merchant (nil: of all): at most `max`, newest first.
enum errc api_key_list(struct db *db, const struct uuid *merchant_id, struct arena *arena,
                       struct api_key *keys, size_t max, size_t *count, struct err *err) MUST_CHECK;
// *changed is false if it was revoked already.
enum errc api_key_revoke(struct db *db, const struct uuid *id, int64_t now_us, bool *changed,
                         struct err *err) MUST_CHECK;

// Keys as an admin lists them.
struct api_key_shown {
    struct api_key key;
    bool merchant_active;
    int64_t used_us; // when it was last used, to the minute; 0: never
};
extern const struct listing api_key_listing;
// Reads the row that a query in those columns stands on. Text into the arena.
void api_key_read(struct db_rows *rows, struct arena *arena, struct api_key_shown *shown);
// By its id. ERR_NOT_FOUND.
enum errc api_key_show(struct db *db, const struct uuid *id, struct arena *arena, struct api_key_shown *shown,
                       struct err *err) MUST_CHECK;
