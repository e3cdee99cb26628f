// /v1/refunds. Pure. See refunds.h. https://docs.stripe.com/api/refunds
#include "base/require.h"
#include "base/text.h"
#include "sandbox/amounts.h"
#include "sandbox/charges.h"
#include "sandbox/disputes.h"
#include "sandbox/events.h"
#include "sandbox/lists.h"
#include "sandbox/methods.h"
#include "sandbox/refunds.h"

static bool refuse(struct call *call, const char *code, const char *param, const char *message)
{
    call_refuse(call, &(struct refusal){.status = 400, .code = code, .param = param, .message = message});
    return false;
}

static bool refuse_unknown(struct call *call, const char *param, const char *id)
{
    return refuse(call, "resource_missing", param,
                  arena_printf(call->context.arena, "No such %s: '%.100s'", param, id));
}

static bool find_charge_of_intent(struct call *call, const char *id, struct document *charge)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(&call->context, OBJECT_INTENT, id, &intent)) {
        return refuse_unknown(call, "payment_intent", id);
    }
    call->began = true;
    bool charged =
        document_open(&call->context, OBJECT_CHARGE, json_get_str(intent.json, "latest_charge"), charge) &&
        json_get_bool(charge->json, "captured", false);
    return charged ||
           refuse(call, NULL, NULL,
                  arena_printf(call->context.arena,
                               "This PaymentIntent (%.100s) does not have a successful charge to refund.",
                               id));
}

static bool find_charge_by_id(struct call *call, const char *id, struct document *charge)
{
    if (!document_open(&call->context, OBJECT_CHARGE, id, charge)) {
        return refuse_unknown(call, "charge", id);
    }
    call->began = true;
    if (!json_get_bool(charge->json, "paid", false)) {
        return refuse(
            call, "charge_not_refundable", NULL,
            arena_printf(call->context.arena, "Charge %.100s has failed: there is nothing to refund.", id));
    }
    return json_get_bool(charge->json, "captured", false) ||
           refuse(call, NULL, NULL,
                  arena_printf(call->context.arena,
                               "Charge %.100s is not captured. Cancel its PaymentIntent (%.100s) to release "
                               "the money.",
                               id, json_get_str(charge->json, "payment_intent")));
}

// The charge that is to be refunded. Once there is one, execution has begun: what stands against the refund
// from there on is kept under the idempotency key.
static bool find_charge(struct call *call, struct document *charge)
{
    const char *intent_id = param_text(&call->params, "payment_intent");
    const char *charge_id = param_text(&call->params, "charge");
    if ((intent_id == NULL) == (charge_id == NULL)) {
        return refuse(call, intent_id == NULL ? "parameter_missing" : NULL, "payment_intent",
                      "One of payment_intent and charge has to be given.");
    }
    return intent_id != NULL ? find_charge_of_intent(call, intent_id, charge)
                             : find_charge_by_id(call, charge_id, charge);
}

// How much is asked for; absent: all that is left. 0: refused.
static int64_t read_amount(struct call *call, const struct document *charge)
{
    struct arena *arena = call->context.arena;
    const char *currency = json_get_str(charge->json, "currency");
    int64_t left = charge_unrefunded(charge);
    int64_t amount = param_i64(&call->params, "amount", left);
    struct refusal refusal;
    if (dispute_bars_refund(&call->context, charge)) {
        (void)refuse(call, "charge_disputed", NULL,
                     arena_printf(arena, "Charge %.100s has been charged back; cannot issue a refund.",
                                  json_get_str(charge->json, "id")));
    } else if (left == 0) {
        (void)refuse(call, "charge_already_refunded", NULL,
                     arena_printf(arena, "Charge %.100s has already been refunded.",
                                  json_get_str(charge->json, "id")));
    } else if (amount > left) {
        (void)refuse(
            call, NULL, "amount",
            arena_printf(arena, "Refund amount (%s) is greater than unrefunded amount on charge (%s)",
                         amount_shown(amount, currency, arena), amount_shown(left, currency, arena)));
    } else if (!amount_check_digits(amount, currency, arena, &refusal)) {
        call_refuse(call, &refusal);
    }
    return call->status == 0 ? amount : 0;
}

static bool answers_with_error(const struct context *context, const struct document *charge)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(document_open(context, OBJECT_METHOD, json_get_str(charge->json, "payment_method"), &method));
    return method_behaviour(&method)->refund == REFUND_SERVER_ERROR;
}

// What can be said of the parameters without looking at the charge.
static bool check_request(struct call *call, struct json_object *metadata)
{
    struct refusal refusal;
    if (!param_metadata(&call->params, metadata, &refusal)) {
        call_refuse(call, &refusal);
        return false;
    }
    return param_i64(&call->params, "amount", 1) >= 1 ||
           refuse(call, "parameter_invalid_integer", "amount",
                  "This value must be greater than or equal to 1.");
}

void refund_create(struct call *call)
{
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct json_object *metadata JSON_CLEANUP = json_new_object();
    if (!check_request(call, metadata) || !find_charge(call, &charge)) {
        return;
    }
    int64_t amount = read_amount(call, &charge);
    if (amount == 0) {
        return;
    }
    refund_begin(&call->context, &charge, amount, param_text(&call->params, "reason"), &refund);
    json_add(refund.json, "metadata", json_object_get(metadata));
    refund_make(&call->context, &charge, &refund);
    if (answers_with_error(&call->context, &charge)) {
        call_refuse(call, &(struct refusal){
                              .status = 500, .type = "api_error", .message = "An unknown error occurred."});
        return;
    }
    call_answer_document(call, &refund);
}

static bool open_refund(struct call *call, struct document *refund)
{
    if (document_open(&call->context, OBJECT_REFUND, call->id, refund)) {
        return true;
    }
    call_refuse_missing(call, "refund", call->id);
    return false;
}

void refund_retrieve(struct call *call)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (open_refund(call, &refund)) {
        call_answer_document(call, &refund);
    }
}

void refund_call_update(struct call *call)
{
    struct document refund DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct refusal refusal;
    if (!open_refund(call, &refund)) {
        return;
    }
    if (!param_metadata(&call->params, json_get(refund.json, "metadata"), &refusal)) {
        call_refuse(call, &refusal);
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
    if (!open_refund(call, &refund)) {
        return;
    }
    call->began = true;
    if (!refund_move(&call->context, &refund, "canceled")) {
        (void)refuse(
            call, NULL, NULL,
            arena_printf(call->context.arena,
                         "A refund can only be canceled while it is requires_action; this one is %s.",
                         json_get_str(refund.json, "status")));
        return;
    }
    call_answer_document(call, &refund);
}

void refund_list(struct call *call)
{
    list_answer(call, OBJECT_REFUND, list_filters_fit, call);
}

void charge_refund_list(struct call *call)
{
    if (object_find(call->context.account, OBJECT_CHARGE, call->id) == NULL) {
        call_refuse_missing(call, "charge", call->id);
        return;
    }
    list_answer_owned(call, OBJECT_REFUND, "charge");
}
