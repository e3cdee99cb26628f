// See ledger.h.
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/list.h"
#include "base/require.h"
#include "base/table.h"
#include "base/text.h"
#include "fake_stripe.h"

// What is written under one id: a payment's charges, or an intent's refunds.
struct account {
    struct table_node node;
    struct json_object *charge;
    int charges;
    int64_t refunded_minor;
};

static struct json_object *all_charges;
static struct table by_payment;
static struct table by_intent;

static struct account *find(const struct table *table, const char *id)
{
    struct table_node *node = id != NULL ? table_find(table, id, strlen(id)) : NULL;
    return node != NULL ? CONTAINER_OF(node, struct account, node) : NULL;
}

static struct account *find_or_make(struct table *table, const char *id)
{
    struct account *account = find(table, id);
    if (account == NULL) {
        account = calloc(1, sizeof(*account));
        REQUIRE(account != NULL);
        table_insert(table, &account->node, id, strlen(id));
    }
    return account;
}

static void add_charge(struct json_object *charge, const char *payment_id)
{
    if (payment_id != NULL) {
        struct account *account = find_or_make(&by_payment, payment_id);
        account->charge = charge;
        account->charges++;
    }
}

static void add_refund(struct json_object *refund)
{
    const char *intent_id = json_get_str(refund, "payment_intent");
    bool moved = json_get(refund, "balance_transaction") != NULL;
    if (moved && intent_id != NULL && text_equal(json_get_str(refund, "status"), "succeeded")) {
        find_or_make(&by_intent, intent_id)->refunded_minor += json_get_i64(refund, "amount", 0);
    }
}

void ledger_read(void)
{
    struct json_object *ledger = fake_stripe_ledger();
    by_payment = (struct table){0};
    by_intent = (struct table){0};
    all_charges = json_get(ledger, "charges");
    ledger_each_captured(add_charge);
    struct json_object *refunds = json_get(ledger, "refunds");
    for (size_t i = 0; i < json_object_array_length(refunds); i++) {
        add_refund(json_object_array_get_idx(refunds, i));
    }
}

void ledger_each_captured(void (*visit)(struct json_object *charge, const char *payment_id))
{
    for (size_t i = 0; i < json_object_array_length(all_charges); i++) {
        struct json_object *charge = json_object_array_get_idx(all_charges, i);
        if (text_equal(json_get_str(charge, "status"), "succeeded") &&
            json_get_bool(charge, "captured", false)) {
            visit(charge, json_get_str(json_get(charge, "metadata"), "payment_id"));
        }
    }
}

int ledger_captured(const char *payment_id, struct json_object **charge)
{
    const struct account *account = find(&by_payment, payment_id);
    *charge = account != NULL ? account->charge : NULL;
    return account != NULL ? account->charges : 0;
}

int64_t ledger_refunded_minor(const char *intent_id)
{
    const struct account *account = find(&by_intent, intent_id);
    return account != NULL ? account->refunded_minor : 0;
}
