// See render.h. Callers see the order of the fields, so it stays.
#include "op/state/render.h"

#include "store/sealed.h"

static void write_money(struct json_writer *json, const char *name, int64_t amount_minor,
                        const struct currency *currency)
{
    char text[MONEY_TEXT_BYTES];
    money_format(amount_minor, currency, text);
    json_write_str(json, name, text);
}

// failure NULL: it did not fail. Only a payment has a decline code.
static void write_failure(struct json_writer *json, const struct failure *failure, bool is_payment)
{
    if (failure == NULL) {
        json_write_null(json, "failure");
        return;
    }
    json_open_object(json, "failure");
    json_write_str(json, "code", failure->code);
    if (is_payment) {
        json_write_str(json, "decline_code", failure->decline_code);
    }
    json_write_str(json, "message", failure->message);
    json_close(json);
}

// What the payer of a payment or card has to do. `sealed` is bound to the id.
static enum errc write_next_action(struct json_writer *json, enum next_action_type type, struct sealed sealed,
                                   const struct uuid *id, const struct seal_key *master, enum render_for use,
                                   struct err *err)
{
    if (type == NEXT_ACTION_NONE) {
        json_write_null(json, "next_action");
        return OK;
    }
    json_open_object(json, "next_action");
    json_write_str(json, "type", next_action_name(type));
    if (use == RENDER_ANSWER && sealed.data != NULL) {
        const char *context = sealed_context(json->arena, SEALED_NEXT_ACTION, id);
        char *text = NULL;
        size_t bytes = 0;
        enum errc rc = seal_open(master, json->arena, context, sealed, &text, &bytes, err);
        if (rc != OK) {
            return rc;
        }
        bool redirect = type == NEXT_ACTION_REDIRECT;
        json_write_str(json, redirect ? "redirect_url" : "client_secret", text);
    }
    json_close(json);
    return OK;
}

enum errc render_payment(struct json_writer *json, const struct payment *payment,
                         const struct seal_key *master, enum render_for use, struct err *err)
{
    if (use == RENDER_EVENT) {
        json_write_uuid(json, "payment_id", &payment->id);
    }
    json_write_uuid(json, "id", &payment->id);
    json_write_uuid(json, "merchant_id", &payment->merchant_id);
    write_money(json, "amount", payment->amount_minor, payment->currency);
    json_write_str(json, "currency", payment->currency->code);
    json_write_str(json, "provider", payment->provider);
    json_write_str(json, "status", payment_status_name(payment->status));
    json_write_str(json, "provider_ref", payment->provider_ref);
    json_write_str(json, "idempotency_key", payment->idempotency_key);
    json_write_bool(json, "livemode", payment->livemode);
    write_money(json, "amount_captured", payment->captured_minor, payment->currency);
    write_money(json, "amount_refunded", payment->refunded_minor, payment->currency);
    json_write_bool(json, "capturable", payment->capturable);
    json_write_uuid(json, "saved_card_id",
                    uuid_is_nil(&payment->saved_card_id) ? NULL : &payment->saved_card_id);
    json_write_bool(json, "save_card", !uuid_is_nil(&payment->customer_id));
    json_write_str(json, "description", payment->description);
    json_write_json(json, "metadata", payment->metadata_json != NULL ? payment->metadata_json : "{}");
    json_write_str(json, "capture_method", payment->capture_manual ? "manual" : "automatic");
    json_write_str(json, "payment_method", payment->payment_method);
    json_write_str(json, "customer_email", payment->customer_email);
    json_write_str(json, "return_url", payment->return_url);
    if (use != RENDER_EVENT) {
        bool waits = payment->status == PAYMENT_PENDING;
        struct sealed sealed = {payment->action_secret_sealed, (size_t)payment->action_secret_sealed_bytes};
        enum errc rc = write_next_action(json, waits ? payment->next_action : NEXT_ACTION_NONE, sealed,
                                         &payment->id, master, use, err);
        if (rc != OK) {
            return rc;
        }
    }
    write_failure(json, payment->status == PAYMENT_FAILED ? &payment->failure : NULL, true);
    json_write_time(json, "created_at", payment->created_us);
    json_write_time(json, "updated_at", payment->updated_us);
    return OK;
}

void render_refund(struct json_writer *json, const struct refund *refund)
{
    json_write_uuid(json, "id", &refund->id);
    json_write_uuid(json, "payment_id", &refund->payment_id);
    json_write_str(json, "status", refund_status_name(refund->status));
    json_write_str(json, "provider_ref", refund->provider_ref);
    write_money(json, "amount", refund->amount_minor, refund->currency);
    json_write_str(json, "currency", refund->currency->code);
    json_write_str(json, "reason", refund->reason);
    json_write_bool(json, "livemode", refund->livemode);
    write_failure(json, refund->status == REFUND_FAILED ? &refund->failure : NULL, false);
    json_write_time(json, "created_at", refund->created_us);
    json_write_time(json, "updated_at", refund->updated_us);
}

// null: the provider did not report it.
static void write_expiry(struct json_writer *json, const char *name, int value)
{
    if (value != 0) {
        json_write_i64(json, name, value);
    } else {
        json_write_null(json, name);
    }
}

enum errc render_card(struct json_writer *json, const struct card *card, const struct seal_key *master,
                      enum render_for use, struct err *err)
{
    if (use == RENDER_EVENT) {
        json_write_uuid(json, "card_id", &card->id);
    }
    json_write_uuid(json, "id", &card->id);
    json_write_str(json, "provider", card->provider);
    json_write_str(json, "brand", card->brand);
    json_write_str(json, "last4", card->last4);
    write_expiry(json, "exp_month", card->exp_month);
    write_expiry(json, "exp_year", card->exp_year);
    json_write_bool(json, "is_default", card->is_default);
    json_write_time(json, "created_at", card->created_us);
    json_write_str(json, "customer_email", card->customer_email);
    json_write_str(json, "customer_name", card->customer_name);
    json_write_bool(json, "livemode", card->livemode);
    json_write_str(json, "status", card_status_name(card->status));
    if (use != RENDER_EVENT) {
        struct sealed sealed = {card->action_secret_sealed, (size_t)card->action_secret_sealed_bytes};
        enum errc rc = write_next_action(json, card->next_action, sealed, &card->id, master, use, err);
        if (rc != OK) {
            return rc;
        }
    }
    write_failure(json, card->status == CARD_FAILED ? &card->failure : NULL, false);
    return OK;
}

void render_customer(struct json_writer *json, const struct customer *customer)
{
    json_write_uuid(json, "id", &customer->id);
    json_write_str(json, "email", customer->email);
    json_write_str(json, "provider_ref", customer->provider_ref);
    json_write_bool(json, "livemode", customer->livemode);
    json_write_time(json, "created_at", customer->created_us);
    json_write_time_or_null(json, "gone_at", customer->gone_us);
}

void render_dispute(struct json_writer *json, const struct dispute *dispute, enum render_for use)
{
    if (use == RENDER_EVENT) {
        json_write_str(json, "id", dispute->provider_ref);
    } else {
        json_write_uuid(json, "id", &dispute->id);
        json_write_uuid(json, "payment_id", &dispute->payment_id);
        json_write_str(json, "provider_ref", dispute->provider_ref);
    }
    json_write_str(json, "status", dispute->status);
    json_write_str(json, "reason", dispute->reason);
    if (dispute->amount_minor >= 0) {
        write_money(json, "amount", dispute->amount_minor, dispute->currency);
    } else {
        json_write_null(json, "amount");
    }
    json_write_str(json, "currency", dispute->currency != NULL ? dispute->currency->code : NULL);
    json_write_time_or_null(json, "evidence_due_by", dispute->evidence_due_us);
    if (use != RENDER_EVENT) {
        json_write_bool(json, "livemode", dispute->livemode);
        json_write_time(json, "created_at", dispute->created_us);
        json_write_time(json, "updated_at", dispute->updated_us);
    }
}

struct json_writer render_success(struct arena *arena)
{
    struct json_writer json = json_writer(arena);
    json_open_object(&json, NULL);
    json_write_bool(&json, "success", true);
    json_open_object(&json, "data");
    return json;
}
