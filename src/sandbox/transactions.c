// Balance transactions. Pure. See transactions.h.
// Invariant: the amounts of an account add up to what it captured, less what is refunded, less what was
// disputed and not won.
#include "sandbox/transactions.h"

#include "base/text.h"
#include "sandbox/methods.h"

#define PENDING_S (INT64_C(2) * 24 * 3600)
// 2.9 % and 30 of the smallest unit, as for cards in the United States.
#define FEE_PER_MILLE 29
#define FEE_FIXED 30
#define DISPUTE_FEE 1500

struct transaction {
    const char *type;
    const char *reporting_category;
    const char *description; // NULL: none
    const char *source;
    const char *currency;
    int64_t amount; // negative: taken from the account
    int64_t fee;
    const char *fee_description;
    bool available; // at once
};

static struct json_object *fee_details(const struct transaction *transaction)
{
    struct json_object *details = json_object_new_array();
    if (transaction->fee != 0) {
        struct json_object *fee = json_new_object();
        json_add_i64(fee, "amount", transaction->fee);
        json_add(fee, "application", NULL);
        json_add_str(fee, "currency", transaction->currency);
        json_add_str(fee, "description", transaction->fee_description);
        json_add_str(fee, "type", "stripe_fee");
        json_object_array_add(details, fee);
    }
    return details;
}

// Adds the transaction. The caller releases.
static struct json_object *add(const struct context *context, const struct transaction *transaction)
{
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(context->sandbox->random, context->arena, "txn_3", ID_TAIL_CHARS));
    json_add_str(json, "object", "balance_transaction");
    json_add_i64(json, "amount", transaction->amount);
    json_add_i64(json, "available_on", context_seconds(context) + (transaction->available ? 0 : PENDING_S));
    json_add_str(json, "balance_type", "payments");
    json_add_i64(json, "created", context_seconds(context));
    json_add_str(json, "currency", transaction->currency);
    json_add_str(json, "description", transaction->description);
    json_add(json, "exchange_rate", NULL);
    json_add_i64(json, "fee", transaction->fee);
    json_add(json, "fee_details", fee_details(transaction));
    json_add_i64(json, "net", transaction->amount - transaction->fee);
    json_add_str(json, "reporting_category", transaction->reporting_category);
    json_add_str(json, "source", transaction->source);
    json_add_str(json, "status", transaction->available ? "available" : "pending");
    json_add_str(json, "type", transaction->type);
    struct document saved DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    document_begin(context, OBJECT_TRANSACTION, json, &saved);
    document_save(&saved);
    return json_object_get(json);
}

// Adds the transaction, and names it in the member of the document.
static void add_to(const struct context *context, struct document *document, const char *member,
                   const struct transaction *transaction)
{
    struct json_object *json JSON_CLEANUP = add(context, transaction);
    json_add_str(document->json, member, json_get_str(json, "id"));
}

void transaction_for_charge(const struct context *context, struct document *charge,
                            const struct document *method)
{
    int64_t amount = json_get_i64(charge->json, "amount_captured", 0);
    add_to(context, charge, "balance_transaction",
           &(struct transaction){
               .type = "charge",
               .reporting_category = "charge",
               .description = json_get_str(charge->json, "description"),
               .source = json_get_str(charge->json, "id"),
               .currency = json_get_str(charge->json, "currency"),
               .amount = amount,
               .fee = (amount * FEE_PER_MILLE + 500) / 1000 + FEE_FIXED,
               .fee_description = "Stripe processing fees",
               .available = text_equal(method_behaviour(method)->id, "pm_card_bypassPending"),
           });
}

void transaction_for_refund(const struct context *context, const struct document *charge,
                            struct document *refund)
{
    const char *description = json_get_str(charge->json, "description");
    add_to(context, refund, "balance_transaction",
           &(struct transaction){
               .type = "refund",
               .reporting_category = "refund",
               .description = description == NULL
                                  ? "REFUND FOR CHARGE"
                                  : arena_printf(context->arena, "REFUND FOR CHARGE (%s)", description),
               .source = json_get_str(refund->json, "id"),
               .currency = json_get_str(refund->json, "currency"),
               .amount = -json_get_i64(refund->json, "amount", 0),
           });
}

void transaction_for_refund_back(const struct context *context, struct document *refund)
{
    add_to(context, refund, "failure_balance_transaction",
           &(struct transaction){
               .type = "refund_failure",
               .reporting_category = "refund_failure",
               .description = "REFUND FAILURE",
               .source = json_get_str(refund->json, "id"),
               .currency = json_get_str(refund->json, "currency"),
               .amount = json_get_i64(refund->json, "amount", 0),
           });
}

void transaction_for_dispute(const struct context *context, struct document *dispute, bool won)
{
    int64_t amount = json_get_i64(dispute->json, "amount", 0);
    json_object_array_add(json_get(dispute->json, "balance_transactions"),
                          add(context, &(struct transaction){
                                           .type = "adjustment",
                                           .reporting_category = won ? "dispute_reversal" : "dispute",
                                           .description = arena_printf(context->arena, "Chargeback %s for %s",
                                                                       won ? "reversal" : "withdrawal",
                                                                       json_get_str(dispute->json, "charge")),
                                           .source = json_get_str(dispute->json, "id"),
                                           .currency = json_get_str(dispute->json, "currency"),
                                           .amount = won ? amount : -amount,
                                           .fee = won ? 0 : DISPUTE_FEE,
                                           .fee_description = "Dispute fee",
                                       }));
}
