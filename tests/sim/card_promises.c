// See card_promises.h. Compares the service's rows with the sandbox's objects and with what the payers did.
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

struct card_row {
    char id[UUID_TEXT_BYTES];
    int merchant;
    const char *status;
    const char *setup_ref;
    const char *method_ref;
    const char *last4;
    const char *customer_ref;
    int64_t saved_events;
    int64_t failed_events;
    bool is_detached; // failed because Stripe detached its method
};

// Each merchant's objects at the sandbox.
static struct json_object *setups[SERVICE_MERCHANTS];
static struct json_object *customers[SERVICE_MERCHANTS];

static struct json_object *fetch_list(int merchant, const char *path)
{
    struct json_object *list JSON_CLEANUP = fake_stripe_get(merchant, path, "limit=100");
    REQUIRE(!json_get_bool(list, "has_more", true));
    return json_object_get(json_get(list, "data"));
}

static void fetch_sandbox(void)
{
    for (int i = 0; i < SERVICE_MERCHANTS; i++) {
        json_object_put(setups[i]);
        json_object_put(customers[i]);
        setups[i] = fetch_list(i, "/v1/setup_intents");
        customers[i] = fetch_list(i, "/v1/customers");
    }
}

static bool setup_waits(struct json_object *setup)
{
    const char *status = json_get_str(setup, "status");
    return text_equal(status, "requires_action") || text_equal(status, "processing");
}

static bool setup_succeeded(struct json_object *setup)
{
    return text_equal(json_get_str(setup, "status"), "succeeded");
}

static struct json_object *find_setup(const struct card_row *row)
{
    for (size_t i = 0; row->setup_ref != NULL && i < json_object_array_length(setups[row->merchant]); i++) {
        struct json_object *setup = json_object_array_get_idx(setups[row->merchant], i);
        if (text_equal(json_get_str(setup, "id"), row->setup_ref)) {
            return setup;
        }
    }
    return NULL;
}

// --- rows of cards

// A payment method is attached exactly while the card may be charged.
static void check_method(const struct card_row *row, const char *method_ref)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct json_object *method JSON_CLEANUP =
        fake_stripe_get(row->merchant, arena_printf(&arena, "/v1/payment_methods/%s", method_ref), "");
    const char *customer = json_get_str(method, "customer");
    bool active = text_equal(row->status, "active");
    // Events that the service refuses while its clock is far off may not be repeated before the run ends.
    bool event_refused = active && customer == NULL && world.dashboard && world.clock_was_far;
    if (!event_refused && !text_equal(customer, active ? row->customer_ref : NULL)) {
        violation("card %s is %s, and its method is of customer %s", row->id, row->status,
                  customer != NULL ? customer : "none");
    }
    if (active && !text_equal(json_get_str(json_get(method, "card"), "last4"), row->last4)) {
        violation("card %s ends in %s here, and not at Stripe", row->id, row->last4);
    }
}

static void check_setup(const struct card_row *row, struct json_object *setup)
{
    bool consistent = text_equal(row->status, "active")    ? setup_succeeded(setup)
                      : text_equal(row->status, "pending") ? setup_waits(setup)
                      : text_equal(row->status, "failed")
                          ? !setup_waits(setup) && (!setup_succeeded(setup) || row->is_detached)
                          : !setup_waits(setup);
    if (!consistent) {
        violation("card %s is %s, and its set-up %s", row->id, row->status, json_get_str(setup, "status"));
    }
}

// A card that was saved without a set-up has no event, because the answer already said so.
static void check_events(const struct card_row *row)
{
    bool active = text_equal(row->status, "active");
    bool failed = text_equal(row->status, "failed");
    bool gone = text_equal(row->status, "gone");
    int64_t saved_min = active && row->setup_ref != NULL;
    int64_t saved_max = row->setup_ref != NULL && (active || gone);
    int64_t failed_max = failed || (gone && row->saved_events == 0 && row->setup_ref != NULL);
    if (row->saved_events < saved_min || row->saved_events > saved_max || row->failed_events < failed ||
        row->failed_events > failed_max) {
        violation("card %s is %s, with %lld events that it was saved and %lld that it failed", row->id,
                  row->status, (long long)row->saved_events, (long long)row->failed_events);
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

static struct card_row read_row(sqlite3_stmt *rows)
{
    struct card_row row = {
        .merchant = merchant_of(rows, 1),
        .status = rows_text(rows, 2),
        .setup_ref = rows_text(rows, 3),
        .method_ref = rows_text(rows, 4),
        .last4 = rows_text(rows, 5),
        .customer_ref = rows_text(rows, 6),
        .saved_events = sqlite3_column_int64(rows, 7),
        .failed_events = sqlite3_column_int64(rows, 8),
        .is_detached = sqlite3_column_int(rows, 9) != 0,
    };
    rows_id(rows, 0, row.id);
    return row;
}

static bool customer_exists(int merchant, const char *customer_ref)
{
    for (size_t i = 0; i < json_object_array_length(customers[merchant]); i++) {
        struct json_object *customer = json_object_array_get_idx(customers[merchant], i);
        if (text_equal(json_get_str(customer, "id"), customer_ref)) {
            return true;
        }
    }
    return false;
}

// If the answer to a set-up is lost and its customer is deleted at Stripe, the card is set up for a new
// customer. The service never learns the first set-up, and no payer was sent to it. It is of no use: Stripe
// refuses a set-up whose customer is deleted.
static bool is_of_no_use(const struct card_row *row, struct json_object *setup)
{
    return !text_equal(json_get_str(setup, "id"), row->setup_ref) &&
           !customer_exists(row->merchant, json_get_str(setup, "customer"));
}

// Only the set-up of a pending card may wait for a payer.
static void check_all_setups(const struct card_row *row)
{
    int done = 0;
    for (size_t i = 0; i < json_object_array_length(setups[row->merchant]); i++) {
        struct json_object *setup = json_object_array_get_idx(setups[row->merchant], i);
        const char *id = json_get_str(setup, "id");
        if (!text_equal(json_get_str(json_get(setup, "metadata"), "card_id"), row->id)) {
            continue;
        }
        // A set-up for a customer that was deleted since does not count: the card was set up again for a new
        // one.
        done += setup_succeeded(setup) && text_equal(json_get_str(setup, "customer"), row->customer_ref);
        bool awaited = text_equal(row->status, "pending") && text_equal(row->setup_ref, id);
        if (setup_waits(setup) && !awaited && !is_of_no_use(row, setup)) {
            violation("card %s is %s, and %s waits for its payer", row->id, row->status, id);
        }
    }
    if (done > 1) {
        violation("card %s was set up %d times", row->id, done);
    }
}

static void check_rows(bool all_expired)
{
    ROWS rows = rows_query(CARD_ROWS);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct card_row row = read_row(rows);
        struct json_object *setup = find_setup(&row);
        if (all_expired && text_equal(row.status, "pending")) {
            violation("card %s is still pending", row.id);
        }
        if (setup != NULL) {
            check_setup(&row, setup);
        }
        const char *method_ref = row.method_ref == NULL && setup_succeeded(setup)
                                     ? json_get_str(setup, "payment_method")
                                     : row.method_ref;
        if (method_ref != NULL) {
            check_method(&row, method_ref);
        }
        check_all_setups(&row);
        check_events(&row);
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
                violation("customer %s was created twice", id);
            }
        }
    }
}

// --- payers and charges

static const char *read_text(const char *sql, const char *id, struct arena *arena)
{
    ROWS rows = rows_of_id(sql, id);
    REQUIRE(sqlite3_step(rows) == SQLITE_ROW);
    const char *text = rows_text(rows, 0);
    return text != NULL ? arena_strdup(arena, text) : "";
}

static void check_card(const struct saved_card *card)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *status = read_text("SELECT status FROM cards WHERE id = ?", card->id, &arena);
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

// Whether a charge off session must have been paid. 1: yes, 0: no, -1: either is correct.
static int expect_paid(const struct saved_card_charge *charge)
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

static bool has_open_charge(const char *payment_id)
{
    ROWS row = rows_of_id("SELECT 1 FROM operations WHERE subject_id = ? AND kind = 'charge'", payment_id);
    return sqlite3_step(row) == SQLITE_ROW;
}

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
    const char *status = read_text("SELECT status FROM payments WHERE id = ?", id, &arena);
    const char *code = read_text("SELECT failure_code FROM payments WHERE id = ?", id, &arena);
    bool paid = text_equal(status, "completed") || text_equal(status, "refunded");
    bool open = has_open_charge(id);
    if (open || text_equal(code, "provider_unavailable")) {
        return; // it was created by a clock that was ahead, or it could not be sent in time
    }
    int expected = expect_paid(charge);
    bool customer_deleted = saved_card_lost_customer(charge->card);
    expected = customer_deleted && expected == 1 ? -1 : expected;
    bool challenged = !customer_deleted && !charge->card->kind->declines && expected == 0;
    if ((expected >= 0 && paid != expected) || (challenged && !text_equal(code, "authentication_required"))) {
        violation("payment %s by %s is %s %s", id, charge->card->kind->method, status, code);
    }
}

void card_promises_check(bool all_expired)
{
    fetch_sandbox();
    check_rows(all_expired);
    for (int i = 0; i < SERVICE_MERCHANTS; i++) {
        check_customers(i);
    }
    rows_expect_none(
        "an e-mail has more than one customer",
        "SELECT email FROM customers WHERE gone_us = 0 GROUP BY merchant_id, email HAVING count(*) > 1");
    saved_cards_each(check_card);
    saved_cards_each_charge(check_charge);
}
