// The provider's customer that cards are saved for: made as the first step of the operation that needs it.
// Its key names it, so that saving side by side, again, or after a crash makes one. Database threads.
#pragma once

#include "domain/card.h"
#include "op/engine/op.h"

// Whose customer is wanted.
struct customer_owner {
    struct uuid merchant_id;
    bool livemode;
    const char *email; // as given; NULL: a customer of its own
    const char *name;
    struct uuid credential_version_id;
};

// The owner's customer, from the database; one that is not there is written, to be made at the provider.
enum errc customer_find(struct engine *engine, struct tx *tx, const struct customer_owner *owner,
                        struct customer *customer, struct err *err) MUST_CHECK;

// The idempotency key of the call that makes the customer.
const char *customer_key(const struct customer *customer, struct arena *arena);
// Plans that call. `email` as it was given.
void customer_plan(struct op *op, const struct customer *customer, const char *email);
// Whether the planned call is of this customer's making.
bool customer_is_being_made(const struct op *op);

enum customer_step {
    CUSTOMER_MADE,    // the operation's next step follows
    CUSTOMER_REFUSED, // op->call.answer.failure says why
    CUSTOMER_OPEN,    // it is asked again
};
// What the answer to that call means, taken over: customer->provider_ref.
enum errc customer_settle(struct op *op, struct tx *tx, struct customer *customer, enum customer_step *step,
                          struct err *err) MUST_CHECK;

// The provider, called with this version of the credentials, does not know the customer. Where the version is
// the merchant's present one, or the one that the customer was made with, the customer is gone (*gone) and
// its cards are inactive. An older version says nothing: its account may no longer be the merchant's.
enum errc customer_missing(struct tx *tx, const struct customer *customer,
                           const struct uuid *credential_version_id, bool *gone, struct err *err) MUST_CHECK;
