// Balance transactions: what each charge, refund and dispute did to the account's balance at Stripe.
// https://docs.stripe.com/api/balance_transactions
#pragma once

#include "sandbox/state.h"

// Each adds a transaction, and names it in the object that caused it, which the caller saves.
void transaction_for_charge(const struct context *context, struct document *charge,
                            const struct document *method);
void transaction_for_refund(const struct context *context, const struct document *charge,
                            struct document *refund);
// The refund failed or was canceled: its money comes back.
void transaction_for_refund_back(const struct context *context, struct document *refund);
// won: the disputed money comes back. Otherwise it is taken, with a fee.
void transaction_for_dispute(const struct context *context, struct document *dispute, bool won);
