// GET /v1/webhooks/logs, POST /v1/webhooks/logs/{id}/redeliver, POST /v1/merchant/webhook/test: the
// deliveries of a merchant's events, and sending events by hand.
#include "api/fields.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/state/emit_event.h"
#include "op/state/render.h"
#include "store/merchants.h"
#include "store/outbox.h"

// When it will be attempted. 0, because it has no time: it is finished, is being sent, waits for another
// event, or has no endpoint.
static int64_t next_retry_us(const struct outbox_event *event)
{
    bool has_time = event->next_attempt_us < OUTBOX_PARKED && !text_equal(event->status, "processing");
    return has_time ? event->next_attempt_us : 0;
}

static void render(struct json_writer *json, const struct outbox_event *event)
{
    json_write_uuid(json, "id", &event->id);
    json_write_uuid(json, "transaction_id",
                    uuid_is_nil(&event->transaction_id) ? NULL : &event->transaction_id);
    json_write_str(json, "event_type", event->type);
    json_write_bool(json, "livemode", event->livemode);
    json_write_str(json, "status", event->status);
    json_write_i64(json, "attempts", event->attempts);
    if (event->last_status_code != 0) {
        json_write_i64(json, "last_status_code", event->last_status_code);
    } else {
        json_write_null(json, "last_status_code");
    }
    json_write_str(json, "last_error", event->last_error);
    json_write_time_or_null(json, "delivered_at", event->delivered_us);
    json_write_time_or_null(json, "next_retry_at", next_retry_us(event));
    json_write_time_or_null(json, "created_at", event->created_us);
}

void webhook_logs_read(struct request *request)
{
    listing_read(request, &outbox_log_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)request;
    (void)err;
    struct outbox_event event;
    outbox_log_read(rows, json->arena, &event);
    render(json, &event);
    return OK;
}

enum errc webhook_logs_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}

// --- by hand

static enum errc answer_event(struct request *request, struct tx *tx, int status, const struct uuid *id,
                              struct err *err)
{
    struct outbox_event event;
    enum errc rc = outbox_log_get(tx->db, id, &request->principal.merchant_id, request->arena, &event, err);
    if (rc == OK) {
        struct json_writer json = render_success(request->arena);
        render(&json, &event);
        request_answer(request, status, &json);
        tx->event_due = true; // it may be sent now
    }
    return rc;
}

void webhook_redeliver_read(struct request *request)
{
    query_only(request, (const char *const[]){NULL});
}

static enum errc check_endpoint(struct request *request, struct tx *tx, struct err *err)
{
    struct merchant merchant = {0};
    enum errc rc = merchant_get(tx->db, &request->principal.merchant_id, request->arena, &merchant, err);
    if (rc == OK && merchant.webhook_url == NULL) {
        return err_set(err, ERR_CONFLICT,
                       "there is no webhook_url to send it to: set one with PUT /v1/merchant/webhook");
    }
    if (rc == OK && merchant.webhook_stopped) {
        return err_set(err, ERR_CONFLICT,
                       "the endpoint answered 410: set the webhook_url again with PUT /v1/merchant/webhook");
    }
    return rc;
}

enum errc webhook_redeliver_work(struct request *request, struct tx *tx, struct err *err)
{
    struct uuid id;
    struct outbox_event event;
    enum errc rc =
        uuid_parse(request->param, &id)
            ? outbox_log_get(tx->db, &id, &request->principal.merchant_id, request->arena, &event, err)
            : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND || (rc == OK && event.livemode && !request->principal.livemode)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such event");
    }
    if (rc == OK) {
        rc = check_endpoint(request, tx, err);
    }
    if (rc == OK) {
        rc = outbox_redeliver(tx->db, &id, request->now_us, err);
    }
    return rc == OK ? answer_event(request, tx, 200, &id, err) : rc;
}

void webhook_test_read(struct request *request)
{
    query_only(request, (const char *const[]){NULL});
}

enum errc webhook_test_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct principal *principal = &request->principal;
    struct emission emission;
    enum errc rc = check_endpoint(request, tx, err);
    if (rc == OK) {
        rc = emit_begin(tx, &principal->merchant_id, principal->livemode, NULL, "webhook.test", &emission,
                        err);
    }
    if (rc == OK) {
        json_write_bool(&emission.json, "livemode", principal->livemode);
        rc = emit_finish(tx, &emission, err);
    }
    return rc == OK ? answer_event(request, tx, 201, &tx->event_id, err) : rc;
}
