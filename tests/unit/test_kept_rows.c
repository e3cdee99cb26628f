// Kept rows: a row is read once, and a change by anyone, in any transaction, stops its use at once.
#include "database_fixture.h"
#include "samples.h"

#include "store/api_keys.h"
#include "store/credentials.h"
#include "store/kept_rows.h"

#define NOW_US (INT64_C(1700000000) * 1000000)

static const uint8_t hash[32] = {7};

// Two connections to a database with a merchant, its key and its credentials. Only the second keeps rows.
struct two {
    struct fixture *other;
    struct db *db;
    struct api_key key;
    struct credential credential;
    struct arena arena;
    struct err err;
};

static int open_two(void **state)
{
    struct two *two = calloc(1, sizeof(*two));
    struct fixture *f = fixture_new("");
    assert_int_equal(migrate(f->db, &f->err), OK);
    const struct merchant merchant = sample_merchant(&f->merchant_id, NOW_US);
    two->key = sample_key(&f->merchant_id, hash, NOW_US);
    two->credential = (struct credential){.id = uuid_new(&random_system, NOW_US),
                                          .merchant_id = f->merchant_id,
                                          .provider = "stripe",
                                          .is_active = true,
                                          .version_id = uuid_new(&random_system, NOW_US),
                                          .created_us = NOW_US,
                                          .updated_us = NOW_US};
    database_begin(f->db, true);
    assert_int_equal(merchant_insert(f->db, &merchant, &f->err), OK);
    assert_int_equal(api_key_insert(f->db, &two->key, &f->err), OK);
    assert_int_equal(credential_put(f->db, &two->credential, &f->err), OK);
    assert_int_equal(credential_version_insert(f->db, &two->credential.version_id, &two->credential.id,
                                               (const uint8_t *)"sealed", 6, NOW_US, &f->err),
                     OK);
    database_commit(f->db);
    two->other = f;
    two->db = database_open(f->scratch.database, true);
    kept_rows_start(two->db);
    *state = two;
    return 0;
}

static int close_two(void **state)
{
    struct two *two = *state;
    kept_rows_stop(two->db);
    two->db->driver->close(two->db);
    fixture_free(two->other);
    arena_release(&two->arena);
    free(two);
    return 0;
}

// What the connection that keeps rows sees. In the transaction that is open.
static bool merchant_is_active(struct two *two)
{
    struct merchant merchant = {0};
    assert_int_equal(merchant_get(two->db, &two->other->merchant_id, &two->arena, &merchant, &two->err), OK);
    assert_string_equal(merchant.name, "shop");
    assert_null(merchant.webhook_url);
    return merchant.is_active;
}

static bool key_is_good(struct two *two)
{
    struct api_key key = {0};
    struct api_key_owner owner = {0};
    assert_int_equal(api_key_find(two->db, hash, &two->arena, &key, &owner, &two->err), OK);
    assert_memory_equal(key.hash, hash, sizeof(hash));
    assert_string_equal(key.prefix, "sk_test_1234");
    return key.revoked_us == 0 && key.scopes == 3 && owner.merchant_active;
}

static bool credential_is_active(struct two *two)
{
    struct credential credential = {0};
    assert_int_equal(credential_get(two->db, &two->other->merchant_id, "stripe", false, &two->arena,
                                    &credential, &two->err),
                     OK);
    return credential.is_active;
}

static bool version_is_kept(struct two *two)
{
    const uint8_t *sealed = NULL;
    size_t bytes = 0;
    const enum errc rc =
        credential_version_get(two->db, &two->credential.version_id, &two->arena, &sealed, &bytes, &two->err);
    assert_true(rc == OK || rc == ERR_NOT_FOUND);
    return rc == OK && bytes == 6 && memcmp(sealed, "sealed", 6) == 0;
}

static bool all_good(struct two *two)
{
    return merchant_is_active(two) && key_is_good(two) && credential_is_active(two) && version_is_kept(two);
}

static bool all_good_now(struct two *two)
{
    database_begin(two->db, false);
    const bool good = all_good(two);
    two->db->driver->rollback(two->db);
    return good;
}

static const char *const changes[] = {
    "UPDATE merchants SET is_active = 0",
    "UPDATE api_keys SET revoked_us = 1",
    "UPDATE api_keys SET scopes = 1",
    "UPDATE credentials SET is_active = 0",
    "UPDATE credential_versions SET secret_key = NULL",
    "DELETE FROM credential_versions WHERE secret_key IS NOT NULL",
};
static const char *const repairs[] = {
    "UPDATE merchants SET is_active = 1",
    "UPDATE api_keys SET revoked_us = NULL",
    "UPDATE api_keys SET scopes = 3",
    "UPDATE credentials SET is_active = 1",
    "UPDATE credential_versions SET secret_key = CAST('sealed' AS BLOB)",
};

// In the transaction that is open, by a statement as the service runs them.
static void change(struct two *two, const char *sql)
{
    DB_ROWS(rows);
    bool has = false;
    char *text = dialect_of(two->db, sql);
    assert_int_equal(db_query_built(two->db, &rows, &two->err, text, NULL, 0), OK);
    assert_int_equal(db_next(&rows, &has, &two->err), OK);
    free(text);
}

static void without_the_triggers_a_change_would_not_be_seen(void **state)
{
    struct two *two = *state;
    static const char *const tables[] = {"merchants", "api_keys", "credentials", "credential_versions"};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        char sql[100];
        (void)snprintf(sql, sizeof(sql),
                       two->db->driver->is_shared ? "DROP TRIGGER %1$s_change ON %1$s"
                                                  : "DROP TRIGGER %1$s_UPDATE",
                       tables[i]);
        database_script(two->other->db, sql);
    }
    assert_true(all_good_now(two));
    for (size_t i = 0; i < COUNT_OF(repairs); i++) {
        database_script(two->other->db, changes[i]);
        assert_true(all_good_now(two)); // this test's rows are the kept ones
    }
}

static void a_change_by_another_connection_is_seen_by_the_next_transaction(void **state)
{
    struct two *two = *state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        assert_true(all_good_now(two));
        database_script(two->other->db, changes[i]);
        assert_false(all_good_now(two));
        if (i < COUNT_OF(repairs)) {
            database_script(two->other->db, repairs[i]);
        }
    }
}

static void a_transaction_that_has_begun_keeps_what_it_saw(void **state)
{
    struct two *two = *state;
    database_begin(two->db, false);
    assert_true(all_good(two));
    database_script(two->other->db, changes[0]);
    assert_true(all_good(two));
    two->db->driver->rollback(two->db);
    assert_false(all_good_now(two));
}

static void a_change_is_seen_by_its_own_transaction(void **state)
{
    struct two *two = *state;
    for (size_t i = 0; i < COUNT_OF(repairs); i++) {
        database_begin(two->db, true);
        assert_true(all_good(two));
        change(two, changes[i]);
        assert_false(all_good(two));
        change(two, repairs[i]);
        assert_true(all_good(two));
        database_commit(two->db);
    }
}

// As a batch does it.
static void ask_ahead(struct two *two)
{
    two->db->asking = two->db->driver->is_shared;
    if (two->db->asking) {
        kept_rows_ask(two->db);
    }
    two->db->asking = false;
    two->db->asker = two;
}

static void what_was_asked_ahead_hides_no_change(void **state)
{
    struct two *two = *state;
    for (size_t i = 0; i < COUNT_OF(repairs); i++) {
        assert_true(all_good_now(two));
        database_begin(two->db, true);
        ask_ahead(two);
        change(two, changes[i]); // before the answer is used
        assert_false(all_good(two));
        database_commit(two->db);
        database_script(two->other->db, repairs[i]);
        database_begin(two->db, true);
        ask_ahead(two);
        assert_true(all_good(two));
        database_commit(two->db);
    }
}

static void a_row_read_in_a_transaction_that_is_undone_is_never_used(void **state)
{
    struct two *two = *state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        assert_true(all_good_now(two));
        database_begin(two->db, true);
        change(two, changes[i]);
        assert_false(all_good(two)); // now kept
        two->db->driver->rollback(two->db);
        // After this change a counter would stand where it stood in the lost transaction.
        database_script(two->other->db, "UPDATE merchants SET updated_us = 2");
        assert_true(all_good_now(two));
    }
}

static void a_row_read_in_a_job_that_is_undone_is_never_used(void **state)
{
    struct two *two = *state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        database_begin(two->db, true);
        assert_true(all_good(two));
        assert_int_equal(two->db->driver->savepoint(two->db, &two->err), OK);
        change(two, changes[i]);
        assert_false(all_good(two));
        assert_int_equal(two->db->driver->rollback_to(two->db, &two->err), OK);
        if (i % 2 == 0) {
            assert_true(all_good(two));
        }
        change(two, "UPDATE merchants SET updated_us = 2");
        assert_true(all_good(two));
        database_commit(two->db);
        assert_true(all_good_now(two));
    }
}

static void a_key_that_was_unknown_is_asked_for_again(void **state)
{
    struct two *two = *state;
    static const uint8_t new_hash[32] = {8};
    struct api_key key = {0};
    struct api_key_owner owner = {0};
    database_begin(two->db, false);
    assert_int_equal(api_key_find(two->db, new_hash, &two->arena, &key, &owner, &two->err), ERR_NOT_FOUND);
    two->db->driver->rollback(two->db);
    struct api_key added = two->key;
    added.id = uuid_new(&random_system, NOW_US);
    memcpy(added.hash, new_hash, sizeof(new_hash));
    database_begin(two->other->db, true);
    assert_int_equal(api_key_insert(two->other->db, &added, &two->err), OK);
    database_commit(two->other->db);
    database_begin(two->db, false);
    assert_int_equal(api_key_find(two->db, new_hash, &two->arena, &key, &owner, &two->err), OK);
    two->db->driver->rollback(two->db);
}

static void more_rows_than_are_kept_are_all_found(void **state)
{
    struct two *two = *state;
    const int64_t many = 2500; // 2000 are kept
    struct merchant merchant = sample_merchant(&two->other->merchant_id, NOW_US);
    database_begin(two->db, true);
    for (int64_t i = 1; i <= many; i++) {
        merchant.id = (struct uuid){.bytes = {0x02, (uint8_t)(i >> 8), (uint8_t)i}};
        merchant.created_us = i;
        assert_int_equal(merchant_insert(two->db, &merchant, &two->err), OK);
    }
    for (int64_t i = 0; i < 2 * many; i++) {
        const int64_t number = i % many + 1;
        const struct uuid id = {.bytes = {0x02, (uint8_t)(number >> 8), (uint8_t)number}};
        struct merchant found = {0};
        assert_int_equal(merchant_get(two->db, &id, &two->arena, &found, &two->err), OK);
        assert_int_equal(found.created_us, number);
    }
    two->db->driver->rollback(two->db);
}

static void damage_in_a_kept_row_fails_every_job_that_reads_it(void **state)
{
    struct two *two = *state;
    database_script(two->other->db, "UPDATE api_keys SET prefix = CAST(x'410042' AS TEXT)");
    for (int i = 0; i < 2; i++) {
        struct api_key key = {0};
        struct api_key_owner owner = {0};
        database_begin(two->db, false);
        assert_int_equal(api_key_find(two->db, hash, &two->arena, &key, &owner, &two->err), OK);
        assert_int_equal(db_result(two->db, OK, &two->err), ERR_STORE);
        assert_string_equal(two->err.message, "database: the file is damaged (a value in the column prefix)");
        two->db->driver->rollback(two->db);
    }
}

#define TWO_TEST(name) cmocka_unit_test_setup_teardown(name, open_two, close_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO_TEST(without_the_triggers_a_change_would_not_be_seen),
        TWO_TEST(a_change_by_another_connection_is_seen_by_the_next_transaction),
        TWO_TEST(a_transaction_that_has_begun_keeps_what_it_saw),
        TWO_TEST(a_change_is_seen_by_its_own_transaction),
        TWO_TEST(what_was_asked_ahead_hides_no_change),
        TWO_TEST(a_row_read_in_a_transaction_that_is_undone_is_never_used),
        TWO_TEST(a_row_read_in_a_job_that_is_undone_is_never_used),
        TWO_TEST(a_key_that_was_unknown_is_asked_for_again),
        TWO_TEST(more_rows_than_are_kept_are_all_found),
        ONLY_SQLITE("PostgreSQL takes no such text",
                    TWO_TEST(damage_in_a_kept_row_fails_every_job_that_reads_it)),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
