// See emit_event.h.
#include "op/state/emit_event.h"

enum errc emit_begin(struct tx *tx, const struct uuid *merchant_id, bool livemode,
                     const struct uuid *transaction, const char *type, struct emission *emission,
                     struct err *err)
{
    struct outbox_event *event = &emission->event;
    struct json_writer *json = &emission->json;
    *event = (struct outbox_event){
        .merchant_id = *merchant_id,
        .livemode = livemode,
        .transaction_id = transaction != NULL ? *transaction : (struct uuid){{0}},
        .type = type,
        .created_us = tx->now_us,
    };
    enum errc rc = outbox_next(tx, merchant_id, &event->transaction_id, &emission->next, err);
    if (rc != OK) {
        return rc;
    }
    event->id = emission->next.id;
    *json = json_writer(tx->arena);
    json_open_object(json, NULL);
    json_write_uuid(json, "id", &event->id);
    json_write_str(json, "type", type);
    json_write_time(json, "created_at", tx->now_us);
    json_open_object(json, "data");
    return OK;
}

enum errc emit_finish(struct tx *tx, struct emission *emission, struct err *err)
{
    emission->event.body = json_finish(&emission->json);
    tx->event_id = emission->event.id;
    return outbox_append(tx, &emission->next, &emission->event, err);
}
