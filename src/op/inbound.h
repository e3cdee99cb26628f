// The provider's events: verified by a read job, recorded and applied in one transaction by a write job.
// Database threads.
#pragma once

#include "op/change.h"
#include "provider/stripe_event.h"
#include "store/inbox.h"

// A delivery of Stripe's. Everything lives in the request's arena.
struct inbound {
    const char *body; // raw; NULL of one that was fetched, and is not kept: it can be fetched again
    size_t body_bytes;
    const struct uuid *path_merchant_id; // NULL: the path names none
    struct stripe_signature signature;
    struct provider_event event;
    struct uuid merchant_id; // filled by inbound_verify: whose secret matched, or, where none did, whom it
                             // names first
};

enum inbound_verdict {
    INBOUND_OURS,
    INBOUND_NOT_OURS, // genuine, and can touch nothing of ours
    INBOUND_UNNAMED,  // neither the path nor its object names anybody: inbound_search tells whether it is
                      // genuine
};

// Finds the merchant whose secret signed it, among the merchant of the path, else those that the event's
// object names. ERR_SIGNATURE_INVALID: none of their secrets matches, or it names nobody and is too large to
// be tried with everybody's.
enum errc inbound_verify(struct db *db, const struct keyring *keyring, struct arena *arena,
                         struct inbound *inbound, enum inbound_verdict *verdict, struct err *err) MUST_CHECK;
// Of one that names nobody: whether any secret of ours signed it, at most 1,000 tried. Nothing of ours can be
// touched by it. Up to 0.2 s, for whoever asks. Fills inbound->merchant_id: whose secret matched first.
// ERR_SIGNATURE_INVALID.
enum errc inbound_search(struct db *db, const struct keyring *keyring, struct inbound *inbound,
                         struct err *err) MUST_CHECK;

// A dispute says whose payment it is about by the intent's id alone, which is not known here while what
// became of its charge is not. Of one whose intent is unknown: ERR_OVERLOADED where a charge of this
// merchant's has been open for so long that it may be about it, so that it is sent, or
// fetched, again.
enum errc inbound_check_known(struct db *db, const struct inbound *inbound, int64_t now_us,
                              struct err *err) MUST_CHECK;

// Records the event and applies it. The same again changes nothing; one about nothing of ours is forgotten;
// one that names a payment of ours that is not there yet is kept, within a bound. ERR_OVERLOADED as
// inbound_check_known says.
enum errc inbound_apply(struct db *db, struct change *change, const struct inbound *inbound,
                        struct err *err) MUST_CHECK;

// Applies the kept events whose payment is there now, and lets those go whose payment has not come in 30
// days.
enum errc inbound_apply_kept(struct db *db, struct change *change, struct err *err) MUST_CHECK;
