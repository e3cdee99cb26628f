// GET /v1/payments/{id}/events: what happened to a payment, newest first.
#include "api/handlers.h"
#include "api/listing.h"
#include "api/payments.h"
#include "base/timefmt.h"

void payment_history_read_query(struct request *request)
{
    listing_read(request, &payment_history_listing);
}

static enum errc render_entry(struct request *request, struct db_rows *rows, struct arena *arena,
                              struct json_object **item, struct err *err)
{
    (void)request;
    struct payment_history_entry entry = {0};
    enum errc rc = payment_history_read(rows, arena, &entry, err);
    if (rc != OK) {
        return rc;
    }
    char id[UUID_TEXT_BYTES];
    char time[TIME_TEXT_BYTES];
    uuid_format(&entry.id, id);
    time_format(entry.at_us, time);
    *item = json_new_object();
    json_add_str(*item, "id", id);
    json_add_str(*item, "what", entry.what);
    json_add_str(*item, "status", payment_status_name(entry.status));
    json_add_str(*item, "cause", entry.cause);
    json_add_str(*item, "cause_ref", entry.cause_ref);
    json_add_str(*item, "created_at", time);
    return OK;
}

enum errc payment_history_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_of_request(request, tx, &payment, err);
    return rc == OK ? listing_answer(request, tx, &payment.id, render_entry, err) : rc;
}
