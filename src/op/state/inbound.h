// The provider's events. A read job verifies them, so that strangers cannot make the service write; a write
// job records and applies them in one transaction. Database threads.
#pragma once

#include "op/state/payment_change.h"
#include "provider/event.h"
#include "provider/provider.h"
#include "store/inbox.h"

// An event from the provider. Everything lives in the request's arena.
struct inbound {
    const struct provider_ops *provider;
    const char *body; // raw; NULL: it was fetched, so it is not kept, because it can be fetched again
    size_t body_bytes;
    const struct uuid *path_merchant_id; // NULL: the path names none
    struct provider_signature signature;
    struct provider_event event;
    // Set by inbound_verify and inbound_search: the merchant whose secret matched, or if none did, the first
    // that it names.
    struct uuid merchant_id;
    bool retired; // the credentials were deleted: it may only change what is not final
};

enum inbound_verdict {
    INBOUND_OURS,
    INBOUND_NOT_OURS, // genuine, but of another mode: it can change nothing
    INBOUND_UNKNOWN,  // no secret of the merchants that its object names matches: use inbound_search
};

// Finds the merchant whose secret signed the event: the merchant in the path, else one that the event's
// object names. ERR_SIGNATURE_INVALID: no secret of the path's merchant matches.
enum errc inbound_verify(struct tx *tx, struct inbound *inbound, enum inbound_verdict *verdict,
                         struct err *err) MUST_CHECK;
// Tries the secrets of all merchants, at most 1,000: merchants may share an account, and each then gets
// every event. Takes up to 0.6 s for a body of 1 MiB. INBOUND_OURS or INBOUND_NOT_OURS;
// ERR_SIGNATURE_INVALID.
enum errc inbound_search(struct tx *tx, struct inbound *inbound, enum inbound_verdict *verdict,
                         struct err *err) MUST_CHECK;

// Records the event and applies it. A repeat changes nothing. An event about an unknown object is dropped and
// leaves no row, but one that names a payment of this merchant which is not there yet is kept, at most 1,000
// a merchant. ERR_OVERLOADED: a dispute whose payment is unknown may be about a charge whose outcome is
// unknown; it must be sent or fetched again.
enum errc inbound_apply(struct tx *tx, const struct inbound *inbound, struct err *err) MUST_CHECK;

// Applies the kept events whose payment is there now, and deletes those whose payment did not come within 30
// days.
enum errc inbound_apply_kept(struct tx *tx, struct err *err) MUST_CHECK;
