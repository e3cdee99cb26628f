// Charge objects. Pure. See charges.h.
#include "sandbox/charges.h"

#include "base/require.h"
#include "sandbox/methods.h"

static struct json_object *copy(struct json_object *value)
{
    struct json_object *made = NULL;
    if (value != NULL) {
        (void)json_object_deep_copy(value, &made, NULL);
    }
    return made;
}

// NULL: the payer did not authenticate the payment.
static struct json_object *three_d_secure(const struct context *context, const struct document *intent)
{
    if (!json_get_bool(intent->hidden, "authenticated", false)) {
        return NULL;
    }
    char transaction[UUID_TEXT_BYTES];
    struct uuid id; // not uuid_new, whose ids depend on what else this process did
    context->sandbox->random->fill(context->sandbox->random, id.bytes, sizeof(id.bytes));
    uuid_format(&id, transaction);
    struct json_object *json = json_new_object();
    json_add_str(json, "authentication_flow", "challenge");
    json_add_str(json, "electronic_commerce_indicator", "05");
    json_add(json, "exemption_indicator", NULL);
    json_add_str(json, "result", "authenticated");
    json_add(json, "result_reason", NULL);
    json_add_str(json, "transaction_id", transaction);
    json_add_str(json, "version", "2.2.0");
    return json;
}

static struct json_object *card_details(const struct context *context, const struct document *intent,
                                        const struct document *method)
{
    static const char *const same[] = {"brand",       "checks",  "country", "exp_month",       "exp_year",
                                       "fingerprint", "funding", "last4",   "regulated_status"};
    struct json_object *from = json_get(method->json, "card");
    struct json_object *card = json_new_object();
    json_add_i64(card, "amount_authorized", json_get_i64(intent->json, "amount", 0));
    json_add(card, "authorization_code", NULL);
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        json_add(card, same[i], copy(json_get(from, same[i])));
    }
    struct json_object *secure = three_d_secure(context, intent);
    json_add_str(card, "electronic_commerce_indicator",
                 json_get_str(secure, "electronic_commerce_indicator"));
    json_add(card, "installments", NULL);
    json_add(card, "mandate", NULL);
    json_add_str(card, "network", json_get_str(from, "brand"));
    json_add(card, "network_transaction_id", NULL);
    json_add(card, "three_d_secure", secure);
    json_add(card, "transaction_link_id", NULL);
    json_add(card, "wallet", NULL);
    return card_details_json(card);
}

void charge_begin(const struct context *context, const struct document *intent, const struct document *method,
                  struct document *charge)
{
    static const char *const empty[] = {
        "application",
        "application_fee",
        "application_fee_amount",
        "balance_transaction",
        "calculated_statement_descriptor",
        "failure_balance_transaction",
        "failure_code",
        "failure_message",
        "on_behalf_of",
        "outcome",
        "receipt_number",
        "receipt_url",
        "review",
        "shipping",
        "source",
        "source_transfer",
        "statement_descriptor",
        "transfer_data",
        "transfer_group",
    };
    static const char *const same[] = {"customer", "description", "receipt_email",
                                       "statement_descriptor_suffix", "metadata"};
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(context->sandbox->random, context->arena, "ch_3", ID_TAIL_CHARS));
    json_add_str(json, "object", "charge");
    json_add_i64(json, "amount", json_get_i64(intent->json, "amount", 0));
    json_add_i64(json, "amount_captured", 0);
    json_add_i64(json, "amount_refunded", 0);
    json_add(json, "billing_details", billing_details_json());
    json_add_bool(json, "captured", false);
    json_add_i64(json, "created", context_seconds(context));
    json_add_str(json, "currency", json_get_str(intent->json, "currency"));
    json_add_bool(json, "disputed", false);
    json_add(json, "fraud_details", json_new_object());
    json_add_bool(json, "livemode", context->account->livemode);
    json_add_bool(json, "paid", false);
    json_add_str(json, "payment_intent", json_get_str(intent->json, "id"));
    json_add_str(json, "payment_method", json_get_str(method->json, "id"));
    json_add(json, "payment_method_details", card_details(context, intent, method));
    json_add(json, "radar_options", json_new_object());
    json_add_bool(json, "refunded", false);
    json_add_str(json, "status", "pending");
    json_add_nulls(json, empty, COUNT_OF(empty));
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        json_add(json, same[i], copy(json_get(intent->json, same[i])));
    }
    document_begin(context, OBJECT_CHARGE, json, charge);
}

static void add_outcome(struct document *charge, const char *network_status, const char *reason,
                        const char *type, const char *message)
{
    struct json_object *outcome = json_new_object();
    json_add(outcome, "advice_code", NULL);
    json_add(outcome, "network_advice_code", NULL);
    json_add(outcome, "network_decline_code", NULL);
    json_add_str(outcome, "network_status", network_status);
    json_add_str(outcome, "reason", reason);
    json_add_str(outcome, "risk_level", "normal");
    json_add_i64(outcome, "risk_score", 20);
    json_add_str(outcome, "seller_message", message);
    json_add_str(outcome, "type", type);
    json_add(charge->json, "outcome", outcome);
}

void charge_succeed(struct document *charge, bool captured)
{
    json_add_str(charge->json, "status", "succeeded");
    json_add_bool(charge->json, "paid", true);
    add_outcome(charge, "approved_by_network", NULL, "authorized", "Payment complete.");
    if (captured) {
        charge_capture(charge, json_get_i64(charge->json, "amount", 0));
    }
}

void charge_fail(struct document *charge, const struct decline *decline)
{
    const char *reason = decline->decline_code == NULL ? decline->code : decline->decline_code;
    json_add_str(charge->json, "status", "failed");
    json_add_bool(charge->json, "paid", false);
    json_add_str(charge->json, "failure_code", decline->code);
    json_add_str(charge->json, "failure_message", decline->message);
    add_outcome(charge, "declined_by_network", reason, "issuer_declined",
                "The bank did not accept this payment.");
}

void charge_capture(struct document *charge, int64_t amount)
{
    json_add_bool(charge->json, "captured", true);
    json_add_i64(charge->json, "amount_captured", amount);
}

int64_t charge_unrefunded(const struct document *charge)
{
    return json_get_i64(charge->json, "amount", 0) - json_get_i64(charge->json, "amount_refunded", 0);
}

void charge_refund(struct document *charge, int64_t amount)
{
    json_add_i64(charge->json, "amount_refunded", json_get_i64(charge->json, "amount_refunded", 0) + amount);
    json_add_bool(charge->json, "refunded", charge_unrefunded(charge) == 0);
}
