// The moves of a Refund. Pure. See refunds.h.
// Invariant: a charge's amount_refunded is the sum of its refunds that neither failed nor were canceled,
// those that are pending or released authorised money included.
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/charges.h"
#include "sandbox/events.h"
#include "sandbox/ids.h"
#include "sandbox/methods.h"
#include "sandbox/refunds.h"
#include "sandbox/scheduled_jobs.h"
#include "sandbox/transactions.h"

#define COURSE_US (2 * US_PER_S)
#define ACTION_DAYS 30

static struct json_object *destination_details(void)
{
    struct json_object *card = json_new_object();
    json_add_str(card, "reference_status", "pending");
    json_add_str(card, "reference_type", "acquirer_reference_number");
    json_add_str(card, "type", "refund");
    struct json_object *details = json_new_object();
    json_add(details, "card", card);
    json_add_str(details, "type", "card");
    return details;
}

void refund_begin(const struct context *context, const struct document *charge, int64_t amount,
                  const char *reason, struct document *refund)
{
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(context->sandbox->random, context->arena, "re_3", ID_TAIL_CHARS));
    json_add_str(json, "object", "refund");
    json_add_i64(json, "amount", amount);
    json_add(json, "balance_transaction", NULL);
    json_add_str(json, "charge", json_get_str(charge->json, "id"));
    json_add_i64(json, "created", context_seconds(context));
    json_add_str(json, "currency", json_get_str(charge->json, "currency"));
    json_add_str(json, "customer", json_get_str(charge->json, "customer"));
    json_add(json, "customer_account", NULL);
    json_add(json, "destination_details", destination_details());
    json_add(json, "metadata", json_new_object());
    json_add_str(json, "payment_intent", json_get_str(charge->json, "payment_intent"));
    json_add_str(json, "payment_method", json_get_str(charge->json, "payment_method"));
    json_add_str(json, "reason", reason);
    json_add(json, "receipt_number", NULL);
    json_add(json, "source_transfer_reversal", NULL);
    json_add_str(json, "status", "succeeded");
    json_add(json, "transfer_reversal", NULL);
    document_begin(context, OBJECT_REFUND, json, refund);
}

// The payer is asked by e-mail where the money should go.
static struct json_object *display_details(const struct context *context)
{
    struct json_object *email = json_new_object();
    json_add_i64(email, "email_sent_at", context_seconds(context));
    json_add_str(email, "email_sent_to", "payer@example.com");
    struct json_object *details = json_new_object();
    json_add(details, "email_sent", email);
    json_add_i64(details, "expires_at", context_seconds(context) + (int64_t)ACTION_DAYS * 24 * 3600);
    struct json_object *action = json_new_object();
    json_add(action, "display_details", details);
    json_add_str(action, "type", "display_details");
    return action;
}

static void set_course(const struct context *context, const struct document *charge, struct document *refund)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(document_open(context, OBJECT_METHOD, json_get_str(charge->json, "payment_method"), &method));
    switch (method_behaviour(&method)->refund) {
    case REFUND_SUCCEEDS:
    case REFUND_SERVER_ERROR:
        return;
    case REFUND_PENDS:
        json_add_str(refund->json, "status", "pending");
        json_add_str(refund->json, "pending_reason", "processing");
        json_add_str(refund->hidden, "becomes", "succeeded");
        break;
    case REFUND_FAILS:
        json_add_str(refund->hidden, "becomes", "failed");
        break;
    case REFUND_REQUIRES_ACTION:
        json_add_str(refund->json, "status", "requires_action");
        json_add(refund->json, "next_action", display_details(context));
        return;
    }
    job_add_about(context, JOB_REFUND, context->now_us + COURSE_US, json_get_str(refund->json, "id"));
}

// Saves both: the charge counts the refund.
static void count(const struct context *context, struct document *charge, struct document *refund)
{
    struct json_object *previous = json_new_object();
    json_add_i64(previous, "amount_refunded", json_get_i64(charge->json, "amount_refunded", 0));
    charge_refund(charge, json_get_i64(refund->json, "amount", 0));
    if (json_get_bool(charge->json, "refunded", false)) {
        json_add_bool(previous, "refunded", false);
    }
    document_save(charge);
    event_save(context, refund, "refund.created");
    event_emit_changed(context, "charge.refunded", charge, previous);
}

void refund_make(const struct context *context, struct document *charge, struct document *refund)
{
    transaction_for_refund(context, charge, refund);
    set_course(context, charge, refund);
    count(context, charge, refund);
}

void refund_release(const struct context *context, struct document *charge, int64_t amount)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    refund_begin(context, charge, amount, NULL, &refund);
    count(context, charge, &refund);
}

static bool may_move(const char *from, const char *to)
{
    static const char *const moves[][2] = {
        {"pending", "succeeded"},         {"pending", "failed"},
        {"succeeded", "failed"},          {"requires_action", "canceled"},
        {"requires_action", "succeeded"}, {"requires_action", "failed"},
    };
    for (size_t i = 0; i < COUNT_OF(moves); i++) {
        if (text_equal(moves[i][0], from) && text_equal(moves[i][1], to)) {
            return true;
        }
    }
    return false;
}

static void give_back(const struct context *context, const struct document *refund)
{
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(document_open(context, OBJECT_CHARGE, json_get_str(refund->json, "charge"), &charge));
    charge_refund(&charge, -json_get_i64(refund->json, "amount", 0));
    document_save(&charge);
}

bool refund_move(const struct context *context, struct document *refund, const char *status)
{
    const char *from = json_get_str(refund->json, "status");
    if (!may_move(from, status)) {
        return false;
    }
    bool failed = text_equal(status, "failed");
    struct json_object *previous JSON_CLEANUP = json_new_object();
    json_add_str(previous, "status", from);
    json_object_object_del(refund->json, "pending_reason");
    json_object_object_del(refund->json, "next_action");
    json_object_object_del(refund->hidden, "becomes");
    if (failed) {
        json_add(previous, "failure_reason", NULL);
        json_add_str(refund->json, "failure_reason", "expired_or_canceled_card");
    }
    json_add_str(refund->json, "status", status);
    if (!text_equal(status, "succeeded")) {
        give_back(context, refund);
        // One that let go of authorised money took nothing from the balance.
        if (json_get(refund->json, "balance_transaction") != NULL) {
            json_add(previous, "failure_balance_transaction", NULL);
            transaction_for_refund_back(context, refund);
        }
    }
    document_save(refund);
    event_emit_changed(context, "charge.refund.updated", refund, json_object_get(previous));
    event_emit_changed(context, "refund.updated", refund, json_object_get(previous));
    if (failed) {
        event_emit(context, "refund.failed", refund);
    }
    return true;
}

void refund_settle(const struct context *context, const char *id)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(context, OBJECT_REFUND, id, &refund)) {
        return;
    }
    const char *becomes = json_get_str(refund.hidden, "becomes");
    if (becomes != NULL) {
        // The move forgets what it was to become.
        REQUIRE(refund_move(context, &refund, arena_strdup(context->arena, becomes)));
    }
}
