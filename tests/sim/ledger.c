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

// The sums for one id: a payment's charges or an intent's refunds.
struct ledger_entry {
    struct table_node node;
    struct json_object *charge;
    int charges;
    int64_t refunded_minor;
};

static struct json_object *all_charges;
static struct table by_payment;
static struct table by_intent;

static struct ledger_entry *find(const struct table *table, const char *id)
{
    struct table_node *node = id != NULL ? table_find(table, id, strlen(id)) : NULL;
    return node != NULL ? CONTAINER_OF(node, struct ledger_entry, node) : NULL;
}

static struct ledger_entry *find_or_add(struct table *table, const char *id)
{
    struct ledger_entry *entry = find(table, id);
    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        REQUIRE(entry != NULL);
        table_insert(table, &entry->node, id, strlen(id));
    }
    return entry;
}

static void add_charge(struct json_object *charge, const char *payment_id)
{
    if (payment_id != NULL) {
        struct ledger_entry *entry = find_or_add(&by_payment, payment_id);
        entry->charge = charge;
        entry->charges++;
    }
}

static void add_refund(struct json_object *refund)
{
    const char *intent_id = json_get_str(refund, "payment_intent");
    bool moved = json_get(refund, "balance_transaction") != NULL;
    if (moved && intent_id != NULL && text_equal(json_get_str(refund, "status"), "succeeded")) {
        find_or_add(&by_intent, intent_id)->refunded_minor += json_get_i64(refund, "amount", 0);
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
    const struct ledger_entry *entry = find(&by_payment, payment_id);
    *charge = entry != NULL ? entry->charge : NULL;
    return entry != NULL ? entry->charges : 0;
}

int64_t ledger_refunded_minor(const char *intent_id)
{
    const struct ledger_entry *entry = find(&by_intent, intent_id);
    return entry != NULL ? entry->refunded_minor : 0;
}
