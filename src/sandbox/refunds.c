// Refunds. Pure. See refunds.h. https://docs.stripe.com/api/refunds
// Invariant: a charge's amount_refunded is the sum of its refunds that neither failed nor were canceled. That
// includes pending refunds and those that release authorised money.
#include "sandbox/refunds.h"

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/amounts.h"
#include "sandbox/charges.h"
#include "sandbox/disputes.h"
#include "sandbox/events.h"
#include "sandbox/lists.h"
#include "sandbox/methods.h"
#include "sandbox/scheduled_jobs.h"
#include "sandbox/transactions.h"

#define COURSE_US (2 * US_PER_S)
#define ACTION_DAYS 30

// A new Refund of this much of the charge, not made yet. reason: NULL for none.
static void begin(const struct context *context, const struct document *charge, int64_t amount,
                  const char *reason, struct document *refund)
{
    struct json_object *destination = json_new_object();
    json_add_str(destination, "reference_status", "pending");
    json_add_str(destination, "reference_type", "acquirer_reference_number");
    json_add_str(destination, "type", "refund");
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
    json_add(json, "destination_details", card_details_json(destination));
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

// An e-mail asks the payer where to send the money.
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

// Gives the refund the status that its test card says, and schedules the next one.
static void set_course(const struct context *context, const struct test_method *test, struct document *refund)
{
    switch (test->refund) {
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

// Adds the refund to the charge, and saves both.
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

void refund_release(const struct context *context, struct document *charge, int64_t amount)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    begin(context, charge, amount, NULL, &refund);
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
        struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
        REQUIRE(document_open(context, OBJECT_CHARGE, json_get_str(refund->json, "charge"), &charge));
        charge_refund(&charge, -json_get_i64(refund->json, "amount", 0));
        document_save(&charge);
        // A release of authorised money took nothing from the balance.
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
        // The move deletes the member that `becomes` points into.
        REQUIRE(refund_move(context, &refund, arena_strdup(context->arena, becomes)));
    }
}

static bool find_charge_of_intent(struct call *call, const char *id, struct document *charge)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(&call->context, OBJECT_INTENT, id, &intent)) {
        return call_refuse_as(call, 400, "resource_missing", "payment_intent",
                              arena_printf(call->context.arena, "No such payment_intent: '%.100s'", id));
    }
    call->began = true;
    bool charged =
        document_open(&call->context, OBJECT_CHARGE, json_get_str(intent.json, "latest_charge"), charge) &&
        json_get_bool(charge->json, "captured", false);
    return charged ||
           call_refuse_as(
               call, 400, NULL, NULL,
               arena_printf(call->context.arena,
                            "This PaymentIntent (%.100s) does not have a successful charge to refund.", id));
}

static bool find_charge_by_id(struct call *call, const char *id, struct document *charge)
{
    if (!document_open(&call->context, OBJECT_CHARGE, id, charge)) {
        return call_refuse_as(call, 400, "resource_missing", "charge",
                              arena_printf(call->context.arena, "No such charge: '%.100s'", id));
    }
    call->began = true;
    if (!json_get_bool(charge->json, "paid", false)) {
        return call_refuse_as(
            call, 400, "charge_not_refundable", NULL,
            arena_printf(call->context.arena, "Charge %.100s has failed: there is nothing to refund.", id));
    }
    return json_get_bool(charge->json, "captured", false) ||
           call_refuse_as(
               call, 400, NULL, NULL,
               arena_printf(
                   call->context.arena,
                   "Charge %.100s is not captured. Cancel its PaymentIntent (%.100s) to release the money.",
                   id, json_get_str(charge->json, "payment_intent")));
}

// The amount to refund, by default all that is left. 0: refused.
static int64_t read_amount(struct call *call, const struct document *charge)
{
    struct arena *arena = call->context.arena;
    const char *currency = json_get_str(charge->json, "currency");
    int64_t left = charge_unrefunded(charge);
    int64_t amount = param_i64(&call->params, "amount", left);
    struct refusal refusal;
    if (dispute_bars_refund(&call->context, charge)) {
        call_refuse_as(call, 400, "charge_disputed", NULL,
                       arena_printf(arena, "Charge %.100s has been charged back; cannot issue a refund.",
                                    json_get_str(charge->json, "id")));
    } else if (left == 0) {
        call_refuse_as(call, 400, "charge_already_refunded", NULL,
                       arena_printf(arena, "Charge %.100s has already been refunded.",
                                    json_get_str(charge->json, "id")));
    } else if (amount > left) {
        call_refuse_as(
            call, 400, NULL, "amount",
            arena_printf(arena, "Refund amount (%s) is greater than unrefunded amount on charge (%s)",
                         amount_shown(amount, currency, arena), amount_shown(left, currency, arena)));
    } else if (!amount_check_digits(amount, currency, arena, &refusal)) {
        call_refuse(call, &refusal);
    }
    return call->status == 0 ? amount : 0;
}

void refund_create(struct call *call)
{
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct json_object *metadata JSON_CLEANUP = json_new_object();
    if (!call_set_metadata(call, metadata)) {
        return;
    }
    if (param_i64(&call->params, "amount", 1) < 1) {
        call_refuse_as(call, 400, "parameter_invalid_integer", "amount",
                       "This value must be greater than or equal to 1.");
        return;
    }
    const char *intent_id = param_text(&call->params, "payment_intent");
    const char *charge_id = param_text(&call->params, "charge");
    if ((intent_id == NULL) == (charge_id == NULL)) {
        call_refuse_as(call, 400, intent_id == NULL ? "parameter_missing" : NULL, "payment_intent",
                       "One of payment_intent and charge has to be given.");
        return;
    }
    // Once the charge is found, execution has begun: later refusals are kept under the idempotency key.
    bool found = intent_id != NULL ? find_charge_of_intent(call, intent_id, &charge)
                                   : find_charge_by_id(call, charge_id, &charge);
    if (!found) {
        return;
    }
    int64_t amount = read_amount(call, &charge);
    if (amount == 0) {
        return;
    }
    begin(&call->context, &charge, amount, param_text(&call->params, "reason"), &refund);
    json_add(refund.json, "metadata", json_object_get(metadata));
    transaction_for_refund(&call->context, &charge, &refund);
    REQUIRE(
        document_open(&call->context, OBJECT_METHOD, json_get_str(charge.json, "payment_method"), &method));
    const struct test_method *test = method_behaviour(&method);
    set_course(&call->context, test, &refund);
    count(&call->context, &charge, &refund);
    if (test->refund == REFUND_SERVER_ERROR) {
        call_refuse_executed(call);
        return;
    }
    call_answer_document(call, &refund);
}

void refund_call_update(struct call *call)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &refund) || !call_set_metadata(call, json_get(refund.json, "metadata"))) {
        return;
    }
    call->began = true;
    event_save(&call->context, &refund, "charge.refund.updated");
    event_emit(&call->context, "refund.updated", &refund);
    call_answer_document(call, &refund);
}

void refund_cancel(struct call *call)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &refund)) {
        return;
    }
    call->began = true;
    if (!refund_move(&call->context, &refund, "canceled")) {
        call_refuse_as(
            call, 400, NULL, NULL,
            arena_printf(call->context.arena,
                         "A refund can only be canceled while it is requires_action; this one is %s.",
                         json_get_str(refund.json, "status")));
        return;
    }
    call_answer_document(call, &refund);
}

void charge_refund_list(struct call *call)
{
    if (object_find(call->context.account, OBJECT_CHARGE, call->id) == NULL) {
        call_refuse_missing(call, OBJECT_CHARGE, call->id);
        return;
    }
    list_answer_owned(call, "charge");
}
