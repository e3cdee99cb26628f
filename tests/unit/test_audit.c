// The audit chain: every change to a row is found, at that row.
#include "database.h"

#include "base/crypto.h"
#include "base/text.h"
#include "store/audit.h"
#include "store/driver.h"
#include "store/meta.h"
#include "store/store.h"

#define NOW_US (INT64_C(1700000000) * 1000000)
#define ROWS 6

static const uint8_t pepper[32] = {1, 2, 3};

struct verdict {
    const uint8_t *pepper;
    int64_t count;
    int64_t broken_seq;
    uint8_t head[32];
};

static enum errc append_rows(struct db *db, void *context, struct err *err)
{
    (void)context;
    struct uuid merchant_id = uuid_new(&random_system, NOW_US);
    for (int i = 0; i < ROWS; i++) {
        // Even rows leave out every optional value.
        const struct audit_entry entry = {
            .event_type = "key.created",
            .severity = "info",
            .actor_ip = i % 2 ? "192.0.2.1" : NULL,
            .merchant_id = i % 2 ? &merchant_id : NULL,
            .key_prefix = i % 2 ? "sk_live_aaaa" : NULL,
            .detail = "made",
            .metadata_json = i % 2 ? "{\"n\":1}" : NULL,
        };
        enum errc e = audit_append(db, pepper, &entry, NOW_US + i, err);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

static enum errc verify(struct db *db, void *context, struct err *err)
{
    struct verdict *verdict = context;
    return audit_verify(db, verdict->pepper, &verdict->count, &verdict->broken_seq, verdict->head, err);
}

static enum errc tamper(struct db *db, void *context, struct err *err)
{
    (void)err;
    database_run(db, context);
    return OK;
}

static struct verdict verified(const struct scratch *scratch)
{
    struct verdict verdict = {.pepper = pepper};
    struct err err = {0};
    assert_int_equal(store_read_once(scratch->database, verify, &verdict, &err), OK);
    return verdict;
}

static void change(const struct scratch *scratch,
                   enum errc (*run)(struct db *db, void *context, struct err *err), const char *sql)
{
    struct err err = {0};
    assert_int_equal(store_run_once(scratch->database, run, (void *)(uintptr_t)sql, &err), OK);
}

static void an_empty_log_holds_with_a_head_of_zeros(void **state)
{
    change(*state, tamper, ""); // makes the tables
    struct verdict verdict = verified(*state);
    static const uint8_t zeros[32];
    assert_true(verdict.count == 0 && verdict.broken_seq == 0);
    assert_memory_equal(verdict.head, zeros, sizeof zeros);
}

static void an_appended_row_holds_and_moves_the_head(void **state)
{
    change(*state, append_rows, NULL);
    struct verdict first = verified(*state);
    assert_true(first.count == ROWS && first.broken_seq == 0);
    change(*state, append_rows, NULL);
    struct verdict second = verified(*state);
    assert_true(second.count == 2 * ROWS && second.broken_seq == 0);
    assert_memory_not_equal(first.head, second.head, sizeof first.head);
}

static void every_change_to_a_row_is_found_at_that_row(void **state)
{
    static const struct {
        const char *sql;
        int64_t broken_seq;
    } attacks[] = {
        {"UPDATE audit_log SET event_type = 'key.revoked' WHERE seq = 3", 3},
        {"UPDATE audit_log SET severity = 'warn' WHERE seq = 3", 3},
        {"UPDATE audit_log SET actor_ip = '192.0.2.2' WHERE seq = 4", 4},
        {"UPDATE audit_log SET actor_ip = NULL WHERE seq = 4", 4},
        {"UPDATE audit_log SET actor_ip = '' WHERE seq = 3", 3},
        {"UPDATE audit_log SET merchant_id = NULL WHERE seq = 4", 4},
        {"UPDATE audit_log SET merchant_id = zeroblob(16) WHERE seq = 3", 3},
        {"UPDATE audit_log SET key_prefix = 'sk_live_bbbb' WHERE seq = 2", 2},
        {"UPDATE audit_log SET detail = 'made up' WHERE seq = 6", 6},
        {"UPDATE audit_log SET metadata = '{}' WHERE seq = 2", 2},
        {"UPDATE audit_log SET created_us = created_us + 1 WHERE seq = 1", 1},
        {"UPDATE audit_log SET id = zeroblob(16) WHERE seq = 5", 5},
        {"UPDATE audit_log SET mac = zeroblob(32) WHERE seq = 5", 5},
        {"UPDATE audit_log SET mac = x'' WHERE seq = 5", 5},
        {"DELETE FROM audit_log WHERE seq = 1", 2},
        {"DELETE FROM audit_log WHERE seq = 4", 5},
        {"DELETE FROM audit_log WHERE seq = 3; UPDATE audit_log SET seq = -seq WHERE seq > 3; UPDATE "
         "audit_log SET seq = -seq - 1 WHERE seq < 0",
         3},
        {"UPDATE audit_log SET seq = 99 WHERE seq = 3; UPDATE audit_log SET seq = 3 WHERE seq = 4;"
         "UPDATE audit_log SET seq = 4 WHERE seq = 99",
         3},
        // What C strings, or columns of a fixed length, would not show.
        {"UPDATE audit_log SET event_type = event_type || char(0) || 'x' WHERE seq = 3", 3},
        {"UPDATE audit_log SET severity = severity || char(0) WHERE seq = 3", 3},
        {"UPDATE audit_log SET actor_ip = actor_ip || char(0) || 'x' WHERE seq = 4", 4},
        {"UPDATE audit_log SET key_prefix = key_prefix || char(0) || 'x' WHERE seq = 4", 4},
        {"UPDATE audit_log SET detail = detail || char(0) || 'x' WHERE seq = 3", 3},
        {"UPDATE audit_log SET metadata = metadata || char(0) || 'x' WHERE seq = 3", 3},
        {"UPDATE audit_log SET id = x'00' WHERE seq = 3", 3},
        {"UPDATE audit_log SET id = zeroblob(17) WHERE seq = 3", 3},
        {"UPDATE audit_log SET merchant_id = x'' WHERE seq = 4", 4},
        {"UPDATE audit_log SET mac = zeroblob(33) WHERE seq = 5", 5},
        // Text moved from one field to the next: the bytes in a row stay the same.
        {"UPDATE audit_log SET event_type = 'key.createdin', severity = 'fo' WHERE seq = 3", 3},
    };
    const struct scratch *scratch = *state;
    change(scratch, append_rows, NULL);
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        if (getenv("TEST_POSTGRESQL") != NULL && strstr(attacks[i].sql, "char(0)") != NULL) {
            continue; // no text of PostgreSQL's holds a NUL
        }
        change(scratch, tamper, "CREATE TABLE kept AS SELECT * FROM audit_log");
        change(scratch, tamper, attacks[i].sql);
        struct verdict verdict = verified(scratch);
        assert_int_equal(verdict.broken_seq, attacks[i].broken_seq);
        change(scratch, tamper,
               "DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept; DROP TABLE kept");
        assert_int_equal(verified(scratch).broken_seq, 0);
    }
}

static void rows_cut_off_the_end_show_in_the_head(void **state)
{
    change(*state, append_rows, NULL);
    struct verdict before = verified(*state);
    change(*state, tamper, "DELETE FROM audit_log WHERE seq = 6");
    struct verdict after = verified(*state);
    assert_int_equal(after.count, ROWS - 1);
    assert_memory_not_equal(before.head, after.head, sizeof before.head);
}

static void the_chain_cannot_be_made_without_the_pepper(void **state)
{
    const struct scratch *scratch = *state;
    static const uint8_t other[32] = {1, 2, 4};
    change(scratch, append_rows, NULL);
    struct verdict verdict = {.pepper = other};
    struct err err = {0};
    assert_int_equal(store_read_once(scratch->database, verify, &verdict, &err), OK);
    assert_int_equal(verdict.broken_seq, 1);
}

static enum errc append_one(struct db *db, void *context, struct err *err)
{
    (void)context;
    const struct audit_entry entry = {.event_type = "a", .severity = "info", .detail = "d"};
    return audit_append(db, pepper, &entry, 1, err);
}

static enum errc read_id(struct db *db, void *context, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc e = db_query(db, &rows, err, "SELECT id FROM audit_log");
    if (e == OK) {
        e = db_next(&rows, &has, err);
    }
    assert_true(has);
    *(struct uuid *)context = db_uuid(&rows, 0);
    return e;
}

// The documented form, put together here by hand.
static void a_mac_is_made_as_documented(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = {0};
    struct uuid id;
    change(scratch, append_one, NULL);
    assert_int_equal(store_read_once(scratch->database, read_id, &id, &err), OK);

    static const char before_id[] = "\0\0\0\0\0\0\0\x08"
                                    "\0\0\0\0\0\0\0\x01"
                                    "\0\0\0\0\0\0\0\x10";
    static const char behind_id[] = "\0\0\0\0\0\0\0\x01"
                                    "a"
                                    "\0\0\0\0\0\0\0\x04"
                                    "info"
                                    "\xff\xff\xff\xff\xff\xff\xff\xff"
                                    "\xff\xff\xff\xff\xff\xff\xff\xff"
                                    "\xff\xff\xff\xff\xff\xff\xff\xff"
                                    "\0\0\0\0\0\0\0\x01"
                                    "d"
                                    "\0\0\0\0\0\0\0\x02"
                                    "{}"
                                    "\0\0\0\0\0\0\0\x08"
                                    "\0\0\0\0\0\0\0\x01";
    static const uint8_t zeros[32];
    const struct crypto_part parts[] = {
        {zeros, sizeof zeros},
        {before_id, sizeof before_id - 1},
        {id.bytes, sizeof id.bytes},
        {behind_id, sizeof behind_id - 1},
    };
    uint8_t mac[32];
    crypto_hmac(pepper, sizeof pepper, parts, 4, mac);
    assert_memory_equal(verified(scratch).head, mac, sizeof mac);
}

static enum errc check_keys(struct db *db, void *context, struct err *err)
{
    const uint8_t *ids = context;
    return meta_check_keys(db, ids, ids + 8, err);
}

static void a_database_remembers_the_keys_it_was_made_with(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = {0};
    uint8_t right[] = "masterAApepperAA";
    uint8_t wrong_master[] = "masterABpepperAA";
    uint8_t wrong_pepper[] = "masterAApepperAB";
    assert_int_equal(store_run_once(scratch->database, check_keys, right, &err), OK);
    assert_int_equal(store_run_once(scratch->database, check_keys, right, &err), OK);
    assert_int_equal(store_run_once(scratch->database, check_keys, wrong_master, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "another master key"));
    assert_int_equal(store_run_once(scratch->database, check_keys, wrong_pepper, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "another pepper"));
    assert_int_equal(store_run_once(scratch->database, check_keys, right, &err), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_log_holds_with_a_head_of_zeros, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(an_appended_row_holds_and_moves_the_head, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(every_change_to_a_row_is_found_at_that_row, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(rows_cut_off_the_end_show_in_the_head, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(the_chain_cannot_be_made_without_the_pepper, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_mac_is_made_as_documented, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_database_remembers_the_keys_it_was_made_with, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
