// The look for a COMMIT whose answer was lost comes so late that the transaction's record may be deleted
// already.
#include "database_fixture.h"

#include <time.h>

#include "store/prune.h"

static int64_t late_us; // by which the machine's clock is behind: the age of what is committed now

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time); // linked in its place
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    const int rc = __real_clock_gettime(clock, time);
    time->tv_sec -= clock == CLOCK_REALTIME ? late_us / US_PER_S : 0;
    return rc;
}

// At the COMMIT the record is there or deleted, and the server warns: so that COMMIT counts as unanswered.
static struct fixture *warned(bool deleted)
{
    struct fixture *f = fixture_new("");
    assert_int_equal(migrate(f->db, &f->err), OK);
    database_begin(f->db, true);
    assert_int_equal(
        f->db->driver->script(f->db,
                              deleted ? "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                                        " DELETE FROM commits; RAISE WARNING 'lost'; RETURN NULL; END $$"
                                      : "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                                        " RAISE WARNING 'lost'; RETURN NULL; END $$",
                              &f->err),
        OK);
    database_run(f->db, "CREATE TABLE things (thing BIGINT);"
                        "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON things"
                        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()");
    database_commit(f->db);
    db_serve(f->db, f->db);
    return f;
}

static enum errc committed(bool deleted, int64_t age_us)
{
    struct fixture *f = warned(deleted);
    late_us = age_us;
    database_begin(f->db, true);
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things VALUES ($1)", DB_I64(1)), OK);
    const enum errc rc = f->db->driver->commit(f->db, &f->err);
    late_us = 0;
    fixture_free(f);
    return rc;
}

static void a_record_that_is_there_is_believed_whatever_its_age(void **state)
{
    (void)state;
    assert_int_equal(committed(false, 0), OK);
    assert_int_equal(committed(false, COMMITS_KEPT_US), OK);
}

static void that_there_is_no_record_is_believed_for_half_of_the_time_that_it_is_kept(void **state)
{
    (void)state;
    assert_int_equal(committed(true, COMMITS_KEPT_US / 2 - 60 * US_PER_S), ERR_STORE_AWAY);
    assert_int_equal(committed(true, COMMITS_KEPT_US / 2 + 60 * US_PER_S), ERR_STORE_UNKNOWN);
}

int main(void)
{
    if (getenv("TEST_POSTGRESQL") == NULL) {
        puts("1..0 # SKIP SQLite answers a COMMIT by a function's return");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_is_there_is_believed_whatever_its_age),
        cmocka_unit_test(that_there_is_no_record_is_believed_for_half_of_the_time_that_it_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
