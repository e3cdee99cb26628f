// See render.h. Callers see the order of the fields, so it stays.
#include "op/state/render.h"

#include "base/json.h"
#include "base/timefmt.h"
#include "store/sealed.h"

static void add_id(struct json_object *json, const char *name, const struct uuid *id)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(id, text);
    json_add_str(json, name, text);
}

static void add_money(struct json_object *json, const char *name, int64_t amount_minor,
                      const struct currency *currency)
{
    char text[MONEY_TEXT_BYTES];
    money_format(amount_minor, currency, text);
    json_add_str(json, name, text);
}

static void add_time(struct json_object *json, const char *name, int64_t time_us)
{
    char text[TIME_TEXT_BYTES];
    time_format(time_us, text);
    json_add_str(json, name, text);
}

// failure NULL: it did not fail. Only a payment has a decline code.
static void add_failure(struct json_object *json, const struct failure *failure, bool is_payment)
{
    struct json_object *object = NULL;
    if (failure != NULL) {
        object = json_new_object();
        json_add_str(object, "code", failure->code);
        if (is_payment) {
            json_add_str(object, "decline_code", failure->decline_code);
        }
        json_add_str(object, "message", failure->message);
    }
    json_add(json, "failure", object);
}

// What the payer of a payment or card has to do. `sealed` is bound to the id.
static enum errc add_next_action(struct json_object *json, enum next_action_type type, struct sealed sealed,
                                 const struct uuid *id, const struct seal_key *master, enum render_for use,
                                 struct arena *arena, struct err *err)
{
    if (type == NEXT_ACTION_NONE) {
        json_add(json, "next_action", NULL);
        return OK;
    }
    struct json_object *action = json_new_object();
    json_add_str(action, "type", next_action_name(type));
    json_add(json, "next_action", action);
    if (use != RENDER_ANSWER || sealed.data == NULL) {
        return OK;
    }
    char *text = NULL;
    size_t bytes = 0;
    enum errc rc =
        seal_open(master, arena, sealed_context(arena, SEALED_NEXT_ACTION, id), sealed, &text, &bytes, err);
    if (rc == OK) {
        bool redirect = type == NEXT_ACTION_REDIRECT;
        json_add_str(action, redirect ? "redirect_url" : "client_secret", text);
    }
    return rc;
}

enum errc render_payment(const struct payment *payment, const struct seal_key *master, enum render_for use,
                         struct arena *arena, struct json_object **result, struct err *err)
{
    struct json_object *json JSON_CLEANUP = json_new_object();
    if (use == RENDER_EVENT) {
        add_id(json, "payment_id", &payment->id);
    }
    add_id(json, "id", &payment->id);
    add_id(json, "merchant_id", &payment->merchant_id);
    add_money(json, "amount", payment->amount_minor, payment->currency);
    json_add_str(json, "currency", payment->currency->code);
    json_add_str(json, "provider", payment->provider);
    json_add_str(json, "status", payment_status_name(payment->status));
    json_add_str(json, "provider_ref", payment->provider_ref);
    json_add_str(json, "idempotency_key", payment->idempotency_key);
    json_add_bool(json, "livemode", payment->livemode);
    add_money(json, "amount_captured", payment->captured_minor, payment->currency);
    add_money(json, "amount_refunded", payment->refunded_minor, payment->currency);
    json_add_bool(json, "capturable", payment->capturable);
    if (uuid_is_nil(&payment->saved_card_id)) {
        json_add_str(json, "saved_card_id", NULL);
    } else {
        add_id(json, "saved_card_id", &payment->saved_card_id);
    }
    json_add_bool(json, "save_card", !uuid_is_nil(&payment->customer_id));
    json_add_str(json, "description", payment->description);
    json_add(json, "metadata",
             payment->metadata_json != NULL ? json_tokener_parse(payment->metadata_json) : json_new_object());
    json_add_str(json, "capture_method", payment->capture_manual ? "manual" : "automatic");
    json_add_str(json, "payment_method", payment->payment_method);
    json_add_str(json, "customer_email", payment->customer_email);
    json_add_str(json, "return_url", payment->return_url);
    if (use != RENDER_EVENT) {
        bool waits = payment->status == PAYMENT_PENDING;
        struct sealed sealed = {payment->action_secret_sealed, (size_t)payment->action_secret_sealed_bytes};
        enum errc rc = add_next_action(json, waits ? payment->next_action : NEXT_ACTION_NONE, sealed,
                                       &payment->id, master, use, arena, err);
        if (rc != OK) {
            return rc;
        }
    }
    add_failure(json, payment->status == PAYMENT_FAILED ? &payment->failure : NULL, true);
    add_time(json, "created_at", payment->created_us);
    add_time(json, "updated_at", payment->updated_us);
    *result = json_object_get(json);
    return OK;
}

struct json_object *render_refund(const struct refund *refund)
{
    struct json_object *json = json_new_object();
    add_id(json, "id", &refund->id);
    add_id(json, "payment_id", &refund->payment_id);
    json_add_str(json, "status", refund_status_name(refund->status));
    json_add_str(json, "provider_ref", refund->provider_ref);
    add_money(json, "amount", refund->amount_minor, refund->currency);
    json_add_str(json, "currency", refund->currency->code);
    json_add_str(json, "reason", refund->reason);
    json_add_bool(json, "livemode", refund->livemode);
    add_failure(json, refund->status == REFUND_FAILED ? &refund->failure : NULL, false);
    add_time(json, "created_at", refund->created_us);
    add_time(json, "updated_at", refund->updated_us);
    return json;
}

// null: the provider did not report it.
static void add_expiry(struct json_object *json, const char *name, int value)
{
    json_add(json, name, value != 0 ? json_object_new_int(value) : NULL);
}

enum errc render_card(const struct card *card, const struct seal_key *master, enum render_for use,
                      struct arena *arena, struct json_object **result, struct err *err)
{
    struct json_object *json JSON_CLEANUP = json_new_object();
    if (use == RENDER_EVENT) {
        add_id(json, "card_id", &card->id);
    }
    add_id(json, "id", &card->id);
    json_add_str(json, "provider", card->provider);
    json_add_str(json, "brand", card->brand);
    json_add_str(json, "last4", card->last4);
    add_expiry(json, "exp_month", card->exp_month);
    add_expiry(json, "exp_year", card->exp_year);
    json_add_bool(json, "is_default", card->is_default);
    add_time(json, "created_at", card->created_us);
    json_add_str(json, "customer_email", card->customer_email);
    json_add_str(json, "customer_name", card->customer_name);
    json_add_bool(json, "livemode", card->livemode);
    json_add_str(json, "status", card_status_name(card->status));
    if (use != RENDER_EVENT) {
        struct sealed sealed = {card->action_secret_sealed, (size_t)card->action_secret_sealed_bytes};
        enum errc rc = add_next_action(json, card->next_action, sealed, &card->id, master, use, arena, err);
        if (rc != OK) {
            return rc;
        }
    }
    add_failure(json, card->status == CARD_FAILED ? &card->failure : NULL, false);
    *result = json_object_get(json);
    return OK;
}

struct json_object *render_dispute(const struct provider_ops *provider, const struct dispute *dispute)
{
    struct json_object *json = json_new_object();
    const struct currency *currency = dispute->currency != NULL ? currency_find(dispute->currency) : NULL;
    int64_t amount_minor = 0;
    json_add_str(json, "id", dispute->id);
    json_add_str(json, "status", dispute->status);
    json_add_str(json, "reason", dispute->reason);
    if (currency != NULL && dispute->amount_minor >= 0 &&
        provider->amount_from(dispute->amount_minor, currency, &amount_minor, NULL) == OK) {
        add_money(json, "amount", amount_minor, currency);
    } else {
        json_add(json, "amount", NULL);
    }
    json_add_str(json, "currency", currency != NULL ? currency->code : NULL);
    if (dispute->evidence_due_s > 0) {
        add_time(json, "evidence_due_by", dispute->evidence_due_s * US_PER_S);
    } else {
        json_add(json, "evidence_due_by", NULL);
    }
    return json;
}

const char *render_success(struct arena *arena, struct json_object *data)
{
    struct json_object *json JSON_CLEANUP = json_new_object();
    json_add_bool(json, "success", true);
    json_add(json, "data", data);
    return json_text(arena, json);
}
