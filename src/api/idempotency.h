// What every resource that takes an Idempotency-Key shares. Database thread, in the transaction of the
// request.
#pragma once

#include "api/request.h"
#include "store/idempotency.h"

// The resource that an earlier request made, as it is now. The caller releases it.
typedef enum errc idempotency_render(struct request *request, struct db *db, const struct uuid *id,
                                     struct json_object **data, struct err *err);

// Answers a request whose key was used before: the first answer again, or the resource as it is now where the
// answer's bytes were pruned or it never had one. ERR_IDEMPOTENCY_KEY_REUSED: it was another request.
// ERR_IDEMPOTENCY_IN_PROGRESS: the operation of this kind on the key's subject has no answer yet, and the
// first request may still be waiting for it (or its kind has none to give).
enum errc idempotency_answer_repeat(struct request *request, struct db *db, const struct idempotency_key *key,
                                    const uint8_t request_hash[32], const struct op_kind *op_kind,
                                    idempotency_render *render, struct err *err) MUST_CHECK;
