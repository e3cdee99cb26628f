// The provider's events: verified by a read job, recorded and applied in one transaction by a write job.
// Database threads.
#pragma once

#include "op/state/payment_change.h"
#include "provider/event.h"
#include "provider/provider.h"
#include "store/inbox.h"

// A delivery of the provider's. Everything lives in the request's arena.
struct inbound {
    const struct provider_ops *provider;
    const char *body; // raw; NULL of one that was fetched, and is not kept: it can be fetched again
    size_t body_bytes;
    const struct uuid *path_merchant_id; // NULL: the path names none
    struct provider_signature signature;
    struct provider_event event;
    // Filled by inbound_verify and inbound_search: whose secret matched, or whom it names first if none did.
    struct uuid merchant_id;
    bool retired; // its credentials were deleted: only what is not final yet may still come to its end
};

enum inbound_verdict {
    INBOUND_OURS,
    INBOUND_NOT_OURS, // genuine, and can touch nothing of ours
    INBOUND_UNKNOWN,  // the path names nobody, and nobody whom its object names signed it: inbound_search
};

// Finds the merchant whose secret signed it: the one that the path names, else one of those that the event's
// object names. ERR_SIGNATURE_INVALID: the path's merchant has no secret that matches.
enum errc inbound_verify(struct tx *tx, struct inbound *inbound, enum inbound_verdict *verdict,
                         struct err *err) MUST_CHECK;
// Tries every secret there is, at most 1,000: merchants may share an account, and each then gets every event.
// Up to 0.6 s for a body of 1 MiB. INBOUND_OURS or INBOUND_NOT_OURS; ERR_SIGNATURE_INVALID.
enum errc inbound_search(struct tx *tx, struct inbound *inbound, enum inbound_verdict *verdict,
                         struct err *err) MUST_CHECK;

// Records the event and applies it. The same again changes nothing; one about nothing of ours is forgotten;
// one that names a payment of ours that is not there yet is kept, within a bound. ERR_OVERLOADED: a dispute
// whose payment is unknown, while a charge of this merchant's has been open for so long that it may be about
// it; so it is sent, or fetched, again.
enum errc inbound_apply(struct tx *tx, const struct inbound *inbound, struct err *err) MUST_CHECK;

// Applies the kept events whose payment is there now, and lets those go whose payment has not come in 30
// days.
enum errc inbound_apply_kept(struct tx *tx, struct err *err) MUST_CHECK;
