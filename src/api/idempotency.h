// What every resource that takes an Idempotency-Key shares. Database thread, in the transaction of the
// request.
#pragma once

#include "api/request.h"
#include "base/json.h"
#include "store/idempotency.h"

// What makes two requests the same: their validated fields, whatever their bytes. The hash outlives this
// version, as keys do. So a field that was not given, or was given the value that it has when it is not, is
// left out: the same request then has the same hash in a version that knows one field more. Names, their
// order and the form of their values never change.
void idempotency_field(struct json_object *fields, const char *name, const char *text); // NULL: left out
void idempotency_hash(struct request *request, struct json_object *fields, uint8_t hash[32]);

// The resource that an earlier request made, as it is now. The caller releases it.
typedef enum errc idempotency_render(struct request *request, struct tx *tx, const struct uuid *id,
                                     struct json_object **data, struct err *err);

// Answers a request whose key was used before: the first answer again, or the resource as it is now where the
// answer's bytes were pruned or it never had one. ERR_IDEMPOTENCY_KEY_REUSED: it was another request.
// ERR_IDEMPOTENCY_IN_PROGRESS: the operation of this kind on the key's subject has no answer yet, and the
// first request may still be waiting for it (or its kind has none to give).
enum errc idempotency_answer_repeat(struct request *request, struct tx *tx, const struct idempotency_key *key,
                                    const uint8_t request_hash[32], const struct op_kind *op_kind,
                                    idempotency_render *render, struct err *err) MUST_CHECK;
