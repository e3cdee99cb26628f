// GET /v1/audit/logs: a merchant sees the entries about itself; an admin sees all, or those about the
// merchant that it names. And the entries that requests make.
#include "api/audit_logs.h"

#include "api/handlers.h"
#include "api/listing.h"
#include "base/timefmt.h"
#include "store/audit.h"

void audit_logs_read(struct request *request)
{
    listing_read(request, &audit_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct arena *arena,
                            struct json_object **item, struct err *err)
{
    (void)request;
    (void)err;
    struct audit_row row;
    audit_read(rows, arena, &row);
    char id[UUID_TEXT_BYTES];
    char merchant_id[UUID_TEXT_BYTES];
    char time[TIME_TEXT_BYTES];
    uuid_format(&row.id, id);
    time_format(row.created_us, time);
    if (row.entry.merchant_id != NULL) {
        uuid_format(row.entry.merchant_id, merchant_id);
    }
    *item = json_new_object();
    json_add_str(*item, "id", id);
    json_add_str(*item, "event_type", row.entry.event_type);
    json_add_str(*item, "severity", row.entry.severity);
    json_add_str(*item, "actor_ip", row.entry.actor_ip);
    json_add_str(*item, "merchant_id", row.entry.merchant_id != NULL ? merchant_id : NULL);
    json_add_str(*item, "key_prefix", row.entry.key_prefix);
    json_add_str(*item, "detail", row.entry.detail);
    json_add(*item, "metadata", json_tokener_parse(row.entry.metadata_json));
    json_add_str(*item, "created_at", time);
    return OK;
}

enum errc audit_logs_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct principal *principal = &request->principal;
    if (!principal->is_admin && listing_given(request, "merchant_id") != NULL) {
        return err_set(err, ERR_FORBIDDEN, "only an admin's key may filter by merchant_id");
    }
    bool everybody = principal->is_admin && request->acting_for == NULL;
    return listing_answer(request, tx, everybody ? NULL : &principal->merchant_id, render_row, err);
}

enum errc audit_request(const struct request *request, struct tx *tx, const char *event_type,
                        const char *detail, struct err *err)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(&request->client, address);
    struct audit_entry entry = {
        .event_type = event_type,
        .severity = "info",
        .actor_ip = address,
        .merchant_id = &request->principal.merchant_id,
        .key_prefix = request->principal.prefix,
        .detail = detail,
    };
    return audit_append(tx->db, tx->keyring->pepper, &entry, tx->now_us, err);
}
