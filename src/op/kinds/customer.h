// The provider's customer that cards are saved for. It is made as the first step of the operation that needs
// it. The call's key names the customer, so concurrent and repeated saving, also after a crash, makes one
// customer. Database threads.
#pragma once

#include "domain/card.h"
#include "op/engine/op.h"

// Who the customer is.
struct customer_owner {
    struct uuid merchant_id;
    bool livemode;
    const char *email; // as given; NULL: the card or payment gets a customer of its own
    const char *name;
    struct uuid credential_version_id;
};

// The owner's customer from the database. If there is none, a row is written, and the customer is made at the
// provider later.
enum errc customer_find(struct engine *engine, struct tx *tx, const struct customer_owner *owner,
                        struct customer *customer, struct err *err) MUST_CHECK;

// The idempotency key of the call that makes the customer.
const char *customer_key(const struct customer *customer, struct arena *arena);
// Plans that call. email: as given, not folded.
void customer_plan(struct op *op, const struct customer *customer, const char *email);
// Whether the planned call makes or looks for a customer.
bool customer_is_being_made(const struct op *op);

enum customer_step {
    CUSTOMER_MADE,    // the operation's next step follows
    CUSTOMER_REFUSED, // op->call.answer->failure says why
    CUSTOMER_OPEN,    // it is tried again
};
// Applies the answer to that call: fills in customer->provider_ref.
enum errc customer_settle(struct op *op, struct tx *tx, struct customer *customer, enum customer_step *step,
                          struct err *err) MUST_CHECK;

// The provider, called with this version of the credentials, does not know the customer. If that is the
// merchant's present version, or the one that the customer was made with, the customer and its cards are gone
// (*gone). Another version says nothing: its account may no longer be the merchant's.
enum errc customer_missing(struct tx *tx, const struct customer *customer,
                           const struct uuid *credential_version_id, bool *gone, struct err *err) MUST_CHECK;
