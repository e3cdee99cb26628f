// No query of a request, an event or a sweep costs more when there are more other rows: SQLite's plan and
// the cost of each.
#include "queries_fixture.h"
#include "statement_costs.h"

#include "store/cards.h"
#include "store/catch_ups.h"
#include "store/customers.h"
#include "store/event_feeds.h"
#include "store/idempotency.h"
#include "store/inbox.h"
#include "store/merchants.h"
#include "store/prune.h"

static void run_catch_up_statements(struct fixture *f)
{
    struct catch_up at = {.credential_id = f->credential_id};
    bool open = false;
    assert_int_equal(catch_up_put(f->db, &at, &f->err), OK);
    assert_int_equal(catch_up_get(f->db, &f->credential_id, &f->arena, &at, &f->err), OK);
    assert_int_equal(catch_up_is_open(f->db, &f->merchant_id, CATCH_UP_EITHER, "catch_up", &open, &f->err),
                     OK);
    assert_int_equal(catch_up_delete(f->db, &f->credential_id, &f->err), OK);
}

static void run_prune_statements(struct fixture *f)
{
    bool more = false;
    assert_int_equal(prune_replies(f->db, START_US, 3, &more, &f->err), OK);
    assert_int_equal(prune_inbox(f->db, START_US, 3, &more, &f->err), OK);
    run_sql(f, "INSERT INTO payment_history (payment_id, id, at_us, what, status, cause)"
               " VALUES (x'00000000000000000000000000000001', x'01', 1, 'created', 'pending', 'api')");
    run_sql(f, "INSERT INTO outbox (id, merchant_id, livemode, type, body, status, attempts, created_us)"
               " VALUES (x'00000000000000000000000000000001', x'01', 0, 't', '{}', 'delivered', 1, 1)");
    struct uuid history = {{0}};
    struct uuid outbox = {{0}};
    assert_int_equal(prune_history(f->db, NOW_US, 3, &history, &more, &f->err), OK);
    assert_int_equal(prune_outbox(f->db, NOW_US, 3, &outbox, &more, &f->err), OK);
    assert_false(uuid_is_nil(&history) || uuid_is_nil(&outbox));
}

static void run_those_on_events_from_the_provider(struct fixture *f, const struct uuid *payment_id)
{
    int64_t number = 0;
    bool fresh = false;
    struct inbox_event event = {.merchant_id = f->merchant_id,
                                .event_id = "evt_1",
                                .type = "t",
                                .payment_id = *payment_id,
                                .body = (const uint8_t *)"{}",
                                .body_bytes = 2,
                                .outcome = INBOX_KEPT};
    assert_int_equal(inbox_record(f->db, &event, &fresh, &f->err), OK);
    assert_int_equal(inbox_kept_count(f->db, &f->merchant_id, &number, &f->err), OK);
    assert_int_equal(number, 1);
    assert_int_equal(inbox_settle(f->db, &f->merchant_id, false, "evt_1", NULL, &f->err), OK);
}

// The statements of every request, event and sweep. Those that run once at start, or after the clock was set,
// are left out.
static void run_every_statement(struct fixture *f)
{
    struct uuid id = insert_payment(f, START_US, false);
    struct payment payment = payment_row(f, &id);
    struct uuid merchants[4];
    size_t count = 0;
    int64_t number = 0;
    bool fresh = false;
    payment.provider_ref = "pi_1";
    assert_int_equal(payment_update(f->db, &payment, &f->err), OK);
    assert_int_equal(payment_by_ref(f->db, &f->merchant_id, false, "pi_1", &f->arena, &payment, &f->err), OK);
    assert_int_equal(merchant_holders(f->db, "pi_1", merchants, 4, &count, &f->err), OK);
    struct card card = {0};
    struct customer customer = {0};
    assert_int_equal(card_by_ref(f->db, &f->merchant_id, false, "pm_1", &f->arena, &card, &f->err),
                     ERR_NOT_FOUND);
    assert_int_equal(customer_by_ref(f->db, &f->merchant_id, false, "cus_1", &f->arena, &customer, &f->err),
                     ERR_NOT_FOUND);
    assert_int_equal(customer_by_email(f->db, &f->merchant_id, false, "a@b", &f->arena, &customer, &f->err),
                     ERR_NOT_FOUND);
    assert_int_equal(cards_saving_look_up(f->db, &f->merchant_id, false, "pm_1", "cus_1", &number, &f->err),
                     OK);
    assert_int_equal(card_by_fingerprint(f->db, &id, "f1", "pm_1", &f->arena, &card, &f->err), ERR_NOT_FOUND);
    DB_ROWS(rows);
    assert_int_equal(cards_of_customer(f->db, &id, 1, &rows, &f->err), OK);
    assert_int_equal(cards_all_gone(f->db, &id, NOW_US, &f->err), OK);
    assert_int_equal(cards_expiring(f->db, 24289, &f->arena, &card, 1, &count, &f->err), OK);
    bool reopened = false;
    assert_int_equal(payment_was_reopened(f->db, &id, &reopened, &f->err), OK);
    card = (struct card){.id = id, .merchant_id = f->merchant_id};
    assert_int_equal(card_expiring_told(f->db, &card, &f->err), OK);
    assert_int_equal(card_is_being_charged(f->db, &card, &fresh, &f->err), OK);
    struct payment_history_entry entry = {.id = id, .payment_id = id, .what = "created", .cause = "api"};
    assert_int_equal(payment_history_append(f->db, &entry, &f->err), OK);
    assert_int_equal(payment_history_append(f->db, &entry, &f->err), OK); // its id is taken
    insert_operation(f, 1, NOW_US);
    struct operation operation = operation_of(f, 1, NOW_US);
    assert_int_equal(
        operations_claim(f->db, &(struct uuid){0}, NOW_US, 1, &f->arena, &operation, 1, &count, &f->err), OK);
    assert_int_equal(operations_next_due(f->db, &(struct uuid){0}, &number, &f->err), OK);
    assert_int_equal(operation_get(f->db, &operation.subject_id, "charge", &f->arena, &operation, &f->err),
                     OK);
    assert_int_equal(operation_update(f->db, &operation, &f->err), OK);
    assert_int_equal(operation_delete(f->db, &operation.subject_id, "charge", &f->err), OK);
    struct stored_reply reply = {.status = 201, .sealed = id.bytes, .bytes = sizeof(id)};
    assert_int_equal(reply_insert(f->db, &id, &reply, NOW_US, &fresh, &f->err), OK);
    assert_int_equal(reply_get(f->db, &id, &f->arena, &reply, &f->err), OK);
    struct idempotency_key key = {.merchant_id = f->merchant_id, .kind = "payment", .key = "order-123"};
    bool has = false;
    assert_int_equal(idempotency_insert(f->db, &key, &f->err), OK);
    assert_int_equal(
        idempotency_find(f->db, &f->merchant_id, false, "payment", "order-123", &key, &has, &f->err), OK);
    run_those_on_events_from_the_provider(f, &id);
    struct event_feed feed = {0};
    bool used = false;
    assert_int_equal(event_feed_open(f->db, &f->credential_id, "events", 1, &f->err), OK);
    assert_int_equal(event_feed_get(f->db, &f->credential_id, &f->arena, &feed, &f->err), OK);
    assert_int_equal(event_feed_put(f->db, &feed, &f->err), OK);
    assert_int_equal(event_feed_hurry(f->db, &f->version_id, "events", NOW_US, &f->err), OK);
    assert_int_equal(event_feed_is_used(f->db, &f->merchant_id, false, START_US, &used, &f->err), OK);
    assert_true(used);
    run_catch_up_statements(f);
    run_prune_statements(f);
}

// A walk along an index that a LIMIT ends at once is no scan of a table.
static bool is_costly(const char *detail)
{
    return strstr(detail, "TEMP B-TREE") != NULL ||
           (strncmp(detail, "SCAN ", 5) == 0 &&
            strcmp(detail, "SCAN operations USING COVERING INDEX operations_due") != 0);
}

static void no_statement_scans_a_table_or_sorts(void **state)
{
    struct fixture *f = *state;
    spy_begin(f->db);
    run_every_statement(f);
    spy_end(f->db);
    assert_true(statement_count >= 25);
    assert_no_statement_is_costly(f->db, is_costly);
}

// In steps of SQLite's machine.
static int64_t cost_of(struct fixture *f, void (*run)(struct fixture *f))
{
    int64_t steps = 0;
    run(f);
    steps_begin(f->db, &steps);
    run(f);
    steps_end(f->db);
    return steps;
}

static void count_kept(struct fixture *f)
{
    int64_t count = 0;
    assert_int_equal(inbox_kept_count(f->db, &f->merchant_id, &count, &f->err), OK);
    assert_int_equal(count, 0);
}

static void take_kept(struct fixture *f)
{
    struct inbox_event events[3];
    size_t count = 0;
    assert_int_equal(inbox_ready(f->db, &f->arena, events, 3, &count, &f->err), OK);
    assert_int_equal(count, 0);
}

static void let_kept_go(struct fixture *f)
{
    assert_int_equal(inbox_give_up(f->db, START_US, 3, &f->err), OK);
}

static void kept_events_are_found_without_reading_the_finished_ones(void **state)
{
    static void (*const looks[])(struct fixture *) = {count_kept, take_kept, let_kept_go};
    int64_t before[COUNT_OF(looks)];
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        before[i] = cost_of(f, looks[i]);
    }
    assert_int_equal(db_run(f->db, NULL, &f->err,
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                            "INSERT INTO inbox"
                            " (merchant_id, livemode, event_id, type, payment_id, received_us)"
                            " SELECT $1, 0, 'evt_of_' || i, 't', $1, 0 FROM n",
                            DB_ID(&f->merchant_id)),
                     OK);
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        assert_in_range(cost_of(f, looks[i]), before[i] / 2, before[i] * 2);
    }
}

static void count_catch_ups(struct fixture *f)
{
    int64_t held = 0;
    int64_t known = 0;
    assert_int_equal(catch_ups_count(f->db, "catch_up", &held, &known, &f->err), OK);
}

static void held_accounts_are_counted_without_reading_other_operations(void **state)
{
    struct fixture *f = *state;
    int64_t before = cost_of(f, count_catch_ups);
    for (uint8_t i = 1; i <= 200; i++) {
        insert_operation(f, i, NOW_US);
    }
    assert_int_equal(cost_of(f, count_catch_ups), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(no_statement_scans_a_table_or_sorts),
        IN_TRANSACTION(held_accounts_are_counted_without_reading_other_operations),
        IN_TRANSACTION(kept_events_are_found_without_reading_the_finished_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
