// PostgreSQL's plan for each list: it reads the list's own index from one end, whatever the statistics say.
// In this database one merchant has nearly all rows, so the planner would like to read the index of all ids,
// which passes everybody's rows for the others. And lists of both modes are the same as on SQLite.
#include "listing_fixture.h"

#include "base/buf.h"
#include "base/text.h"
#include "store/audit.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/disputes.h"
#include "store/inbox.h"
#include "store/outbox.h"
#include "store/refunds.h"

static char *statement; // the last one
static size_t parameters;

static enum errc spy_built(struct db *db, struct db_rows *rows, const char *sql,
                           const struct db_value *values, size_t count, struct err *err)
{
    free(statement);
    statement = strdup(sql);
    parameters = count;
    return postgres_driver.query_built(db, rows, sql, values, count, err);
}

static void spy_on(struct fixture *f, bool spying)
{
    static struct db_driver spy;
    spy = postgres_driver;
    spy.query_built = spy_built;
    f->db->driver = spying ? &spy : &postgres_driver;
}

// The plan of the last statement without its values, as the service has it.
static const char *plan(struct fixture *f)
{
    struct buf explain = BUF_MAX(1024);
    buf_add_str(&explain, "EXPLAIN (COSTS OFF) EXECUTE listed(");
    for (size_t i = 0; i < parameters; i++) {
        buf_add_str(&explain, i == 0 ? "NULL" : ", NULL");
    }
    buf_add_str(&explain, ")");
    const char *prepare = arena_printf(&f->arena, "PREPARE listed AS %s", statement);
    DB_ROWS(none);
    DB_ROWS(rows);
    assert_int_equal(db_query_once(f->db, &none, &f->err, prepare, NULL, 0), OK);
    assert_int_equal(db_query_once(f->db, &rows, &f->err, buf_str(&explain), NULL, 0), OK);
    const char *found = "";
    bool has = true;
    while (has) {
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        found = has ? arena_printf(&f->arena, "%s%s\n", found, db_text(&rows, 0, NULL)) : found;
    }
    DB_ROWS(last);
    assert_int_equal(db_query_once(f->db, &last, &f->err, "DEALLOCATE listed", NULL, 0), OK);
    buf_release(&explain);
    return found;
}

struct expectation {
    const struct listing *listing;
    const char *filter; // NULL: none
    const char *word;
    const char *index;
    bool finds_few; // they are sorted
};

static const struct expectation expectations[] = {
    {&payment_listing, NULL, NULL, "payments_by_merchant"},
    {&payment_listing, "status", "completed", "payments_by_merchant"},
    {&payment_listing, "status", "failed", "payments_rare"},
    {&payment_listing, "currency", NULL, "payments_by_merchant"},
    {&payment_listing, "min_amount", NULL, "payments_by_merchant"},
    {&payment_listing, "provider_ref", NULL, "payments_by_ref", true},
    {&payment_listing, "idempotency_key", NULL, "idempotency_keys_pkey", true},
    {&payment_listing, "saved_card_id", NULL, "payments_by_card"},
    {&refund_listing, NULL, NULL, "refunds_by_merchant"},
    {&refund_listing, "status", "pending", "refunds_rare"},
    {&refund_listing, "payment_id", NULL, "refunds_by_payment", true},
    {&dispute_listing, NULL, NULL, "disputes_by_merchant"},
    {&dispute_listing, "status", "needs_response", "disputes_rare"},
    {&dispute_listing, "payment_id", NULL, "disputes_by_payment", true},
    {&dispute_listing, "provider_ref", NULL, "disputes_by_ref", true},
    {&card_listing, NULL, NULL, "cards_by_merchant"},
    {&card_listing, "customer_email", NULL, "cards_by_customer", true},
    {&card_listing, "customer_email", NULL, "customers_merchant_id_livemode_email_gone_us_key", true},
    {&customer_listing, NULL, NULL, "customers_by_merchant"},
    {&customer_listing, "email", NULL, "customers_merchant_id_livemode_email_gone_us_key", true},
    {&customer_listing, "provider_ref", NULL, "customers_by_ref", true},
    {&inbox_listing, NULL, NULL, "inbox_by_merchant"},
    {&inbox_listing, "event_type", NULL, "inbox_by_merchant"},
    {&inbox_listing, "outcome", "applied", "inbox_by_merchant"},
    {&inbox_listing, "outcome", "ignored", "inbox_rare"},
    {&inbox_listing, "payment_id", NULL, "inbox_by_payment"},
    {&inbox_listing, "provider_ref", NULL, "inbox_pkey", true},
    {&outbox_log_listing, NULL, NULL, "outbox_by_merchant"},
    {&outbox_log_listing, "status", "delivered", "outbox_by_merchant"},
    {&outbox_log_listing, "status", "retrying", "outbox_unfinished"},
    {&outbox_log_listing, "status", "dead", "outbox_dead"},
    {&outbox_log_listing, "transaction_id", NULL, "outbox_by_transaction", true},
    {&audit_listing, NULL, NULL, "audit_log_by_merchant"},
    {&audit_listing, "severity", "critical", "audit_log_rare_by_merchant"},
    {&audit_listing, "event_type", "key.created", "audit_log_rare_by_merchant"},
};

static void add_filter(struct fixture *f, struct listing_query *query, const struct expectation *expected)
{
    for (const struct filter *filter = query->listing->filters; filter->name != NULL; filter++) {
        if (expected->filter != NULL && text_equal(filter->name, expected->filter)) {
            const struct filter_word *word = filter->words;
            while (word != NULL && !text_equal(word->word, expected->word)) {
                word++;
            }
            listing_filter(query, filter, word, some_value(f, filter));
        }
    }
}

static void assert_plan(const struct expectation *expected, bool both, const char *found)
{
    const bool is_sorted = strstr(found, "Sort\n") != NULL;
    if (strstr(found, expected->index) == NULL || strstr(found, "Seq Scan") != NULL ||
        is_sorted != expected->finds_few || (both && !is_sorted && strstr(found, "Merge Append") == NULL)) {
        fail_msg("not by %s: %s", expected->index, found);
    }
}

static void assert_lists_by_their_indexes(struct fixture *f)
{
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        const struct expectation *expected = &expectations[i];
        for (int modes = 1; modes <= (expected->listing->has_modes ? 3 : 1); modes++) {
            struct listing_query query = {.listing = expected->listing,
                                          .owner = &f->merchant_id,
                                          .test = (modes & 1) != 0,
                                          .live = (modes & 2) != 0};
            add_filter(f, &query, expected);
            listing_until(&query, NOW_US + 86400 * US_PER_S, &f->arena);
            spy_on(f, true);
            list(f, &query, 1);
            spy_on(f, false);
            assert_plan(expected, modes == 3, plan(f));
        }
    }
}

#define INSERT_PAYMENTS                                                                                      \
    "INSERT INTO payments (id, merchant_id, livemode, amount_minor, amount_thousandths, currency, status,"   \
    " provider, provider_ref, saved_card_id, idempotency_key, capture_manual, captured_minor,"               \
    " refunded_minor, capturable, action_given, credential_version_id, created_us, updated_us)"              \
    " SELECT int8send(i) || int8send(0), CASE WHEN i % 1000 = 0 THEN $1 ELSE '\\x02' END, i % 2, 1, 10,"     \
    " 'USD', CASE WHEN i % 100 = 0 THEN 'failed' ELSE 'completed' END, 'stripe', i::text,"                   \
    " CASE WHEN i % 50 = 0 THEN int8send(i % 700) END, 'k', 0, 0, 0, 0, 0, '\\x01', 0, 0"                    \
    " FROM generate_series(1, 20000) i"
#define INSERT_ENTRIES                                                                                       \
    "INSERT INTO audit_log (seq, id, event_type, severity, merchant_id, detail, metadata, created_us, mac)"  \
    " SELECT i, int8send(i) || int8send(0), CASE WHEN i % 10 = 0 THEN 'key.created' ELSE 'auth.success' "    \
    "END,"                                                                                                   \
    " 'info', CASE WHEN i % 1000 = 0 THEN $1 ELSE '\\x02' END, '', '{}', 0, '\\x01'"                         \
    " FROM generate_series(1, 20000) i"

static void every_list_has_its_index(void **state)
{
    struct fixture *f = *state;
    assert_lists_by_their_indexes(f);
}

static void so_it_has_where_one_merchant_has_nearly_all_rows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(db_run(f->db, NULL, &f->err, INSERT_PAYMENTS, DB_ID(&f->merchant_id)), OK);
    assert_int_equal(db_run(f->db, NULL, &f->err, INSERT_ENTRIES, DB_ID(&f->merchant_id)), OK);
    database_run(f->db, "ANALYZE payments");
    database_run(f->db, "ANALYZE audit_log");
    assert_lists_by_their_indexes(f);
}

static void both_modes_are_one_list_newest_first(void **state)
{
    struct fixture *f = *state;
    for (int64_t i = 0; i < 40; i++) {
        insert_at(f, NOW_US + i * US_PER_MS, i % 3 == 0);
    }
    struct listing_query query = query_of(f);
    const struct found found = list(f, &query, 30);
    assert_int_equal(found.count, 30);
    for (size_t i = 1; i < found.count; i++) {
        assert_true(memcmp(found.ids[i].bytes, found.ids[i - 1].bytes, sizeof(found.ids[i].bytes)) < 0);
    }
    struct uuid nth;
    bool has = false;
    assert_int_equal(listing_nth(f->db, &query, 30, &nth, &has, &f->err), OK);
    assert_true(has && uuid_equal(&nth, &found.ids[29]));
    assert_int_equal(count(f, &query, 100), 40);
    assert_int_equal(count(f, &query, 7), 7);
}

int main(void)
{
    if (getenv("TEST_POSTGRESQL") == NULL) {
        (void)puts("1..0 # SKIP TEST_POSTGRESQL is not set");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        TEST(every_list_has_its_index),
        TEST(so_it_has_where_one_merchant_has_nearly_all_rows),
        TEST(both_modes_are_one_list_newest_first),
    };
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(statement);
    return rc;
}
