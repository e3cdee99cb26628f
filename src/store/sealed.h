// Every column that may hold a secret. Its values are sealed under the master key and bound to their row by
// what they are and whose they are: "reply:<payment's id>". Database thread, but for sealed_context.
#pragma once

#include "base/crypto.h"
#include "store/db.h"

enum sealed_kind {
    SEALED_STRIPE_KEY,     // of a version of credentials
    SEALED_STRIPE_WEBHOOK, // of credentials
    SEALED_WEBHOOK,        // of a merchant; its replaced one too
    SEALED_NEXT_ACTION,    // of a payment or card: the redirect's URL, or the client secret
    SEALED_REPLY,          // of the payment, refund or card that the answer tells of
    SEALED_EVENT,          // of an event's own id: its body, which may hold a client secret
};

// The associated data to seal and to open with, in the arena. Any thread.
const char *sealed_context(struct arena *arena, enum sealed_kind kind, const struct uuid *id);
const char *sealed_event_context(struct arena *arena, const char *event_id);

// Seals everything anew under another key, in the caller's transaction; *count is how many values there are.
// ERR_CRYPTO: one did not open.
enum errc sealed_rekey(struct db *db, const struct seal_key *from, const struct seal_key *to, int64_t *count,
                       struct err *err) MUST_CHECK;
