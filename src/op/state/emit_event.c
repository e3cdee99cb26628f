// See emit_event.h.
#include "op/state/emit_event.h"

#include "base/json.h"
#include "base/timefmt.h"
#include "store/outbox.h"

enum errc emit_event(struct tx *tx, const struct uuid *merchant_id, bool livemode,
                     const struct uuid *transaction, const char *type, struct json_object *data,
                     struct err *err)
{
    struct json_object *about JSON_CLEANUP = data;
    struct uuid transaction_id = transaction != NULL ? *transaction : (struct uuid){{0}};
    struct uuid id = {{0}};
    char id_text[UUID_TEXT_BYTES];
    char time_text[TIME_TEXT_BYTES];
    enum errc rc = outbox_next_id(tx->db, &transaction_id, tx->random, tx->now_us, &id, err);
    if (rc != OK) {
        return rc;
    }
    uuid_format(&id, id_text);
    time_format(tx->now_us, time_text);
    struct json_object *body JSON_CLEANUP = json_new_object();
    json_add_str(body, "id", id_text);
    json_add_str(body, "type", type);
    json_add_str(body, "created_at", time_text);
    json_add(body, "data", json_object_get(about));
    struct outbox_event event = {
        .id = id,
        .merchant_id = *merchant_id,
        .livemode = livemode,
        .transaction_id = transaction_id,
        .type = type,
        .body = json_text(tx->arena, body),
        .status = "pending",
        .next_attempt_us = tx->now_us,
        .created_us = tx->now_us,
    };
    tx->event_written = true;
    tx->event_id = id;
    return outbox_append(tx->db, &event, err);
}
