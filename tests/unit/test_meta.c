// Times of the service's runs, as every machine reads them.
#include "database_fixture.h"

#include "store/meta.h"

static int setup_meta(void **state)
{
    *state = fixture_new("CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;");
    return 0;
}

static int teardown_meta(void **state)
{
    fixture_free(*state);
    return 0;
}

static int64_t alive(struct fixture *f)
{
    int64_t at_us = -1;
    assert_int_equal(meta_alive_get(f->db, &at_us, &f->err), OK);
    return at_us;
}

static void a_time_is_kept_as_digits(void **state)
{
    static const int64_t times_us[] = {0, 7, 12345678, 1796017067816059, INT64_MAX};
    struct fixture *f = *state;
    database_begin(f->db, true);
    assert_int_equal(alive(f), 0);
    for (size_t i = 0; i < COUNT_OF(times_us); i++) {
        assert_int_equal(meta_alive_put(f->db, times_us[i], &f->err), OK);
        assert_int_equal(alive(f), times_us[i]);
    }
    assert_int_equal(meta_alive_put(f->db, 42, &f->err), OK);
    {
        DB_ROWS(rows);
        char digits[20];
        assert_int_equal(db_one(f->db, &rows, "no row", &f->err, "SELECT value FROM meta WHERE name = $1",
                                DB_STR("alive_us")),
                         OK);
        db_fixed(&rows, 0, digits, sizeof(digits));
        assert_memory_equal(digits, "00000000000000000042", sizeof(digits));
    }
    database_commit(f->db);
}

static void a_time_of_an_older_version_is_read(void **state)
{
    struct fixture *f = *state;
    const int64_t at_us = 1796017067816059;
    database_begin(f->db, true);
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO meta (name, value) VALUES ($1, $2)",
                            DB_STR("alive_us"), DB_BYTES(&at_us, sizeof(at_us))),
                     OK);
    assert_int_equal(alive(f), at_us);
    database_commit(f->db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_time_is_kept_as_digits, setup_meta, teardown_meta),
        cmocka_unit_test_setup_teardown(a_time_of_an_older_version_is_read, setup_meta, teardown_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
