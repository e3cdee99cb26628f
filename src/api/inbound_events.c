// GET /v1/events/inbound: the provider's events of a merchant, and what became of them.
#include "api/api_private.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "store/inbox.h"

void inbound_events_read(struct request *request)
{
    listing_read(request, &inbox_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)request;
    (void)err;
    struct inbox_event event;
    inbox_listed_read(rows, json->arena, &event);
    json_write_uuid(json, "id", &event.id);
    json_write_str(json, "provider_ref", event.event_id);
    json_write_str(json, "event_type", event.type);
    json_write_uuid(json, "payment_id", uuid_is_nil(&event.payment_id) ? NULL : &event.payment_id);
    json_write_bool(json, "livemode", event.livemode);
    json_write_str(json, "outcome", event.outcome);
    json_write_str(json, "reason", event.reason);
    json_write_time(json, "received_at", event.received_us);
    return OK;
}

enum errc inbound_events_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
