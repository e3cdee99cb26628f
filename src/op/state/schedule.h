// Opening operations: their rows are made here alone. Database threads, in the transaction that needs them.
#pragma once

#include "domain/card.h"
#include "domain/payment.h"
#include "domain/refund.h"
#include "store/credentials.h"
#include "store/operations.h"
#include "store/tx.h"

// Names of kinds that a change of state opens, or looks whether they are open; op/kinds has a file for each.
#define OPERATION_CANCEL "cancel"
#define OPERATION_CAPTURE "capture"
#define OPERATION_REFUND_SYNC "refund_sync"
#define OPERATION_REFUNDS "refunds"
#define OPERATION_SYNC "sync"

// The row of an operation that begins now, of what its subject is about; no attempt was made.
struct operation operation_on_payment(const struct tx *tx, const char *kind, const struct payment *payment);
struct operation operation_on_refund(const struct tx *tx, const char *kind, const struct refund *refund);
struct operation operation_on_card(const struct tx *tx, const char *kind, const struct card *card);
struct operation operation_on_credential(const struct tx *tx, const char *kind,
                                         const struct credential *credential);

// Opens it, due after delay_us. Where the same is open, its next attempt is brought forward at most.
enum errc operation_schedule(struct tx *tx, struct operation operation, int64_t delay_us,
                             struct err *err) MUST_CHECK;
// On a payment, of this kind.
enum errc schedule_operation(struct tx *tx, const struct payment *payment, const char *kind, int64_t delay_us,
                             struct err *err) MUST_CHECK;
// A payment that the provider knows, and that is not finished there, is checked at growing distances.
enum errc payment_schedule_sync(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;
