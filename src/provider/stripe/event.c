// Of an event only what the API's version cannot change is read: ids, status, amounts, currency, metadata,
// livemode and the last error. Its version is the endpoint's, not ours. Sources:
// https://docs.stripe.com/webhooks, https://docs.stripe.com/api/events.
#include "provider/stripe/event.h"

#include <string.h>

#include "base/json_reader.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/form.h"
#include "provider/stripe/object.h"

// What a payment_intent.* event says by its type, and the status that its object must have then.
static const struct intent_event {
    const char *type;
    const char *status;
    enum provider_payment_state state;
} intent_events[] = {
    {"payment_intent.succeeded", "succeeded", PROVIDER_PAYMENT_SUCCEEDED},
    {"payment_intent.payment_failed", "requires_payment_method", PROVIDER_PAYMENT_ATTEMPT_FAILED},
    {"payment_intent.canceled", "canceled", PROVIDER_PAYMENT_CANCELED},
    {"payment_intent.amount_capturable_updated", "requires_capture", PROVIDER_PAYMENT_CAPTURABLE},
    {"payment_intent.processing", "processing", PROVIDER_PAYMENT_PROCESSING},
    {"payment_intent.requires_action", "requires_action", PROVIDER_PAYMENT_OPEN},
};

static void read_intent(struct provider_event *event, const struct json_value *object,
                        const struct intent_event *meaning, struct arena *arena)
{
    event->kind = EVENT_PAYMENT;
    event->payment_ref = event->object_id;
    bool read = stripe_intent_read(object, arena, &event->payment);
    event->payment.state = meaning->state;
    event->payment.next_action = NEXT_ACTION_NONE;
    event->payment.redirect_url = NULL;
    event->payment.client_secret = NULL;
    event->complete =
        read && text_equal(json_read_str(object, "status"), meaning->status) &&
        event->payment.amount_provider_minor >= 0 && event->payment.currency != NULL &&
        (meaning->state != PROVIDER_PAYMENT_SUCCEEDED || event->payment.received_provider_minor >= 0);
}

static const char *text_of(const struct json_value *object, const char *name, struct arena *arena)
{
    return arena_strdup(arena, json_read_str(object, name));
}

// What was captured matters only for a payment that was not known to be made; without it that is read.
static void read_charge(struct provider_event *event, const struct json_value *object, struct arena *arena)
{
    event->kind = EVENT_CHARGE_REFUNDED;
    event->payment_ref = text_of(object, "payment_intent", arena);
    event->charge = (struct charge_refunded){
        .id = event->object_id,
        .payment_ref = event->payment_ref,
        .amount_minor = json_read_i64(object, "amount", -1),
        .captured_minor = json_read_i64(object, "amount_captured", -1),
        .whole = json_read_bool(object, "refunded", false),
        .currency = text_of(object, "currency", arena),
    };
    event->complete =
        event->charge.amount_minor >= 0 && event->charge.captured_minor > 0 && event->charge.currency != NULL;
    if (!json_read_bool(object, "captured", true)) {
        event->kind = EVENT_OTHER; // an authorisation that was let go: no money moved
    }
}

static void read_refund(struct provider_event *event, const struct json_value *object, struct arena *arena)
{
    event->kind = EVENT_REFUND;
    bool read = stripe_refund_read(object, arena, &event->refund);
    event->payment_ref = event->refund.payment_ref;
    event->complete = read && json_read_str(object, "status") != NULL &&
                      event->refund.amount_provider_minor > 0 && event->refund.currency != NULL &&
                      event->payment_ref != NULL;
}

static void read_dispute(struct provider_event *event, const struct json_value *object, struct arena *arena)
{
    event->payment_ref = text_of(object, "payment_intent", arena);
    event->dispute = (struct provider_dispute){
        .id = event->object_id,
        .status = text_of(object, "status", arena),
        .reason = text_of(object, "reason", arena),
        .amount_provider_minor = json_read_i64(object, "amount", -1),
        .currency = text_of(object, "currency", arena),
        .evidence_due_s = json_read_i64(json_read_member(object, "evidence_details"), "due_by", 0),
    };
    event->complete = event->payment_ref != NULL && event->dispute.id != NULL;
}

// The id is all that is taken of a method: what else it says is of the endpoint's version, and may be older
// than what an earlier event brought. One that was detached says only beside it whose it was.
static void read_method(struct provider_event *event, const struct json_value *data, struct arena *arena)
{
    const char *customer = text_of(json_read_member(data, "object"), "customer", arena);
    event->customer_ref = customer != NULL
                              ? customer
                              : text_of(json_read_member(data, "previous_attributes"), "customer", arena);
    event->complete = event->object_id != NULL;
}

static const struct {
    const char *type;
    enum provider_event_kind kind;
    bool not_fetched; // what it says is read without it, too, and Stripe takes 20 types (api/events/list)
} other_events[] = {
    {"charge.refunded", EVENT_CHARGE_REFUNDED},
    {"refund.created", EVENT_REFUND},
    {"refund.updated", EVENT_REFUND},
    {"refund.failed", EVENT_REFUND},
    {"charge.refund.updated", EVENT_REFUND},
    {"setup_intent.succeeded", EVENT_SETUP},
    {"setup_intent.setup_failed", EVENT_SETUP},
    {"setup_intent.canceled", EVENT_SETUP},
    {"setup_intent.requires_action", EVENT_SETUP, .not_fetched = true}, // such a card is polled
    {"payment_method.detached", EVENT_METHOD_GONE},
    {"customer.deleted", EVENT_CUSTOMER_GONE},
    {"payment_method.automatically_updated", EVENT_METHOD_UPDATED},
    {"charge.dispute.created", EVENT_DISPUTE_OPENED},
    {"charge.dispute.updated", EVENT_DISPUTE_CHANGED},
    {"charge.dispute.closed", EVENT_DISPUTE_CLOSED},
};

static enum provider_event_kind kind_of(const char *type)
{
    for (size_t i = 0; i < COUNT_OF(other_events); i++) {
        if (text_equal(type, other_events[i].type)) {
            return other_events[i].kind;
        }
    }
    for (size_t i = 0; i < COUNT_OF(intent_events); i++) {
        if (text_equal(type, intent_events[i].type)) {
            return EVENT_PAYMENT;
        }
    }
    return EVENT_OTHER;
}

// Its types are those of the snapshots, after "v1."; its time is text.
static void read_thin(struct provider_event *event, const struct json_value *root, struct arena *arena)
{
    static const char prefix[] = "v1.";
    event->thin = true;
    event->object_id = text_of(json_read_member(root, "related_object"), "id", arena);
    int64_t created_us = 0;
    const char *created = json_read_str(root, "created");
    if (created != NULL && time_parse(created, &created_us, NULL) == OK) {
        event->created_s = created_us / US_PER_S;
    }
    if (text_starts_with(event->type, prefix)) {
        event->type += strlen(prefix);
    }
    event->kind = event->object_id != NULL ? kind_of(event->type) : EVENT_OTHER;
    event->payment_ref = event->kind == EVENT_PAYMENT ? event->object_id : NULL;
    event->complete = event->kind == EVENT_SETUP || event->kind == EVENT_METHOD_GONE ||
                      event->kind == EVENT_METHOD_UPDATED ||
                      event->kind == EVENT_CUSTOMER_GONE; // the id is all that these need
}

static void read_other(struct provider_event *event, const struct json_value *data, struct arena *arena)
{
    const struct json_value *object = json_read_member(data, "object");
    event->kind = kind_of(event->type);
    if (event->kind == EVENT_CHARGE_REFUNDED) {
        read_charge(event, object, arena);
    } else if (event->kind == EVENT_REFUND) {
        read_refund(event, object, arena);
    } else if (event_is_of_dispute(event)) {
        read_dispute(event, object, arena);
    } else if (event->kind == EVENT_METHOD_GONE || event->kind == EVENT_METHOD_UPDATED) {
        read_method(event, data, arena);
    } else if (event->kind == EVENT_SETUP || event->kind == EVENT_CUSTOMER_GONE) {
        event->complete = event->object_id != NULL;
    }
}

void stripe_event_add_types(struct buf *query)
{
    for (size_t i = 0; i < COUNT_OF(intent_events); i++) {
        form_add(query, "types[]", intent_events[i].type);
    }
    for (size_t i = 0; i < COUNT_OF(other_events); i++) {
        if (!other_events[i].not_fetched) {
            form_add(query, "types[]", other_events[i].type);
        }
    }
}

enum errc stripe_event_of_json(const struct json_value *root, struct arena *arena,
                               struct provider_event *event, struct err *err)
{
    const struct json_value *data = json_read_member(root, "data");
    const struct json_value *object = json_read_member(data, "object");
    const struct json_value *metadata = json_read_member(object, "metadata");
    *event = (struct provider_event){
        .id = arena_strdup(arena, json_read_str(root, "id")),
        .type = arena_strdup(arena, json_read_str(root, "type")),
        .created_s = json_read_i64(root, "created", 0),
        .livemode = json_read_bool(root, "livemode", false),
        .object_id = arena_strdup(arena, json_read_str(object, "id")),
        .payment_id = arena_strdup(arena, json_read_str(metadata, "payment_id")),
        .merchant_id = arena_strdup(arena, json_read_str(metadata, "merchant_id")),
        .marked = stripe_mark_read(metadata, arena).key != NULL,
        .customer_id = arena_strdup(arena, json_read_str(metadata, "customer_id")),
        .card_id = arena_strdup(arena, json_read_str(metadata, "card_id")),
    };
    if (event->id == NULL || event->id[0] == '\0' || strlen(event->id) > 255 || event->type == NULL ||
        strlen(event->type) > 255) {
        return err_set(err, ERR_BAD_REQUEST, "the body is not a Stripe event: id and type are required");
    }
    if (!json_is(object, JSON_OBJECT)) {
        read_thin(event, root, arena);
        return OK;
    }
    read_other(event, data, arena);
    for (size_t i = 0; i < COUNT_OF(intent_events); i++) {
        if (text_equal(event->type, intent_events[i].type)) {
            read_intent(event, object, &intent_events[i], arena);
        }
    }
    return OK;
}

enum errc stripe_event_parse(const char *body, size_t bytes, struct arena *arena,
                             struct provider_event *event, struct err *err)
{
    struct arena scratch ARENA_CLEANUP = ARENA_EMPTY;
    const struct json_value *root = NULL;
    enum errc rc = json_read(&scratch, body, bytes, JSON_VALUES_MAX, &root, err);
    return rc == OK ? stripe_event_of_json(root, arena, event, err) : rc;
}
