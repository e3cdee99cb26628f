// See card_promises.h. The service's rows against the sandbox's objects, and against what the payers did.
#include "card_promises.h"

#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "fake_stripe.h"
#include "rows.h"
#include "saved_cards.h"
#include "service.h"
#include "world.h"

struct row {
    char id[UUID_TEXT_BYTES];
    int merchant;
    const char *status;
    const char *setup_ref;
    const char *method_ref;
    const char *last4;
    const char *customer_ref;
    int64_t told_saved;
    int64_t told_failed;
    bool is_detached; // failed, for Stripe gave its method up
};

// Each merchant's at the sandbox.
static struct json_object *setups[SERVICE_MERCHANTS];
static struct json_object *customers[SERVICE_MERCHANTS];

static struct json_object *read_list(int merchant, const char *path)
{
    struct json_object *list JSON_CLEANUP = fake_stripe_get(merchant, path, "limit=100");
    REQUIRE(!json_get_bool(list, "has_more", true));
    return json_object_get(json_get(list, "data"));
}

static void read_sandbox(void)
{
    for (int i = 0; i < SERVICE_MERCHANTS; i++) {
        json_object_put(setups[i]);
        json_object_put(customers[i]);
        setups[i] = read_list(i, "/v1/setup_intents");
        customers[i] = read_list(i, "/v1/customers");
    }
}

static bool waits(struct json_object *setup)
{
    const char *status = json_get_str(setup, "status");
    return text_equal(status, "requires_action") || text_equal(status, "processing");
}

static bool succeeded(struct json_object *setup)
{
    return text_equal(json_get_str(setup, "status"), "succeeded");
}

static struct json_object *find_setup(const struct row *row)
{
    for (size_t i = 0; row->setup_ref != NULL && i < json_object_array_length(setups[row->merchant]); i++) {
        struct json_object *setup = json_object_array_get_idx(setups[row->merchant], i);
        if (text_equal(json_get_str(setup, "id"), row->setup_ref)) {
            return setup;
        }
    }
    return NULL;
}

// --- a card's row

// It is attached as long as it may be charged.
static void check_method(const struct row *row, const char *method_ref)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct json_object *method JSON_CLEANUP =
        fake_stripe_get(row->merchant, arena_printf(&arena, "/v1/payment_methods/%s", method_ref), "");
    const char *customer = json_get_str(method, "customer");
    bool active = text_equal(row->status, "active");
    // Stripe's events that are refused while the clock is far off come again for longer than a run.
    bool untold = active && customer == NULL && world.dashboard && world.clock_was_far;
    if (!untold && !text_equal(customer, active ? row->customer_ref : NULL)) {
        violation("card %s is %s, and its method is of customer %s", row->id, row->status,
                  customer != NULL ? customer : "none");
    }
    if (active && !text_equal(json_get_str(json_get(method, "card"), "last4"), row->last4)) {
        violation("card %s ends in %s here only", row->id, row->last4);
    }
}

static void check_setup(const struct row *row, struct json_object *setup)
{
    bool right = text_equal(row->status, "active")    ? succeeded(setup)
                 : text_equal(row->status, "pending") ? waits(setup)
                 : text_equal(row->status, "failed")
                     ? !waits(setup) && (!succeeded(setup) || row->is_detached)
                     : !waits(setup);
    if (!right) {
        violation("card %s is %s, and its set-up %s", row->id, row->status, json_get_str(setup, "status"));
    }
}

// What was refused at once, or attached, was told by the answer.
static void check_told(const struct row *row)
{
    bool active = text_equal(row->status, "active");
    bool failed = text_equal(row->status, "failed");
    bool gone = text_equal(row->status, "gone");
    int64_t least_saved = active && row->setup_ref != NULL;
    int64_t most_saved = row->setup_ref != NULL && (active || gone);
    int64_t most_failed = failed || (gone && row->told_saved == 0 && row->setup_ref != NULL);
    if (row->told_saved < least_saved || row->told_saved > most_saved || row->told_failed < failed ||
        row->told_failed > most_failed) {
        violation("card %s is %s, and was told as saved %lld times, as failed %lld times", row->id,
                  row->status, (long long)row->told_saved, (long long)row->told_failed);
    }
}

static int merchant_of(sqlite3_stmt *rows, int column)
{
    char id[UUID_TEXT_BYTES];
    int merchant = 0;
    rows_id(rows, column, id);
    while (!text_equal(service.merchants[merchant].id, id)) {
        merchant++;
        REQUIRE(merchant < SERVICE_MERCHANTS);
    }
    return merchant;
}

#define CARD_ROWS                                                                                            \
    "SELECT c.id, c.merchant_id, c.status, c.setup_ref, c.provider_ref, c.last4, u.provider_ref,"            \
    " (SELECT count(*) FROM outbox o WHERE o.transaction_id = c.id AND o.type = 'card.saved'),"              \
    " (SELECT count(*) FROM outbox o WHERE o.transaction_id = c.id AND o.type = 'card.failed'),"             \
    " c.failure_code IS 'detached'"                                                                          \
    " FROM cards c JOIN customers u ON u.id = c.customer_id"

static struct row read_row(sqlite3_stmt *rows)
{
    struct row row = {
        .merchant = merchant_of(rows, 1),
        .status = rows_text(rows, 2),
        .setup_ref = rows_text(rows, 3),
        .method_ref = rows_text(rows, 4),
        .last4 = rows_text(rows, 5),
        .customer_ref = rows_text(rows, 6),
        .told_saved = sqlite3_column_int64(rows, 7),
        .told_failed = sqlite3_column_int64(rows, 8),
        .is_detached = sqlite3_column_int(rows, 9) != 0,
    };
    rows_id(rows, 0, row.id);
    return row;
}

// A set-up that nobody here waits for must not wait for a payer.
static void check_setups_of(const struct row *row)
{
    int done = 0;
    for (size_t i = 0; i < json_object_array_length(setups[row->merchant]); i++) {
        struct json_object *setup = json_object_array_get_idx(setups[row->merchant], i);
        const char *id = json_get_str(setup, "id");
        if (!text_equal(json_get_str(json_get(setup, "metadata"), "card_id"), row->id)) {
            continue;
        }
        // One for a customer who was deleted since is lost with him: the card was set up for another.
        done += succeeded(setup) && text_equal(json_get_str(setup, "customer"), row->customer_ref);
        bool awaited = text_equal(row->status, "pending") && text_equal(row->setup_ref, id);
        if (waits(setup) && !awaited) {
            violation("card %s is %s, and %s waits for its payer", row->id, row->status, id);
        }
    }
    if (done > 1) {
        violation("card %s was set up %d times", row->id, done);
    }
}

static void check_rows(bool late)
{
    ROWS rows = rows_of(CARD_ROWS);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct row row = read_row(rows);
        struct json_object *setup = find_setup(&row);
        if (late && text_equal(row.status, "pending")) {
            violation("card %s waits for its payer for ever", row.id);
        }
        if (setup != NULL) {
            check_setup(&row, setup);
        }
        const char *method_ref = row.method_ref == NULL && succeeded(setup)
                                     ? json_get_str(setup, "payment_method")
                                     : row.method_ref;
        if (method_ref != NULL) {
            check_method(&row, method_ref);
        }
        check_setups_of(&row);
        check_told(&row);
    }
}

// --- customers

static void check_customers(int merchant)
{
    for (size_t i = 0; i < json_object_array_length(customers[merchant]); i++) {
        struct json_object *customer = json_object_array_get_idx(customers[merchant], i);
        const char *id = json_get_str(json_get(customer, "metadata"), "customer_id");
        for (size_t j = 0; j < i; j++) {
            struct json_object *other = json_object_array_get_idx(customers[merchant], j);
            if (text_equal(id, json_get_str(json_get(other, "metadata"), "customer_id"))) {
                violation("customer %s was made twice", id);
            }
        }
    }
}

// --- what the payers did, and what was charged

static const char *text_of(const char *table, const char *column, const char *id, struct arena *arena)
{
    struct uuid uuid;
    char hex[2 * sizeof(uuid.bytes) + 1];
    REQUIRE(uuid_parse(id, &uuid));
    text_hex(uuid.bytes, sizeof(uuid.bytes), hex);
    ROWS rows = rows_of(arena_printf(arena, "SELECT %s FROM %s WHERE id = x'%s'", column, table, hex));
    REQUIRE(sqlite3_step(rows) == SQLITE_ROW);
    const char *text = rows_text(rows, 0);
    return text != NULL ? arena_strdup(arena, text) : "";
}

static void check_card(const struct saved_card *card)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *status = text_of("cards", "status", card->id, &arena);
    bool gone = text_equal(status, "gone");
    bool asked = card->was_pending && card->kind->challenge != CHALLENGE_NEVER;
    if (card->deleted_us != 0 && !gone) {
        violation("card %s was deleted, and is %s", card->id, status);
    }
    bool passed = card->authenticated_us != 0;
    bool may_be_gone = card->deletion_sent || saved_card_lost_customer(card);
    if (!may_be_gone && (gone || (asked && text_equal(status, "active") != passed))) {
        violation("card %s is %s, and its payer %s", card->id, status, passed ? "authenticated" : "did not");
    }
    if (card->fetched && !text_equal(card->shown_status, gone ? "" : status)) {
        violation("card %s is %s, and shown as '%s'", card->id, status, card->shown_status);
    }
}

// Off the session: what the card's bank must have said to it. 1: yes, 0: no, -1: either.
static int must_be_paid(const struct saved_card_charge *charge)
{
    const struct saved_card *card = charge->card;
    if (card->kind->declines || card->kind->challenge == CHALLENGE_ALWAYS) {
        return 0;
    }
    if (card->kind->challenge != CHALLENGE_UNTIL_SET_UP) {
        return 1;
    }
    bool before = card->authenticated_us != 0 && card->authenticated_us < charge->placed_us;
    return before ? 1 : card->authenticated_us == 0 ? 0 : -1;
}

#define CHARGE_IS_OPEN "EXISTS (SELECT 1 FROM operations WHERE subject_id = payments.id AND kind = 'charge')"

static void check_charge(const struct saved_card_charge *charge)
{
    struct json_object *body JSON_CLEANUP = NULL;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *answer = charge->request->answer;
    if (answer == NULL || !charge->off_session) {
        return;
    }
    REQUIRE(json_parse(answer, strlen(answer), &body, NULL) == OK);
    const char *id = json_get_str(json_get(body, "data"), "id");
    const char *status = text_of("payments", "status", id, &arena);
    const char *code = text_of("payments", "failure_code", id, &arena);
    bool paid = text_equal(status, "completed") || text_equal(status, "refunded");
    bool open = text_equal(text_of("payments", CHARGE_IS_OPEN, id, &arena), "1");
    if (open || text_equal(code, "provider_unavailable")) {
        return; // a clock that was ahead made it, or it could not be sent in time
    }
    int must = must_be_paid(charge);
    bool forgotten = saved_card_lost_customer(charge->card);
    must = forgotten && must == 1 ? -1 : must;
    bool asks = !forgotten && !charge->card->kind->declines && must == 0;
    if ((must >= 0 && paid != must) || (asks && !text_equal(code, "authentication_required"))) {
        violation("payment %s of a %s is %s %s", id, charge->card->kind->method, status, code);
    }
}

void card_promises_check(bool late)
{
    read_sandbox();
    check_rows(late);
    for (int i = 0; i < SERVICE_MERCHANTS; i++) {
        check_customers(i);
    }
    rows_none(
        "an e-mail has more than one customer",
        "SELECT email FROM customers WHERE gone_us = 0 GROUP BY merchant_id, email HAVING count(*) > 1");
    saved_cards_each(check_card);
    saved_cards_each_charge(check_charge);
}
