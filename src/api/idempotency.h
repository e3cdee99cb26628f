// What every resource that takes an Idempotency-Key shares: the request's hash, the answer to a repeat, and
// the record of a new key. Database thread, in the transaction of the request, but for the hash.
#pragma once

#include "api/request.h"
#include "base/json_writer.h"

// A kind of resource whose creation takes an Idempotency-Key.
struct idempotent_kind {
    const char *name;              // of its keys, in the database
    const struct op_kind *op_kind; // creates it, and has the first answer; NULL: the request itself does
    // Writes the members of the resource as it is now.
    enum errc (*render)(struct request *request, struct tx *tx, const struct uuid *id,
                        struct json_writer *json, struct err *err);
    // A repeat while the operation has no answer yet. NULL: ERR_IDEMPOTENCY_IN_PROGRESS.
    enum errc (*join)(struct request *request, struct tx *tx, const struct uuid *id, struct err *err);
};

// What makes two requests the same: their validated fields, whatever their bytes. The hash outlives this
// version, as keys do. So a field that was not given, or was given the value that it has when it is not, is
// left out: the same request then has the same hash in a version that knows one field more. Names, their
// order and the form of their values never change.
void idempotency_field(struct json_writer *fields, const char *name, const char *text); // NULL: left out
// Into request->request_hash, of the object that the caller opened in `fields`.
void idempotency_hash(struct request *request, struct json_writer *fields);

// Answers a request whose key was used before in this mode (NULL: in either that its API key may see): with
// the first answer again, or with the resource as it is now where the answer's bytes were pruned or it never
// had one, as where no operation makes it. While the operation has no answer, and the first request may still
// be waiting for it, the kind decides. Otherwise *repeated is false, also where the request has no key.
// ERR_IDEMPOTENCY_KEY_REUSED: the key was used for another request. ERR_IDEMPOTENCY_IN_PROGRESS.
enum errc idempotency_answer_repeat(struct request *request, struct tx *tx,
                                    const struct idempotent_kind *kind, const bool *livemode, bool *repeated,
                                    struct err *err) MUST_CHECK;

// Begins the creation of a resource: records the key and has the request wait for the operation, which the
// caller prepares next. ERR_OVERLOADED where none is reserved for the request.
enum errc idempotency_begin(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                            bool livemode, const struct uuid *id, struct err *err) MUST_CHECK;

// Records the request's key, if it has one, as used for this resource. reply_id: what the answer is stored
// under; NULL: under the resource's id.
enum errc idempotency_record_key(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                                 bool livemode, const struct uuid *id, const struct uuid *reply_id,
                                 struct err *err) MUST_CHECK;
