// Disputes. Pure. See disputes.h.
#include "sandbox/disputes.h"

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/charges.h"
#include "sandbox/events.h"
#include "sandbox/methods.h"
#include "sandbox/scheduled_jobs.h"
#include "sandbox/transactions.h"

#define DISPUTE_AFTER_US US_PER_S
#define EVIDENCE_S (INT64_C(7) * 24 * 3600)

// Every move, and the event that reports it.
static const struct move {
    const char *from;
    const char *to;
    const char *event;
} moves[] = {
    {"needs_response", "under_review", "charge.dispute.updated"},
    {"needs_response", "won", "charge.dispute.closed"},
    {"needs_response", "lost", "charge.dispute.closed"},
    {"under_review", "won", "charge.dispute.closed"},
    {"under_review", "lost", "charge.dispute.closed"},
    {"warning_needs_response", "warning_under_review", "charge.dispute.updated"},
    {"warning_needs_response", "warning_closed", "charge.dispute.closed"},
    {"warning_under_review", "warning_closed", "charge.dispute.closed"},
};

void dispute_expect(const struct context *context, const struct document *method,
                    const struct document *charge)
{
    if (method_behaviour(method)->dispute_reason != NULL) {
        job_add_about(context, JOB_DISPUTE, context->now_us + DISPUTE_AFTER_US,
                      json_get_str(charge->json, "id"));
    }
}

bool dispute_bars_refund(const struct context *context, const struct document *charge)
{
    static const char *const barring[] = {"needs_response", "under_review", "lost"};
    struct document dispute DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(context, OBJECT_DISPUTE, json_get_str(charge->hidden, "dispute"), &dispute)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(barring); i++) {
        if (text_equal(json_get_str(dispute.json, "status"), barring[i])) {
            return true;
        }
    }
    return false;
}

// Always empty: the sandbox does not accept evidence.
static struct json_object *evidence(void)
{
    static const char *const names[] = {"access_activity_log",
                                        "billing_address",
                                        "cancellation_policy",
                                        "cancellation_policy_disclosure",
                                        "cancellation_rebuttal",
                                        "customer_communication",
                                        "customer_email_address",
                                        "customer_name",
                                        "customer_purchase_ip",
                                        "customer_signature",
                                        "duplicate_charge_documentation",
                                        "duplicate_charge_explanation",
                                        "duplicate_charge_id",
                                        "product_description",
                                        "receipt",
                                        "refund_policy",
                                        "refund_policy_disclosure",
                                        "refund_refusal_explanation",
                                        "service_date",
                                        "service_documentation",
                                        "shipping_address",
                                        "shipping_carrier",
                                        "shipping_date",
                                        "shipping_documentation",
                                        "shipping_tracking_number",
                                        "uncategorized_file",
                                        "uncategorized_text"};
    struct json_object *json = json_new_object();
    json_add_nulls(json, names, COUNT_OF(names));
    json_add(json, "enhanced_evidence", json_new_object());
    return json;
}

static struct json_object *evidence_details(const struct context *context)
{
    struct json_object *details = json_new_object();
    json_add_i64(details, "due_by", context_seconds(context) + EVIDENCE_S);
    json_add(details, "enhanced_eligibility", json_new_object());
    json_add_bool(details, "has_evidence", false);
    json_add_bool(details, "past_due", false);
    json_add_i64(details, "submission_count", 0);
    json_add_str(details, "submission_method", "not_submitted");
    return details;
}

static struct json_object *dispute_json(const struct context *context, const struct test_method *test,
                                        const struct document *charge)
{
    struct json_object *card = json_new_object();
    json_add_str(card, "brand", test->brand);
    json_add_str(card, "case_type", test->inquiry ? "inquiry" : "chargeback");
    json_add_str(card, "network", test->brand);
    json_add_str(card, "network_reason_code",
                 text_equal(test->dispute_reason, "fraudulent") ? "10.4" : "13.1");
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(context->sandbox->random, context->arena, "dp_1", ID_TAIL_CHARS));
    json_add_str(json, "object", "dispute");
    json_add_i64(json, "amount", charge_unrefunded(charge));
    json_add(json, "balance_transactions", json_object_new_array());
    json_add_str(json, "charge", json_get_str(charge->json, "id"));
    json_add_i64(json, "created", context_seconds(context));
    json_add_str(json, "currency", json_get_str(charge->json, "currency"));
    json_add(json, "enhanced_eligibility_types", json_object_new_array());
    json_add(json, "evidence", evidence());
    json_add(json, "evidence_details", evidence_details(context));
    json_add(json, "intended_submission_method", NULL);
    json_add_bool(json, "is_charge_refundable", test->inquiry);
    json_add_bool(json, "livemode", context->account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add_str(json, "payment_intent", json_get_str(charge->json, "payment_intent"));
    json_add(json, "payment_method_details", card_details_json(card));
    json_add_str(json, "reason", test->dispute_reason);
    json_add_str(json, "status", test->inquiry ? "warning_needs_response" : "needs_response");
    return json;
}

void dispute_begin(const struct context *context, const char *charge_id)
{
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document dispute DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(context, OBJECT_CHARGE, charge_id, &charge) || charge_unrefunded(&charge) == 0) {
        return;
    }
    REQUIRE(document_open(context, OBJECT_METHOD, json_get_str(charge.json, "payment_method"), &method));
    const struct test_method *test = method_behaviour(&method);
    document_begin(context, OBJECT_DISPUTE, dispute_json(context, test, &charge), &dispute);
    json_add_bool(charge.json, "disputed", true);
    json_add_str(charge.hidden, "dispute", json_get_str(dispute.json, "id"));
    document_save(&charge);
    if (!test->inquiry) {
        transaction_for_dispute(context, &dispute, false);
    }
    event_save(context, &dispute, "charge.dispute.created");
    if (!test->inquiry) {
        event_emit(context, "charge.dispute.funds_withdrawn", &dispute);
    }
}

static const struct move *move_find(const char *from, const char *to)
{
    for (size_t i = 0; i < COUNT_OF(moves); i++) {
        if (text_equal(moves[i].from, from) && text_equal(moves[i].to, to)) {
            return &moves[i];
        }
    }
    return NULL;
}

bool dispute_move(const struct context *context, struct document *dispute, const char *status)
{
    const struct move *move = move_find(json_get_str(dispute->json, "status"), status);
    if (move == NULL) {
        return false;
    }
    struct json_object *previous = json_new_object();
    json_add_str(previous, "status", move->from);
    json_add_str(dispute->json, "status", move->to);
    if (text_equal(move->to, "won")) {
        transaction_for_dispute(context, dispute, true);
    }
    document_save(dispute);
    event_emit_changed(context, move->event, dispute, previous);
    if (text_equal(move->to, "won")) {
        event_emit(context, "charge.dispute.funds_reinstated", dispute);
    }
    return true;
}

void dispute_close(struct call *call)
{
    struct document dispute DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &dispute)) {
        return;
    }
    call->began = true;
    if (!dispute_move(&call->context, &dispute, "lost") &&
        !dispute_move(&call->context, &dispute, "warning_closed")) {
        call_refuse_as(call, 400, NULL, NULL, "This dispute is already closed.");
        return;
    }
    call_answer_document(call, &dispute);
}
