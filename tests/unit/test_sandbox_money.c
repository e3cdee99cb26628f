// The sandbox's ledger, in this process: it adds up after any payments, refunds and disputes, at any time.
#include "sandbox_world.h"

#include <stdio.h>

#include "base/text.h"

#define AMOUNT 1000
#define ROUNDS 3000
#define CHECK_EVERY 50

static struct json_object *parse(const char *text)
{
    struct json_object *json = NULL;
    assert_non_null(text);
    assert_int_equal(json_parse_bounded(text, strlen(text), 1000000, &json, NULL), OK);
    return json;
}

// The sandbox's answer, parsed. The caller releases.
static struct json_object *ask(struct world *world, int64_t now_us, const char *method, const char *path,
                               const char *form)
{
    return parse(world_ask(world, now_us, method, path, form, NULL));
}

static struct json_object *post(struct world *world, int64_t now_us, const char *path, const char *form)
{
    return ask(world, now_us, "POST", path, form);
}

static const char *path_of(struct world *world, const char *form, const char *id)
{
    const char *hole = strstr(form, "ID");
    return arena_printf(&world->arena, "%.*s%s%s", (int)(hole - form), form, id, hole + strlen("ID"));
}

// Charges 10 USD to the method. extra: more parameters.
static struct json_object *charge(struct world *world, int64_t now_us, const char *method, const char *extra)
{
    return post(world, now_us, "/v1/payment_intents",
                arena_printf(&world->arena,
                             "amount=%d&currency=usd&confirm=true&return_url=https://shop.example/"
                             "&payment_method=%s%s",
                             AMOUNT, method, extra));
}

// Runs the jobs that are due by then.
static void pass_time(struct world *world, int64_t now_us)
{
    struct sandbox_delivery delivery;
    while (sandbox_next_delivery(world->sandbox, now_us, &world->arena, &delivery)) {
        sandbox_delivery_done(world->sandbox, now_us, delivery.account_id, delivery.job_id, true);
    }
}

static const char *status_of(struct world *world, const char *path)
{
    struct json_object *json JSON_CLEANUP = ask(world, START_US, "GET", path, "");
    return arena_strdup(&world->arena, json_get_str(json, "status"));
}

static void a_pending_refund_succeeds_two_seconds_later_and_no_sooner(void **state)
{
    struct world *world = *state;
    struct json_object *intent JSON_CLEANUP = charge(world, START_US, "pm_card_pendingRefund", "");
    struct json_object *refund JSON_CLEANUP =
        post(world, START_US, "/v1/refunds", path_of(world, "payment_intent=ID", json_get_str(intent, "id")));
    const char *path = path_of(world, "/v1/refunds/ID", json_get_str(refund, "id"));
    pass_time(world, START_US + 2 * US_PER_S - 1);
    assert_string_equal(status_of(world, path), "pending");
    pass_time(world, START_US + 2 * US_PER_S);
    assert_string_equal(status_of(world, path), "succeeded");
    assert_int_equal(sandbox_next_due_us(world->sandbox), INT64_MAX);
}

static size_t count_disputes(struct world *world)
{
    struct json_object *page JSON_CLEANUP = ask(world, START_US, "GET", "/v1/disputes", "");
    return json_object_array_length(json_get(page, "data"));
}

static void a_dispute_comes_one_second_after_the_charge_and_no_sooner(void **state)
{
    struct world *world = *state;
    struct json_object *intent JSON_CLEANUP = charge(world, START_US, "pm_card_createDispute", "");
    pass_time(world, START_US + US_PER_S - 1);
    assert_int_equal(count_disputes(world), 0);
    pass_time(world, START_US + US_PER_S);
    assert_int_equal(count_disputes(world), 1);
}

static struct json_object *random_of(struct world *world, struct json_object *array)
{
    size_t count = json_object_array_length(array);
    return count == 0 ? NULL : json_object_array_get_idx(array, world_dice(world, (unsigned)count));
}

static void charge_somehow(struct world *world, int64_t now_us)
{
    static const char *const methods[] = {
        "pm_card_visa",           "pm_card_pendingRefund",           "pm_card_refundFail",
        "pm_card_createDispute",  "pm_sandbox_refundRequiresAction", "pm_card_declined",
        "pm_sandbox_serverError", "pm_sandbox_refundServerError",    "pm_sandbox_processing",
    };
    const char *extra = world_dice(world, 2) == 0 ? "" : "&capture_method=manual";
    struct json_object *answer JSON_CLEANUP =
        charge(world, now_us, methods[world_dice(world, COUNT_OF(methods))], extra);
}

static void payment_apply_reported(struct world *world, int64_t now_us, const char *intent_id)
{
    bool captures = world_dice(world, 2) == 0;
    const char *path = path_of(
        world, captures ? "/v1/payment_intents/ID/capture" : "/v1/payment_intents/ID/cancel", intent_id);
    const char *form =
        captures ? arena_printf(&world->arena, "amount_to_capture=%u", world_dice(world, AMOUNT + 2)) : "";
    struct json_object *answer JSON_CLEANUP = post(world, now_us, path, form);
}

static void refund_somehow(struct world *world, int64_t now_us, const char *intent_id)
{
    const char *form = path_of(world, "payment_intent=ID", intent_id);
    if (world_dice(world, 4) != 0) {
        form = arena_printf(&world->arena, "%s&amount=%u", form, world_dice(world, AMOUNT));
    }
    struct json_object *answer JSON_CLEANUP = post(world, now_us, "/v1/refunds", form);
}

static void change_refund(struct world *world, int64_t now_us, const char *refund_id)
{
    static const char *const wanted[] = {"{\"status\":\"failed\"}", "{\"status\":\"succeeded\"}",
                                         "{\"status\":\"canceled\"}"};
    struct json_object *answer JSON_CLEANUP = NULL;
    if (world_dice(world, 2) == 0) {
        answer = post(world, now_us, path_of(world, "/v1/refunds/ID/cancel", refund_id), "");
    } else {
        answer = post(world, now_us, path_of(world, "/_sandbox/refunds/ID", refund_id),
                      wanted[world_dice(world, COUNT_OF(wanted))]);
    }
}

// The sum of the charge's refunds that neither failed nor were canceled.
static int64_t sum_of_refunds(struct json_object *refunds, const char *charge_id)
{
    int64_t sum = 0;
    for (size_t i = 0; i < json_object_array_length(refunds); i++) {
        struct json_object *refund = json_object_array_get_idx(refunds, i);
        const char *status = json_get_str(refund, "status");
        if (text_equal(json_get_str(refund, "charge"), charge_id) && !text_equal(status, "failed") &&
            !text_equal(status, "canceled")) {
            sum += json_get_i64(refund, "amount", 0);
        }
    }
    return sum;
}

static void check_books(struct json_object *books)
{
    struct json_object *charges = json_get(books, "charges");
    for (size_t i = 0; i < json_object_array_length(charges); i++) {
        struct json_object *one = json_object_array_get_idx(charges, i);
        int64_t refunded = json_get_i64(one, "amount_refunded", -1);
        int64_t amount = json_get_i64(one, "amount", -1);
        assert_int_equal(refunded, sum_of_refunds(json_get(books, "refunds"), json_get_str(one, "id")));
        assert_in_range(refunded, 0, amount);
        assert_int_equal(json_get_bool(one, "refunded", false), refunded == amount);
        if (!json_get_bool(one, "captured", false)) {
            assert_int_equal(json_get_i64(one, "amount_captured", -1), 0);
        }
    }
}

// The sum of the amounts that the path lists. statuses: counts only objects with one of these, NULL: all.
static int64_t sum_of_list(struct world *world, const char *path, const char *statuses)
{
    int64_t sum = 0;
    const char *form = "limit=100";
    for (bool more = true; more;) {
        struct json_object *page JSON_CLEANUP = ask(world, START_US, "GET", path, form);
        struct json_object *items = json_get(page, "data");
        for (size_t i = 0; i < json_object_array_length(items); i++) {
            struct json_object *one = json_object_array_get_idx(items, i);
            if (statuses == NULL || strstr(statuses, json_get_str(one, "status")) != NULL) {
                sum += json_get_i64(one, "amount", 0);
            }
            form = arena_printf(&world->arena, "limit=100&starting_after=%s", json_get_str(one, "id"));
        }
        more = json_get_bool(page, "has_more", false);
    }
    return sum;
}

// What was captured, less what is refunded, less what is disputed and not won. A refund without a balance
// transaction released money that was never taken.
static int64_t balance_due(struct world *world, struct json_object *books)
{
    struct json_object *charges = json_get(books, "charges");
    struct json_object *refunds = json_get(books, "refunds");
    int64_t sum = -sum_of_list(world, "/v1/disputes", "needs_response|under_review|lost");
    for (size_t i = 0; i < json_object_array_length(charges); i++) {
        sum += json_get_i64(json_object_array_get_idx(charges, i), "amount_captured", 0);
    }
    for (size_t i = 0; i < json_object_array_length(refunds); i++) {
        struct json_object *refund = json_object_array_get_idx(refunds, i);
        if (json_get(refund, "balance_transaction") != NULL &&
            json_get(refund, "failure_balance_transaction") == NULL) {
            sum -= json_get_i64(refund, "amount", 0);
        }
    }
    return sum;
}

static void the_books_add_up_whatever_is_done(void **state)
{
    struct world *world = *state;
    int64_t now_us = START_US;
    struct json_object *books JSON_CLEANUP = parse(world_ledger(world));
    for (int round = 0; round < ROUNDS; round++) {
        struct json_object *one = random_of(world, json_get(books, "charges"));
        struct json_object *refund = random_of(world, json_get(books, "refunds"));
        unsigned dice = world_dice(world, 8);
        if (one == NULL || dice == 0) {
            charge_somehow(world, now_us);
        } else if (dice <= 2) {
            payment_apply_reported(world, now_us, json_get_str(one, "payment_intent"));
        } else if (dice <= 5 || refund == NULL) {
            refund_somehow(world, now_us, json_get_str(one, "payment_intent"));
        } else if (dice == 6) {
            change_refund(world, now_us, json_get_str(refund, "id"));
        } else {
            now_us += US_PER_S / 2;
            pass_time(world, now_us);
        }
        if (round % CHECK_EVERY == CHECK_EVERY - 1) {
            json_release(&books);
            books = parse(world_ledger(world));
            check_books(books);
            assert_int_equal(sum_of_list(world, "/v1/balance_transactions", NULL), balance_due(world, books));
        }
    }
    assert_true(json_object_array_length(json_get(books, "refunds")) > ROUNDS / CHECK_EVERY);
}

// Everything that an account can list.
static const char *everything(struct world *world)
{
    static const char *const paths[] = {
        "/v1/customers", "/v1/payment_methods", "/v1/payment_intents", "/v1/charges",
        "/v1/refunds",   "/v1/disputes",        "/v1/events",          "/v1/balance_transactions"};
    const char *all = "";
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        all = arena_printf(&world->arena, "%s\n%s", all,
                           world_ask(world, START_US, "GET", paths[i], "limit=100", NULL));
    }
    return all;
}

static void a_journal_rebuilds_cards_refunds_and_disputes(void **state)
{
    struct world *world = *state;
    struct world *other;
    sandbox_journal_on(world->sandbox);
    struct json_object *customer JSON_CLEANUP =
        post(world, START_US, "/v1/customers", "email=a@shop.example");
    struct json_object *gone JSON_CLEANUP = post(world, START_US, "/v1/customers", "");
    struct json_object *method JSON_CLEANUP =
        post(world, START_US, "/v1/payment_methods/pm_card_createDispute/attach",
             path_of(world, "customer=ID", json_get_str(customer, "id")));
    struct json_object *deleted JSON_CLEANUP =
        ask(world, START_US, "DELETE", path_of(world, "/v1/customers/ID", json_get_str(gone, "id")), "");
    assert_true(json_get_bool(deleted, "deleted", false));
    struct json_object *intent JSON_CLEANUP =
        charge(world, START_US, json_get_str(method, "id"),
               path_of(world, "&customer=ID", json_get_str(customer, "id")));
    assert_string_equal(json_get_str(intent, "status"), "succeeded");
    struct json_object *slow JSON_CLEANUP = charge(world, START_US, "pm_card_pendingRefund", "");
    struct json_object *refund JSON_CLEANUP =
        post(world, START_US, "/v1/refunds", path_of(world, "payment_intent=ID", json_get_str(slow, "id")));
    pass_time(world, START_US + US_PER_S);
    assert_int_equal(count_disputes(world), 1);

    (void)world_set_up((void **)&other);
    world_restore(other, buf_str(sandbox_journal(world->sandbox)));
    assert_string_equal(everything(other), everything(world));
    // Jobs that were scheduled still run; those that ran do not run again.
    pass_time(other, START_US + 2 * US_PER_S);
    assert_string_equal(status_of(other, path_of(other, "/v1/refunds/ID", json_get_str(refund, "id"))),
                        "succeeded");
    assert_int_equal(count_disputes(other), 1);
    (void)world_tear_down((void **)&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pending_refund_succeeds_two_seconds_later_and_no_sooner,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_dispute_comes_one_second_after_the_charge_and_no_sooner,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(the_books_add_up_whatever_is_done, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_journal_rebuilds_cards_refunds_and_disputes, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
