// The columns that may hold a secret. Their values are sealed under the master key and bound to their kind
// and to the id of their owner: "reply:<payment's id>". Database thread, except sealed_context.
#pragma once

#include "base/crypto.h"
#include "store/db.h"

enum sealed_kind {
    SEALED_PROVIDER_KEY,     // a version of credentials: its secret key
    SEALED_PROVIDER_WEBHOOK, // credentials: the provider's webhook secret
    SEALED_WEBHOOK,          // a merchant: its webhook secret, and the replaced one
    SEALED_NEXT_ACTION,      // a payment or card: the redirect's URL, or the client secret
    SEALED_REPLY,            // the payment, refund or card of a stored answer
    SEALED_EVENT,            // an event's id: its body, which may hold a client secret
};

// The associated data to seal and to open with, in the arena. Any thread.
const char *sealed_context(struct arena *arena, enum sealed_kind kind, const struct uuid *id);
const char *sealed_event_context(struct arena *arena, const char *event_id);

// Seals every value again under another key, in the caller's transaction; *count is their number. ERR_CRYPTO:
// one did not open.
enum errc sealed_rekey(struct db *db, const struct seal_key *from, const struct seal_key *to, int64_t *count,
                       struct err *err) MUST_CHECK;
