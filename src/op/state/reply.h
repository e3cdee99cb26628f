// The first answer to an idempotent request. It is stored sealed with the request's key, and given again byte
// for byte. Database threads.
#pragma once

#include "base/err.h"
#include "base/json_writer.h"
#include "domain/payment.h"
#include "store/tx.h"

// What a caller gets: an answer, or why the operation was refused.
struct op_answer {
    int status;         // HTTP; 0: none yet
    const char *body;   // JSON
    struct err refusal; // code OK: there is an answer
};

// Finishes and stores what render_success began as the first answer about a subject, unless one is stored
// already. *answer is the one that is stored then, so those who still wait get what repeats of the key get.
// Text in the transaction's arena.
enum errc reply_keep(struct tx *tx, const struct uuid *subject_id, int status, struct json_writer *json,
                     struct op_answer *answer, struct err *err) MUST_CHECK;
// The same for a payment as it is now: status 201.
enum errc reply_keep_payment(struct tx *tx, const struct payment *payment, struct op_answer *answer,
                             struct err *err) MUST_CHECK;

// The stored answer. Status 0: none is stored (in flight, or pruned). Text in the transaction's arena.
enum errc reply_stored(struct tx *tx, const struct uuid *subject_id, struct op_answer *answer,
                       struct err *err) MUST_CHECK;
