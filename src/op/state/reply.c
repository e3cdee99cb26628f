// An answer may hold a client secret, so every one is sealed.
#include "op/state/reply.h"

#include <string.h>

#include "op/state/render.h"
#include "store/idempotency.h"
#include "store/sealed.h"

enum errc reply_keep(struct tx *tx, const struct uuid *subject_id, int status, struct json_writer *json,
                     struct op_answer *answer, struct err *err)
{
    const char *text = json_finish(json);
    struct sealed sealed = seal(&tx->keyring->master, tx->arena,
                                sealed_context(tx->arena, SEALED_REPLY, subject_id), text, strlen(text));
    struct stored_reply reply = {.status = status, .sealed = sealed.data, .bytes = sealed.bytes};
    bool fresh = false;
    enum errc rc = reply_insert(tx->db, subject_id, &reply, tx->now_us, &fresh, err);
    if (rc != OK || !fresh) {
        return rc == OK ? reply_stored(tx, subject_id, answer, err) : rc;
    }
    *answer = (struct op_answer){.status = status, .body = text};
    return OK;
}

enum errc reply_keep_payment(struct tx *tx, const struct payment *payment, struct op_answer *answer,
                             struct err *err)
{
    struct json_writer json = render_success(tx->arena);
    enum errc rc = render_payment(&json, payment, &tx->keyring->master, RENDER_ANSWER, err);
    return rc == OK ? reply_keep(tx, &payment->id, 201, &json, answer, err) : rc;
}

enum errc reply_stored(struct tx *tx, const struct uuid *subject_id, struct op_answer *answer,
                       struct err *err)
{
    *answer = (struct op_answer){0};
    struct stored_reply reply = {0};
    enum errc rc = reply_get(tx->db, subject_id, tx->arena, &reply, err);
    if (rc != OK || reply.sealed == NULL) {
        return rc;
    }
    char *text = NULL;
    size_t bytes = 0;
    struct sealed sealed = {reply.sealed, reply.bytes};
    rc = seal_open(&tx->keyring->master, tx->arena, sealed_context(tx->arena, SEALED_REPLY, subject_id),
                   sealed, &text, &bytes, err);
    if (rc == OK) {
        *answer = (struct op_answer){.status = reply.status, .body = text};
    }
    return rc;
}
