// See idempotency.h.
#include "api/idempotency.h"

#include <string.h>

#include "api/api_private.h"
#include "base/timefmt.h"
#include "op/state/render.h"
#include "op/state/reply.h"
#include "store/idempotency.h"

void idempotency_field(struct json_writer *fields, const char *name, const char *text)
{
    if (text != NULL) {
        json_write_str(fields, name, text);
    }
}

void idempotency_hash(struct request *request, struct json_writer *fields)
{
    const char *text = json_finish(fields);
    crypto_sha256(text, strlen(text), request->request_hash);
}

static enum errc find_key(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                          const bool *livemode, struct idempotency_key *key, bool *found, struct err *err)
{
    int first = livemode != NULL ? *livemode : request->principal.livemode;
    int last = livemode != NULL ? *livemode : 0;
    enum errc rc = OK;
    *found = false;
    for (int live = first; rc == OK && request->idempotency_key != NULL && live >= last && !*found; live--) {
        rc = idempotency_find(tx->db, &request->principal.merchant_id, live == 1, kind->name,
                              request->idempotency_key, key, found, err);
    }
    return rc;
}

static void take_answer(struct request *request, const struct op_answer *answer)
{
    request->replayed = answer->status != 0;
    request->status = answer->status;
    request->reply = answer->body;
}

// request->replayed: an answer is stored under this id.
static enum errc answer_stored(struct request *request, struct tx *tx, const struct uuid *reply_id,
                               struct err *err)
{
    struct op_answer stored = {0};
    const enum errc rc = reply_stored(tx, reply_id, &stored, err);
    take_answer(request, &stored);
    return rc;
}

// No answer is stored, and the outcome is not known. While the first request may still be waiting for it,
// this one has to wait too; after that (its process died, or the answer was pruned) nobody will answer it any
// more, and the resource as it is now becomes the first answer.
static enum errc answer_open(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                             const struct idempotency_key *key, struct err *err)
{
    // Requests that come together may reach the database in another order, so an age a little below 0 does
    // not mean that the clock was set.
    int64_t age_us = request->now_us - key->created_us;
    int64_t patience_us = request->api->config->patience_ms * US_PER_MS;
    if (age_us <= -patience_us || age_us >= patience_us) {
        struct op_answer answer = {0};
        enum errc rc = kind->op_kind->timeout_answer(&key->subject_id, tx, &answer, err);
        take_answer(request, &answer);
        if (rc != OK || request->replayed) {
            return rc;
        }
    }
    return kind->join != NULL ? kind->join(request, tx, &key->subject_id, err)
                              : err_set(err, ERR_IDEMPOTENCY_IN_PROGRESS,
                                        "the first request with this Idempotency-Key is still in progress");
}

static enum errc answer_present(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                                const struct uuid *id, struct err *err)
{
    struct json_writer json = render_success(request->arena);
    enum errc rc = kind->render(request, tx, id, &json, err);
    if (rc == OK) {
        request_answer(request, 201, &json);
        request->replayed = true;
    }
    return rc;
}

enum errc idempotency_answer_repeat(struct request *request, struct tx *tx,
                                    const struct idempotent_kind *kind, const bool *livemode, bool *repeated,
                                    struct err *err)
{
    struct idempotency_key key = {0};
    enum errc rc = find_key(request, tx, kind, livemode, &key, repeated, err);
    if (rc != OK || !*repeated) {
        return rc;
    }
    if (!crypto_equal(key.request_hash, request->request_hash, sizeof(key.request_hash))) {
        return err_set(err, ERR_IDEMPOTENCY_KEY_REUSED,
                       "this Idempotency-Key was already used for a different request");
    }
    if (kind->op_kind == NULL) {
        return answer_present(request, tx, kind, &key.subject_id, err);
    }
    const struct uuid *reply_id = uuid_is_nil(&key.reply_id) ? &key.subject_id : &key.reply_id;
    rc = answer_stored(request, tx, reply_id, err);
    if (rc != OK || request->replayed) {
        return rc;
    }
    bool open = false;
    rc = operation_is_open(tx->db, &key.subject_id, kind->op_kind->name, &open, err);
    if (rc == OK && open) {
        return answer_open(request, tx, kind, &key, err);
    }
    if (rc == OK) {
        rc = answer_stored(request, tx, reply_id, err); // another node may have closed it since
    }
    if (rc != OK || request->replayed) {
        return rc;
    }
    return answer_present(request, tx, kind, &key.subject_id, err); // the stored bytes were pruned
}

enum errc idempotency_record_key(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                                 bool livemode, const struct uuid *id, const struct uuid *reply_id,
                                 struct err *err)
{
    if (request->idempotency_key == NULL) {
        return OK;
    }
    struct idempotency_key key = {
        .merchant_id = request->principal.merchant_id,
        .livemode = livemode,
        .kind = kind->name,
        .key = request->idempotency_key,
        .subject_id = *id,
        .created_us = tx->now_us,
    };
    if (reply_id != NULL) {
        key.reply_id = *reply_id;
    }
    memcpy(key.request_hash, request->request_hash, sizeof(key.request_hash));
    return idempotency_insert(tx->db, &key, err);
}

enum errc idempotency_begin(struct request *request, struct tx *tx, const struct idempotent_kind *kind,
                            bool livemode, const struct uuid *id, struct err *err)
{
    enum errc rc = request_check_reserved(request, err);
    if (rc == OK) {
        rc = idempotency_record_key(request, tx, kind, livemode, id, NULL, err);
    }
    request->subject_id = *id;
    request->wait_for = kind->op_kind;
    return rc;
}
