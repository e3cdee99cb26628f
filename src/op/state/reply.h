// The first answer to an idempotent request: stored sealed beside its key, and given again byte for byte.
// Database threads.
#pragma once

#include "op/engine/op.h"

// Stores {"success":true,"data":...} as the first answer about a subject, unless one is stored already; takes
// `data`. *answer is the one that is stored then: whoever still waits gets what repeats of the key get. Text
// in the change's arena.
enum errc reply_keep(struct tx *tx, const struct uuid *subject_id, int status, struct json_object *data,
                     struct op_answer *answer, struct err *err) MUST_CHECK;
// The same for a payment as it is now: status 201.
enum errc reply_keep_payment(struct tx *tx, const struct payment *payment, struct op_answer *answer,
                             struct err *err) MUST_CHECK;

// The stored answer; without a status: none is stored (in flight, or pruned).
enum errc reply_stored(struct tx *tx, const struct keyring *keyring, const struct uuid *subject_id,
                       struct arena *arena, struct op_answer *answer, struct err *err) MUST_CHECK;
