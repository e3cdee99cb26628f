// What is older than the settings say is deleted, in small steps, and nothing else is.
#include "engine_fixture.h"

#include "database.h"
#include "store/prune.h"

// How long rows are kept here, where the setting says it.
#define MINUTE_US (60 * US_PER_S)
#define KEPT_S 600
#define KEPT_MS (KEPT_S * INT64_C(1000))
#define HUNDRED_YEARS_MS (INT64_C(36500) * 24 * 3600 * 1000)

// `count` events of that status, made a second apart from START_US on; open ones have a time.
static void add_events(struct fixture *f, int64_t count, bool finished)
{
    transaction_begin(f);
    for (int64_t i = 0; i < count; i++) {
        struct uuid id = uuid_new(&random_system, START_US + i * US_PER_S);
        assert_int_equal(db_run(f->db, NULL, &f->err,
                                "INSERT INTO outbox (id, merchant_id, livemode, type, body, status, attempts,"
                                " next_attempt_us, created_us) VALUES ($1, $2, 0, 'payment.completed',"
                                " printf('%1000d', 1), 'delivered', 1, $3, $4)",
                                DB_ID(&id), DB_ID(&f->merchant_id), finished ? DB_NIL : DB_I64(INT64_MAX - 1),
                                DB_I64(START_US + i * US_PER_S)),
                         OK);
    }
    transaction_end(f);
}

static int64_t events(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM outbox");
}

static void finished_events_are_deleted_when_they_are_old(void **state)
{
    struct fixture *f = *state;
    f->config.webhooks_kept_ms = KEPT_MS;
    add_events(f, 500, true);
    add_events(f, 300, false);
    engine_begin(f);
    engine_run_s(f, KEPT_S - 10);
    assert_int_equal(events(f), 800);
    engine_run_s(f, 260);
    assert_in_range(events(f), 300 + 240, 300 + 260);
    engine_run_s(f, 300);
    assert_int_equal(events(f), 300); // they wait for an endpoint
    run_sql(f, "UPDATE outbox SET next_attempt_us = NULL");
    engine_run_s(f, 2 * KEPT_S); // the walk begins again
    assert_int_equal(events(f), 0);
}

// Records of transactions, the first of this age and the others less and less old.
static void add_commits(struct fixture *f, int64_t count, int64_t age_us, int64_t apart_us)
{
    transaction_begin(f);
    for (int64_t i = 0; i < count; i++) {
        struct uuid id = uuid_new(&random_system, START_US - age_us + i * apart_us);
        assert_int_equal(
            db_run(f->db, NULL, &f->err, "INSERT INTO commits (id, committed) VALUES ($1, 1)", DB_ID(&id)),
            OK);
    }
    transaction_end(f);
}

static int64_t commits(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM commits");
}

static void records_of_transactions_are_deleted_after_an_hour(void **state)
{
    struct fixture *f = *state;
    add_commits(f, 20, 117 * MINUTE_US, 6 * MINUTE_US);
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(commits(f), 10);
    engine_run_s(f, 180);
    assert_int_equal(commits(f), 9);
}

static int64_t keys(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM credential_versions WHERE secret_key IS NOT NULL"
                         " AND id IN (x'10', x'20', x'40')");
}

#define CREDENTIALS "x'00000000000000000000000000000001'"

// Three keys of one account, whose present one is x'10', and an operation that needs x'40'.
static void add_keys(struct fixture *f, int64_t updated_us)
{
    const struct uuid id = {.bytes = {[15] = 1}};
    run_sql(f, "INSERT INTO credentials (id, merchant_id, provider, livemode, is_active, version_id,"
               " created_us, updated_us) SELECT " CREDENTIALS
               ", id, 'another', 0, 1, x'10', 0, 0 FROM merchants LIMIT 1");
    run_sql(f, "INSERT INTO credential_versions (id, credential_id, secret_key, created_us) VALUES"
               " (x'10', " CREDENTIALS ", x'00', 0), (x'20', " CREDENTIALS ", x'00', 0),"
               " (x'40', " CREDENTIALS ", x'00', 0)");
    run_sql(f, "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id,"
               " attempts, unresolved, look_up, next_attempt_us, created_us)"
               " VALUES (x'0b', 'refund', x'0c', 0, x'40', 1, 0, 0, 9223372036854775807, 0)");
    transaction_begin(f);
    assert_int_equal(db_run(f->db, NULL, &f->err, "UPDATE credentials SET updated_us = $2 WHERE id = $1",
                            DB_ID(&id), DB_I64(updated_us)),
                     OK);
    transaction_end(f);
}

static void a_replaced_key_is_wiped_after_a_day_unless_an_operation_needs_it(void **state)
{
    struct fixture *f = *state;
    f->config.webhooks_kept_ms = KEPT_MS; // as often all rows are looked at
    add_keys(f, START_US - (24 * 3600 - KEPT_S / 2) * US_PER_S);
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(keys(f), 3);
    engine_run_s(f, 2 * KEPT_S);
    assert_int_equal(keys(f), 2);
    run_sql(f, "DELETE FROM operations");
    engine_run_s(f, 2 * KEPT_S);
    assert_int_equal(keys(f), 1);
}

static void wipe_replaced_keys(struct fixture *f)
{
    struct uuid after = {{0}};
    bool more = true;
    transaction_begin(f);
    assert_int_equal(prune_replaced_keys(f->db, START_US, 10, &after, &more, &f->err), OK);
    transaction_end(f);
}

static void no_key_is_wiped_while_another_node_replaces_the_present_one(void **state)
{
    struct fixture *f = *state;
    add_keys(f, 0);
    struct db *other = database_open(f->scratch.database, true);
    database_begin(other, true);
    database_run(other, "UPDATE credentials SET version_id = x'20', updated_us = 9223372036854775807"
                        " WHERE id = " CREDENTIALS);
    wipe_replaced_keys(f);
    assert_int_equal(keys(f), 3);
    database_commit(other);
    wipe_replaced_keys(f);
    assert_int_equal(keys(f), 3); // this one was replaced just now
    other->driver->close(other);
}

static void a_node_that_finds_another_one_at_it_tries_again_at_once(void **state)
{
    struct fixture *f = *state;
    add_commits(f, 1, 120 * MINUTE_US, 0);
    engine_begin(f);
    struct db *other = database_open(f->scratch.database, true);
    database_begin(other, true);
    assert_int_equal(database_number(other, "SELECT 1 FROM meta WHERE name = 'retention' FOR UPDATE"), 1);
    engine_run_s(f, 6); // the first step comes after 5 s
    assert_int_equal(commits(f), 1);
    database_commit(other);
    engine_run_s(f, 1);
    assert_int_equal(commits(f), 0);
    other->driver->close(other);
}

static size_t waiting; // jobs, as store_waiting reports them

size_t __wrap_store_waiting(const struct store *store); // linked in its place
size_t __wrap_store_waiting(const struct store *store)
{
    (void)store;
    return waiting;
}

static void a_busy_database_is_left_alone_but_for_a_step_a_second(void **state)
{
    struct fixture *f = *state;
    f->config.webhooks_kept_ms = KEPT_MS;
    engine_begin(f);
    engine_run_s(f, 5 * KEPT_S);
    add_events(f, 2000, true);
    waiting = 1000;
    engine_run_s(f, KEPT_S + 10); // the walk begins again
    int64_t before = events(f);
    engine_run_s(f, 10);
    assert_in_range(before - events(f), 8 * 50, 10 * 50);
    waiting = 0;
    engine_run_s(f, 10);
    assert_int_equal(events(f), 0);
}

// With each of its two connections a node makes up to a thousand a second.
static void a_busy_node_deletes_more_records_of_transactions_than_it_makes(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    add_commits(f, 20000, 120 * MINUTE_US, 1);
    waiting = 1000;
    engine_run_s(f, 5);
    const int64_t before = commits(f);
    engine_run_s(f, 4);
    waiting = 0;
    assert_true(before - commits(f) > 4 * 2 * 1000);
}

static void what_is_deleted_makes_room_in_the_file(void **state)
{
    struct fixture *f = *state;
    f->config.webhooks_kept_ms = KEPT_MS;
    engine_begin(f);
    int64_t pages = 0;
    for (int i = 0; i < 5; i++) {
        add_events(f, 1000, true);
        int64_t now = sql_number(f, "PRAGMA page_count");
        assert_true(i == 0 || now <= pages + 10);
        pages = now;
        engine_run_s(f, KEPT_S + 3 * 3600);
        assert_int_equal(events(f), 0);
    }
}

static void a_paid_payment_outlives_its_answer_its_event_and_its_history(void **state)
{
    struct fixture *f = *state;
    f->config.answers_kept_ms = KEPT_MS;
    f->config.webhooks_kept_ms = KEPT_MS;
    f->config.history_kept_ms = KEPT_MS;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    assert_string_equal(answered_status(buyer), "completed");
    run_sql(f, "UPDATE outbox SET status = 'delivered', next_attempt_us = NULL");
    engine_run_s(f, KEPT_S - 60);
    struct op_answer answer = {0};
    assert_int_equal(stored_answer(f, &buyer->payment.id, &answer), OK);
    assert_int_equal(answer.status, 201);
    assert_string_not_equal(history_of(f, &buyer->payment.id), "");
    engine_run_s(f, 2 * KEPT_S);
    assert_int_equal(stored_answer(f, &buyer->payment.id, &answer), OK);
    assert_int_equal(answer.status, 0);
    assert_string_equal(history_of(f, &buyer->payment.id), "");
    assert_int_equal(events(f), 0);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_history_keeps_what_the_service_asks_it_for(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "INSERT INTO payment_history (payment_id, id, at_us, what, status, cause) VALUES"
               " (x'01000000000000000000000000000000', x'01', 5, 'created', 'pending', 'api'),"
               " (x'01000000000000000000000000000000', x'02', 6, '" PAYMENT_REOPENED "', 'pending', 'event'),"
               " (x'01000000000000000000000000000000', x'03', 7, 'completed', 'completed', 'event'),"
               " (x'01000000000000000000000000000000', x'04', 8, 'refunded', 'refunded', 'api')");
    transaction_begin(f);
    struct uuid after = {{0}};
    bool more = true;
    // Ids are in order of time in milliseconds: this payment was made in the year 2004.
    assert_int_equal(prune_history(f->db, START_US, 3, &after, &more, &f->err), OK);
    assert_true(more);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payment_history"), 1);
    assert_int_equal(
        sql_number(f, "SELECT count(*) FROM payment_history WHERE what = '" PAYMENT_REOPENED "'"), 1);
    assert_int_equal(prune_history(f->db, START_US, 3, &after, &more, &f->err), OK);
    assert_false(more);
    transaction_end(f);
}

static void what_is_kept_for_a_hundred_years_is_not_deleted(void **state)
{
    struct fixture *f = *state;
    f->config.answers_kept_ms = HUNDRED_YEARS_MS;
    f->config.webhooks_kept_ms = HUNDRED_YEARS_MS;
    f->config.history_kept_ms = HUNDRED_YEARS_MS;
    f->config.audit_counts_kept_ms = HUNDRED_YEARS_MS;
    add_events(f, 10, true);
    engine_begin(f);
    engine_run_s(f, 2 * 3600);
    assert_int_equal(events(f), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finished_events_are_deleted_when_they_are_old),
        TEST(records_of_transactions_are_deleted_after_an_hour),
        TEST(a_replaced_key_is_wiped_after_a_day_unless_an_operation_needs_it),
        ONLY_POSTGRESQL("another writer", TEST(no_key_is_wiped_while_another_node_replaces_the_present_one)),
        ONLY_POSTGRESQL("another writer", TEST(a_node_that_finds_another_one_at_it_tries_again_at_once)),
        TEST(a_busy_database_is_left_alone_but_for_a_step_a_second),
        TEST(a_busy_node_deletes_more_records_of_transactions_than_it_makes),
        ONLY_SQLITE("the pages of the file", TEST(what_is_deleted_makes_room_in_the_file)),
        TEST(a_paid_payment_outlives_its_answer_its_event_and_its_history),
        TEST(a_history_keeps_what_the_service_asks_it_for),
        TEST(what_is_kept_for_a_hundred_years_is_not_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
