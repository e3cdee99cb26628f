// An answer may hold a client secret, so all of them are sealed.
#include "op/reply.h"

#include <string.h>

#include "op/render.h"
#include "store/idempotency.h"

static const char *reply_context(struct arena *arena, const struct uuid *subject_id)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(subject_id, id);
    return arena_printf(arena, "reply:%s", id);
}

enum errc reply_keep(struct db *db, struct change *change, const struct payment *payment, const char **body,
                     struct err *err)
{
    *body = NULL;
    const struct seal_key *master = &change->keyring->master;
    struct json_object *data = NULL;
    enum errc rc = render_payment(payment, master, RENDER_ANSWER, change->arena, &data, err);
    if (rc != OK) {
        return rc;
    }
    const char *text = render_success(change->arena, data);
    struct sealed sealed =
        seal(master, change->arena, reply_context(change->arena, &payment->id), text, strlen(text));
    struct stored_reply reply = {.status = 201, .sealed = sealed.data, .bytes = sealed.bytes};
    bool fresh = false;
    rc = reply_insert(db, &payment->id, &reply, change->now_us, &fresh, err);
    if (rc == OK && fresh) {
        *body = text;
    }
    return rc;
}

enum errc reply_stored(struct db *db, const struct keyring *keyring, const struct uuid *subject_id,
                       struct arena *arena, int *status, const char **body, struct err *err)
{
    *body = NULL;
    struct stored_reply reply = {0};
    enum errc rc = reply_get(db, subject_id, arena, &reply, err);
    if (rc != OK || reply.sealed == NULL) {
        return rc;
    }
    char *text = NULL;
    size_t bytes = 0;
    struct sealed sealed = {reply.sealed, reply.bytes};
    rc = seal_open(&keyring->master, arena, reply_context(arena, subject_id), sealed, &text, &bytes, err);
    if (rc == OK) {
        *status = reply.status;
        *body = text;
    }
    return rc;
}
