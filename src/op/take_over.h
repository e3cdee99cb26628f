// Taking over a payment that the provider knows and this database has forgotten. Database threads.
#pragma once

#include "op/change.h"
#include "store/credentials.h"

// Whose payment the intent says that it is, by the metadata that this service wrote: false where it is none
// of this account's, or says no id that this service can have given it.
bool take_over_names(const struct intent *intent, const struct credential *account, struct uuid *payment_id);

// Writes the payment, which is not here, with its caller's key, and takes its state over. ERR_CONFLICT: it
// cannot be, since what the provider says of it does not make a payment; nothing was written.
enum errc take_over_payment(struct db *db, struct change *change, const struct credential *account,
                            const struct uuid *payment_id, const struct intent *intent,
                            struct err *err) MUST_CHECK;
