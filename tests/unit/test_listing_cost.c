// The cost of a page does not grow with the number of other rows: SQLite's plan for each filter of each
// listing and for every combination of them, and the cost of the first page and a deep one, among 40,000
// rows.
#include "listing_fixture.h"
#include "statement_costs.h"

#include "base/text.h"
#include "store/audit.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/disputes.h"
#include "store/inbox.h"
#include "store/outbox.h"
#include "store/refunds.h"

static char *statement; // the last one

static enum errc spy_built(struct db *db, struct db_rows *rows, const char *sql,
                           const struct db_value *values, size_t count, struct err *err)
{
    free(statement);
    statement = strdup(sql);
    return sqlite_driver.query_built(db, rows, sql, values, count, err);
}

// How SQLite goes about the last statement: "SEARCH ... | SEARCH ..."
static const char *plan(struct fixture *f)
{
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statement);
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(((struct sqlite *)f->db)->handle, explain, -1, &stmt, NULL),
                     SQLITE_OK);
    const char *found = "";
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        found = arena_printf(&f->arena, "%s%s | ", found, (const char *)sqlite3_column_text(stmt, 3));
    }
    sqlite3_finalize(stmt);
    sqlite3_free(explain);
    return arena_printf(&f->arena, "%s    %s", found, statement);
}

static void spy_on(struct fixture *f, bool spying)
{
    static struct db_driver spy;
    spy = sqlite_driver;
    spy.query_built = spy_built;
    f->db->driver = spying ? &spy : &sqlite_driver;
}

static const char *plan_of_rows(struct fixture *f, const struct listing_query *query)
{
    spy_on(f, true);
    list(f, query, 1);
    spy_on(f, false);
    return plan(f);
}

static bool is_costly(const char *found)
{
    return strstr(found, "SCAN ") || strstr(found, "TEMP B-TREE");
}

static void assert_plan(struct fixture *f, const struct listing_query *query, const char *index)
{
    const char *found = plan_of_rows(f, query);
    if (is_costly(found) || !strstr(found, index)) {
        fail_msg("not by %s: %s", index, found);
    }
}

static void add_filter(struct fixture *f, struct listing_query *query, const char *name, const char *word)
{
    for (const struct filter *filter = query->listing->filters; filter->name != NULL; filter++) {
        if (text_equal(filter->name, name)) {
            const struct filter_word *found = filter->words;
            while (found != NULL && !text_equal(found->word, word)) {
                found++;
            }
            listing_filter(query, filter, found, some_value(f, filter));
            return;
        }
    }
    fail_msg("there is no filter %s", name);
}

struct expectation {
    const struct listing *listing;
    const char *filter; // NULL: none
    const char *word;
    const char *index;
};

#define RANGE "AND id>? AND id<?)"
#define BY_MERCHANT "payments_by_merchant (merchant_id=? AND livemode=? " RANGE
#define RARE "payments_rare (merchant_id=? AND livemode=? AND status=? " RANGE

static const struct expectation expectations[] = {
    {&payment_listing, NULL, NULL, BY_MERCHANT},
    {&payment_listing, "status", "completed", BY_MERCHANT},
    {&payment_listing, "status", "failed", RARE},
    {&payment_listing, "status", "pending", RARE},
    {&payment_listing, "status", "refunded", RARE},
    {&payment_listing, "currency", NULL, BY_MERCHANT},
    {&payment_listing, "min_amount", NULL, BY_MERCHANT},
    {&payment_listing, "provider_ref", NULL,
     "payments_by_ref (provider_ref=? AND merchant_id=? AND livemode=?)"},
    {&payment_listing, "idempotency_key", NULL, "sqlite_autoindex_payments_1 (id=?)"},
    {&payment_listing, "saved_card_id", NULL,
     "payments_by_card (merchant_id=? AND livemode=? AND saved_card_id=? " RANGE},
    {&payment_history_listing, NULL, NULL, "PRIMARY KEY (payment_id=? " RANGE},
    {&refund_listing, NULL, NULL, "refunds_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&refund_listing, "status", "pending", "refunds_rare (merchant_id=? AND livemode=? AND status=? " RANGE},
    {&refund_listing, "payment_id", NULL, "refunds_by_payment (payment_id=?)"},
    {&dispute_listing, "status", "won", "disputes_rare (merchant_id=? AND livemode=? AND status=? " RANGE},
    {&dispute_listing, "payment_id", NULL, "disputes_by_payment (payment_id=?)"},
    {&card_listing, NULL, NULL, "cards_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&card_listing, "expires_soon", NULL, "cards_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&card_listing, "customer_email", NULL, "cards_by_customer (customer_id=?)"},
    {&customer_listing, NULL, NULL, "customers_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&customer_listing, "email", NULL,
     "sqlite_autoindex_customers_2 (merchant_id=? AND livemode=? AND email=?)"},
    {&customer_listing, "provider_ref", NULL, "customers_by_ref (provider_ref=?)"},
    {&inbox_listing, "outcome", "kept", "inbox_rare (merchant_id=? AND livemode=? AND outcome=? " RANGE},
    {&inbox_listing, "payment_id", NULL,
     "inbox_by_payment (merchant_id=? AND livemode=? AND payment_id=? " RANGE},
    {&inbox_listing, "provider_ref", NULL, "PRIMARY KEY (merchant_id=? AND livemode=? AND event_id=?)"},
    {&outbox_log_listing, NULL, NULL, "outbox_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&outbox_log_listing, "status", "delivered", "outbox_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&outbox_log_listing, "status", "retrying", "outbox_unfinished (merchant_id=? AND livemode=? " RANGE},
    {&outbox_log_listing, "status", "dead", "outbox_dead (merchant_id=? AND livemode=? " RANGE},
    {&outbox_log_listing, "transaction_id", NULL, "outbox_by_transaction (transaction_id=?)"},
    {&audit_listing, NULL, NULL, "audit_log_by_merchant (merchant_id=? " RANGE},
    {&audit_listing, "severity", "info", "audit_log_by_merchant (merchant_id=? " RANGE},
    {&audit_listing, "severity", "critical", "audit_log_rare_by_merchant (merchant_id=? " RANGE},
    {&audit_listing, "event_type", "key.created", "audit_log_rare_by_merchant (merchant_id=? " RANGE},
};

// With a time range and a cursor too, and in one mode and in both.
static void every_filter_has_its_index(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        const struct expectation *expected = &expectations[i];
        for (int modes = 1; modes <= 3; modes++) {
            struct listing_query query = {.listing = expected->listing,
                                          .owner = &f->merchant_id,
                                          .test = (modes & 1) != 0,
                                          .live = (modes & 2) != 0};
            if (expected->filter != NULL) {
                add_filter(f, &query, expected->filter, expected->word);
            }
            listing_since(&query, NOW_US, &f->arena);
            listing_until(&query, NOW_US + 86400 * US_PER_S, &f->arena);
            assert_plan(f, &query, expected->index);
        }
    }
}

// How the end of a window is found, in one mode.
static const char *plan_of_window(struct fixture *f, const struct listing_query *query)
{
    struct listing_query one = *query;
    one.test = query->test;
    one.live = !query->test;
    struct uuid id;
    bool has = false;
    spy_on(f, true);
    assert_int_equal(listing_nth_passed(f->db, &one, 5, &id, &has, &f->err), OK);
    spy_on(f, false);
    return plan(f);
}

// A few rows may be sorted.
static bool finds_few(const struct listing_query *query, const char *found)
{
    for (size_t i = 0; i < query->condition_count; i++) {
        if (query->conditions[i].reach == REACH_FEW) {
            return strstr(found, "SCAN ") == NULL;
        }
    }
    return false;
}

// A window bounds the work only if its rows are counted in the index that is then read, and in it alone.
static void assert_bounded(struct fixture *f, const struct listing_query *query)
{
    const char *rows = plan_of_rows(f, query);
    if (is_costly(rows) && !finds_few(query, rows)) {
        fail_msg("%s", rows);
    }
    if (!listing_passes_rows(query)) {
        return;
    }
    const char *window = plan_of_window(f, query);
    const char *name = strstr(window, " INDEX ");
    if (is_costly(window) || name == NULL) {
        fail_msg("%s", window);
        return;
    }
    name++;
    const char *index = arena_printf(&f->arena, "%.*s (", (int)strcspn(name, "(") - 1, name);
    if (strstr(rows, index) == NULL) {
        fail_msg("counted by %s but read by %s", window, rows);
    }
}

static bool is_new_kind(const struct filter *filter, const struct filter_word *word)
{
    for (const struct filter_word *before = filter->words; before < word; before++) {
        if (before->also == word->also) {
            return false;
        }
    }
    return true;
}

// Adds every combination of the filters from this one on. Words that are found in the same way count once.
static void combine(struct fixture *f, const struct listing_query *query, const struct filter *filter)
{
    if (filter->name == NULL) {
        assert_bounded(f, query);
        return;
    }
    combine(f, query, filter + 1);
    if (filter->condition == NULL) {
        return; // it is a mode or a range of ids
    }
    for (const struct filter_word *word = filter->words;; word++) {
        if (word == NULL || (word->word != NULL && is_new_kind(filter, word))) {
            struct listing_query more = *query;
            listing_filter(&more, filter, word, some_value(f, filter));
            combine(f, &more, filter + 1);
        }
        if (word == NULL || word->word == NULL) {
            return;
        }
    }
}

static void combine_all(struct fixture *f)
{
    static const struct listing *const listings[] = {
        &payment_listing,  &payment_history_listing, &refund_listing, &dispute_listing, &card_listing,
        &customer_listing, &outbox_log_listing,      &audit_listing,  &inbox_listing};
    static const struct uuid high = {{0xff}};
    for (size_t i = 0; i < COUNT_OF(listings); i++) {
        for (int modes = 1; modes <= 3; modes++) {
            struct listing_query query = {.listing = listings[i],
                                          .owner = &f->merchant_id,
                                          .test = (modes & 1) != 0,
                                          .live = (modes & 2) != 0};
            combine(f, &query, listings[i]->filters);
            listing_since(&query, NOW_US, &f->arena);
            listing_below(&query, &high);
            combine(f, &query, listings[i]->filters);
        }
    }
    struct listing_query everybody = {.listing = &audit_listing};
    listing_since(&everybody, NOW_US, &f->arena);
    combine(f, &everybody, audit_listing.filters);
}

static void every_combination_of_filters_is_answered_within_its_bound(void **state)
{
    struct fixture *f = *state;
    combine_all(f);
}

// With SQLite's statistics of a database in which nearly every payment is completed.
static void so_is_it_in_a_database_that_was_analysed(void **state)
{
    struct fixture *f = *state;
    insert_many(f, 20000);
    insert_at(f, NOW_US, true);
    assert_int_equal(db_run(f->db, NULL, &f->err,
                            "UPDATE payments SET status = 'failed', provider_ref = hex(id),"
                            " saved_card_id = zeroblob(rowid / 4000) WHERE rowid % 100 = 0"),
                     OK);
    assert_int_equal(db_run(f->db, NULL, &f->err, "ANALYZE"), OK);
    combine_all(f);
}

// Most lists by these go past many rows that do not fit.
static void amounts_and_currencies_are_counted_without_reading_the_payments(void **state)
{
    struct fixture *f = *state;
    struct listing_query query = query_of(f);
    add_filter(f, &query, "currency", NULL);
    add_filter(f, &query, "min_amount", NULL);
    add_filter(f, &query, "max_amount", NULL);
    spy_on(f, true);
    count(f, &query, 1);
    spy_on(f, false);
    assert_non_null(strstr(plan(f), "COVERING INDEX payments_by_merchant"));
    add_filter(f, &query, "status", "failed");
    spy_on(f, true);
    count(f, &query, 1);
    spy_on(f, false);
    assert_non_null(strstr(plan(f), "COVERING INDEX payments_rare"));
}

// As an admin asks.
static void a_listing_of_all_merchants_has_its_index_too(void **state)
{
    struct fixture *f = *state;
    struct listing_query query = {.listing = &audit_listing};
    listing_since(&query, NOW_US, &f->arena);
    assert_plan(f, &query, "sqlite_autoindex_audit_log_1 (id>?)");
    add_filter(f, &query, "severity", "warn");
    assert_plan(f, &query, "audit_log_rare (id>?)");
    add_filter(f, &query, "merchant_id", NULL);
    assert_plan(f, &query, "audit_log_rare_by_merchant (merchant_id=? AND id>?)");
}

// In steps of SQLite's machine.
static int64_t steps_of(struct fixture *f, const struct listing_query *query, size_t expected)
{
    int64_t steps = 0;
    steps_begin(f->db, &steps);
    assert_int_equal(list(f, query, 50).count, expected);
    steps_end(f->db);
    return steps;
}

static struct uuid id_at(struct fixture *f, const struct listing_query *query, int64_t offset)
{
    struct uuid id;
    bool has = false;
    assert_int_equal(listing_nth(f->db, query, offset, &id, &has, &f->err), OK);
    assert_true(has);
    return id;
}

static void a_page_costs_the_same_at_any_depth_and_beside_any_number(void **state)
{
    struct fixture *f = *state;
    insert_many(f, 10000);
    struct listing_query query = query_of(f);
    int64_t before = steps_of(f, &query, 50);
    insert_many(f, 30000);
    assert_in_range(steps_of(f, &query, 50), before / 2, before * 2);
    struct uuid deep = id_at(f, &query, 39000);
    listing_below(&query, &deep);
    assert_in_range(steps_of(f, &query, 50), before / 2, before * 2);
    listing_until(&query, INT64_C(253402300799) * US_PER_S, &f->arena);
    assert_in_range(steps_of(f, &query, 50), before / 2, before * 2);
}

static void rare_rows_are_found_without_reading_the_rest(void **state)
{
    struct fixture *f = *state;
    struct payment payment = payment_of(f, 0);
    payment.status = PAYMENT_FAILED;
    payment.provider_ref = "text";
    payment.saved_card_id = f->merchant_id;
    payment.id = (struct uuid){{0x01}};
    insert(f, &payment);
    insert_many(f, 40000);
    static const struct {
        const char *name;
        const char *word;
    } rare[] = {{"status", "failed"}, {"provider_ref"}, {"idempotency_key"}, {"saved_card_id"}};
    for (size_t i = 0; i < COUNT_OF(rare); i++) {
        struct listing_query query = query_of(f);
        add_filter(f, &query, rare[i].name, rare[i].word);
        int64_t steps = 0;
        steps_begin(f->db, &steps);
        list(f, &query, 50);
        count(f, &query, 10001);
        steps_end(f->db);
        assert_in_range(steps, 1, 1000);
    }
}

static void a_count_stops_at_its_bound(void **state)
{
    struct fixture *f = *state;
    struct listing_query query = query_of(f);
    insert_many(f, 40000);
    int64_t steps = 0;
    steps_begin(f->db, &steps);
    assert_int_equal(count(f, &query, 1000), 1000);
    steps_end(f->db);
    assert_in_range(steps, 1000, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_filter_has_its_index),
        TEST(every_combination_of_filters_is_answered_within_its_bound),
        TEST(so_is_it_in_a_database_that_was_analysed),
        TEST(amounts_and_currencies_are_counted_without_reading_the_payments),
        TEST(a_listing_of_all_merchants_has_its_index_too),
        TEST(a_page_costs_the_same_at_any_depth_and_beside_any_number),
        TEST(rare_rows_are_found_without_reading_the_rest),
        TEST(a_count_stops_at_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
