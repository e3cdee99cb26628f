// The provider's events: verified by a read job, recorded and applied in one transaction by a write job.
// Database threads.
#pragma once

#include "op/change.h"
#include "provider/stripe_event.h"
#include "store/inbox.h"

// A delivery of Stripe's. Everything lives in the request's arena.
struct inbound {
    const char *body; // raw
    size_t body_bytes;
    const struct uuid *path_merchant_id; // NULL: the path names none
    struct stripe_signature signature;
    struct provider_event event;
    struct uuid merchant_id; // filled by inbound_verify: whose secret matched
};

// Finds the merchant whose secret signed it. *ours is false where it is genuine and can touch nothing of
// ours. ERR_SIGNATURE_INVALID: no secret matches. Candidates are the merchant of the path, else those that
// the event's object names, else all (at most 1,000).
enum errc inbound_verify(struct db *db, const struct keyring *keyring, struct arena *arena,
                         struct inbound *inbound, bool *ours, struct err *err) MUST_CHECK;

// Records the event and applies it. The same again changes nothing; one about nothing of ours is forgotten;
// one that names a payment of ours that is not there yet is kept, within a bound.
enum errc inbound_apply(struct db *db, struct change *change, const struct inbound *inbound,
                        struct err *err) MUST_CHECK;

// Applies the kept events whose payment is there now.
enum errc inbound_apply_kept(struct db *db, struct change *change, struct err *err) MUST_CHECK;
