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

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)request;
    (void)err;
    struct audit_row row;
    audit_read(rows, json->arena, &row);
    json_write_uuid(json, "id", &row.id);
    json_write_str(json, "event_type", row.entry.event_type);
    json_write_str(json, "severity", row.entry.severity);
    json_write_str(json, "actor_ip", row.entry.actor_ip);
    json_write_uuid(json, "merchant_id", row.entry.merchant_id);
    json_write_str(json, "key_prefix", row.entry.key_prefix);
    json_write_str(json, "detail", row.entry.detail);
    json_write_json(json, "metadata", row.entry.metadata_json);
    json_write_time(json, "created_at", row.created_us);
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
