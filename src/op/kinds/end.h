// The two ways in which a merchant ends what a payer has authorised: capture.c takes the money, cancel.c lets
// go of it. Here is how each is begun and what they share: what a refusal undoes, and how whoever waits is
// answered. Database threads, in the transaction of the request or of the outcome.
#pragma once

#include "op/engine/op.h"

// Takes amount_minor of an authorised payment. The caller has checked, in this transaction, that it is
// capturable and that so much is authorised; it is not capturable any more. *op is run once the transaction
// is committed.
enum errc capture_prepare(struct engine *engine, struct tx *tx, struct payment *payment, int64_t amount_minor,
                          struct op **op, struct err *err) MUST_CHECK;
// The same for a cancellation. The caller has checked that it is pending, has a provider_ref, and that
// nothing ends it already.
enum errc cancel_prepare(struct engine *engine, struct tx *tx, struct payment *payment, struct op **op,
                         struct err *err) MUST_CHECK;

// Whether the provider definitely did not do it, now nor in an earlier attempt: both the request and the
// reading behind it were refused, or the key was, at the first attempt.
bool end_is_refused(const struct op *op);
// Sets the refusal for those who wait.
void end_refuse(struct op *op);
// It was not done: notes `what`, makes the payment capturable again where it is authorised, and sets the
// refusal for those who wait.
enum errc end_undo(struct op *op, struct tx *tx, struct payment *payment, bool authorised, const char *what,
                   struct err *err) MUST_CHECK;
// An answer with the payment.
enum errc end_answer(struct tx *tx, const struct payment *payment, int status, struct op_answer *answer,
                     struct err *err) MUST_CHECK;
// Of a payment that is pending: 202 while the operation is open, else it was refused meanwhile.
enum errc end_answer_unfinished(struct tx *tx, const struct payment *payment, const struct op_kind *kind,
                                struct op_answer *answer, struct err *err) MUST_CHECK;
