// See idempotency.h.
#include "api/idempotency.h"

#include "api/api.h"
#include "op/reply.h"

enum errc idempotency_answer_repeat(struct request *request, struct db *db, const struct idempotency_key *key,
                                    const uint8_t request_hash[32], const struct op_kind *op_kind,
                                    idempotency_render *render, struct err *err)
{
    if (!crypto_equal(key->request_hash, request_hash, sizeof(key->request_hash))) {
        return err_set(err, ERR_IDEMPOTENCY_KEY_REUSED,
                       "this Idempotency-Key was used before, for another request");
    }
    struct op_answer stored = {0};
    enum errc rc =
        reply_stored(db, api_options(request->api)->keyring, &key->subject_id, request->arena, &stored, err);
    request->replayed = rc == OK && stored.status != 0;
    request->status = stored.status;
    request->reply = stored.body;
    if (rc != OK || request->replayed) {
        return rc;
    }
    struct operation open = {0};
    rc = operation_get(db, &key->subject_id, op_kind->name, request->arena, &open, err);
    if (rc == OK) {
        return err_set(err, ERR_IDEMPOTENCY_IN_PROGRESS,
                       "the first request with this Idempotency-Key is still under way");
    }
    struct json_object *data = NULL;
    if (rc == ERR_NOT_FOUND) { // the stored bytes were pruned
        rc = render(request, db, &key->subject_id, &data, err);
    }
    if (rc == OK) {
        request_answer(request, 201, data);
        request->replayed = true;
    }
    return rc;
}
