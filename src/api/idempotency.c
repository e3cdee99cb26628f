// See idempotency.h.
#include "api/idempotency.h"

#include <string.h>

#include "api/api.h"
#include "base/timefmt.h"
#include "op/state/reply.h"

void idempotency_field(struct json_object *fields, const char *name, const char *text)
{
    if (text != NULL) {
        json_add_str(fields, name, text);
    }
}

void idempotency_hash(struct request *request, struct json_object *fields, uint8_t hash[32])
{
    const char *text = json_text(request->arena, fields);
    crypto_sha256(text, strlen(text), hash);
}

static void take_answer(struct request *request, const struct op_answer *answer)
{
    request->replayed = answer->status != 0;
    request->status = answer->status;
    request->reply = answer->body;
}

// No answer is stored, and the outcome is not known. While the first request may still be waiting for it,
// this one has to wait too; after that (its process died, or the answer was pruned) nobody will answer it any
// more, and the resource as it is now becomes the first answer.
static enum errc answer_open(struct request *request, struct tx *tx, const struct idempotency_key *key,
                             const struct op_kind *op_kind, struct err *err)
{
    // Requests that come together may reach the database in another order: a little below 0 is no clock that
    // was set.
    int64_t age_us = request->now_us - key->created_us;
    int64_t patience_us = api_options(request->api)->config->patience_ms * US_PER_MS;
    if (age_us <= -patience_us || age_us >= patience_us) {
        struct op_answer answer = {0};
        enum errc rc = op_kind->timeout_answer(&key->subject_id, tx, &answer, err);
        take_answer(request, &answer);
        if (rc != OK || request->replayed) {
            return rc;
        }
    }
    return err_set(err, ERR_IDEMPOTENCY_IN_PROGRESS,
                   "the first request with this Idempotency-Key is still in progress");
}

enum errc idempotency_answer_repeat(struct request *request, struct tx *tx, const struct idempotency_key *key,
                                    const uint8_t request_hash[32], const struct op_kind *op_kind,
                                    idempotency_render *render, struct err *err)
{
    if (!crypto_equal(key->request_hash, request_hash, sizeof(key->request_hash))) {
        return err_set(err, ERR_IDEMPOTENCY_KEY_REUSED,
                       "this Idempotency-Key was already used for a different request");
    }
    struct op_answer stored = {0};
    const struct uuid *reply_id = uuid_is_nil(&key->reply_id) ? &key->subject_id : &key->reply_id;
    enum errc rc =
        reply_stored(tx, api_options(request->api)->keyring, reply_id, request->arena, &stored, err);
    take_answer(request, &stored);
    if (rc != OK || request->replayed) {
        return rc;
    }
    struct operation open = {0};
    rc = operation_get(tx->db, &key->subject_id, op_kind->name, request->arena, &open, err);
    if (rc == OK) {
        return answer_open(request, tx, key, op_kind, err);
    }
    struct json_object *data = NULL;
    if (rc == ERR_NOT_FOUND) { // the stored bytes were pruned
        rc = render(request, tx, &key->subject_id, &data, err);
    }
    if (rc == OK) {
        request_answer(request, 201, data);
        request->replayed = true;
    }
    return rc;
}
