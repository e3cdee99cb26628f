// The cost of a page does not grow with the number of other rows: SQLite's plan for each filter of each
// listing, and the cost of the first page and a deep one, among 40,000 rows.
#include "listing_fixture.h"
#include "statement_costs.h"

#include "base/text.h"
#include "store/audit.h"
#include "store/cards.h"
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
    free(statement);
    statement = NULL;
    return found;
}

static void spy_on(struct fixture *f, bool spying)
{
    static struct db_driver spy;
    spy = sqlite_driver;
    spy.query_built = spy_built;
    f->db->driver = spying ? &spy : &sqlite_driver;
}

static void assert_plan(struct fixture *f, const struct listing_query *query, const char *index)
{
    spy_on(f, true);
    list(f, query, 1);
    spy_on(f, false);
    const char *found = plan(f);
    if (strstr(found, "SCAN ") || strstr(found, "TEMP B-TREE") || !strstr(found, index)) {
        fail_msg("not by %s: %s", index, found);
    }
}

static struct db_value some_value(struct fixture *f, const struct filter *filter)
{
    switch (filter->form) {
    case FILTER_ID:
        return DB_ID(&f->merchant_id);
    case FILTER_AMOUNT_MIN:
    case FILTER_AMOUNT_MAX:
    case FILTER_BY_MONTH:
        return DB_I64(1000);
    case FILTER_TEXT:
    case FILTER_WORD:
    case FILTER_EMAIL:
    case FILTER_CURRENCY:
    case FILTER_SINCE:
    case FILTER_UNTIL:
    case FILTER_LIVEMODE:
        break;
    }
    return DB_STR("text");
}

static void add_filter(struct fixture *f, struct listing_query *query, const char *name, const char *word)
{
    for (const struct filter *filter = query->listing->filters; filter->name != NULL; filter++) {
        if (text_equal(filter->name, name)) {
            listing_where(query, filter->condition, some_value(f, filter));
            for (const struct filter_word *w = filter->words; w != NULL && w->word != NULL; w++) {
                if (text_equal(w->word, word) && w->also != NULL) {
                    listing_where_plain(query, w->also);
                }
            }
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
    {&payment_listing, "provider", "stripe", BY_MERCHANT},
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
    {&card_listing, NULL, NULL, "cards_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&card_listing, "expires_soon", NULL, "cards_by_merchant (merchant_id=? AND livemode=? " RANGE},
    {&card_listing, "customer_email", NULL, "cards_by_customer (customer_id=?)"},
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
        TEST(amounts_and_currencies_are_counted_without_reading_the_payments),
        TEST(a_listing_of_all_merchants_has_its_index_too),
        TEST(a_page_costs_the_same_at_any_depth_and_beside_any_number),
        TEST(rare_rows_are_found_without_reading_the_rest),
        TEST(a_count_stops_at_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
