// An idempotency key belongs to one request for ever, within merchant, mode and kind. The first answer's
// bytes are kept with it, sealed.
#pragma once

#include "store/db.h"

struct idempotency_key {
    struct uuid merchant_id;
    bool livemode;
    const char *kind; // "payment", "refund", "card"
    const char *key;
    uint8_t request_hash[32];
    struct uuid subject_id;
    struct uuid reply_id; // what the first answer is stored under; nil: subject_id
    int64_t created_us;
};

// *found is false if the key is new.
enum errc idempotency_find(struct db *db, const struct uuid *merchant_id, bool livemode, const char *kind,
                           const char *key, struct idempotency_key *row, bool *found,
                           struct err *err) MUST_CHECK;
enum errc idempotency_insert(struct db *db, const struct idempotency_key *row, struct err *err) MUST_CHECK;
// The same, unless the key is used already.
enum errc idempotency_insert_free(struct db *db, const struct idempotency_key *row,
                                  struct err *err) MUST_CHECK;

// The first answer to the request that made a subject, or to a later request that found it (then under an id
// of the answer's own), sealed (SEALED_REPLY).
struct stored_reply {
    int status;
    const uint8_t *sealed; // NULL: none is stored
    size_t bytes;
};
enum errc reply_get(struct db *db, const struct uuid *subject_id, struct arena *arena,
                    struct stored_reply *reply, struct err *err) MUST_CHECK;
// Keeps the first answer: a later one for the same subject changes nothing, and *fresh is false.
enum errc reply_insert(struct db *db, const struct uuid *subject_id, const struct stored_reply *reply,
                       int64_t now_us, bool *fresh, struct err *err) MUST_CHECK;
