// What the operations share that a merchant requests on an existing payment: capture.c, cancel.c and
// authenticate.c. What a refusal undoes, and the answer for the caller who waits. Database threads, in the
// transaction of the request or of the outcome.
#pragma once

#include "op/engine/op.h"

// True if the provider definitely did not do it, neither now nor in an earlier attempt: it refused both the
// request and the reading after it, or it refused the key at the first attempt.
bool modification_is_refused(const struct op *op);
// Sets the refusal for the callers who wait.
void modification_refuse(struct op *op);
// It was not done: appends `what` to the history, makes an authorised payment capturable again, and sets the
// refusal for the callers who wait.
enum errc modification_undo(struct op *op, struct tx *tx, struct payment *payment, bool authorised,
                            const char *what, struct err *err) MUST_CHECK;
// Sets an answer that shows the payment.
enum errc modification_answer(struct tx *tx, const struct payment *payment, int status,
                              struct op_answer *answer, struct err *err) MUST_CHECK;
// The same for a payment that is still pending: 202 while the operation is open, else it was refused
// meanwhile.
enum errc modification_answer_unfinished(struct tx *tx, const struct payment *payment,
                                         const struct op_kind *kind, struct op_answer *answer,
                                         struct err *err) MUST_CHECK;
