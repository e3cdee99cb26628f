// A copy that is cancelled while it runs does not finish: the service may already run on the source again.
// Where a database is claimed, nobody can cancel it meanwhile.
#include "copy_fixture.h"

#include "base/require.h"

struct fixture {
    struct scratch scratch;
    char to[160];
    struct err err;
    bool is_comparing;
    bool is_cancelled;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    scratch_make(&f->scratch);
    snprintf(f->to, sizeof(f->to), "sqlite:%s/to.db", f->scratch.directory);
    make_database(f->scratch.database);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static void cancel_late(void *context, const struct copy_progress *progress)
{
    struct fixture *f = context;
    if (progress->phase == COPY_PHASE_COMPARE && !f->is_comparing) {
        struct err err;
        f->is_comparing = true;
        f->is_cancelled = store_copy_cancel(f->scratch.database, &err) == OK;
    }
}

static void a_copy_that_is_cancelled_while_it_runs_does_not_finish(void **state)
{
    struct fixture *f = *state;
    const struct copy_options options = {f->scratch.database, f->to, cancel_late, f};
    int64_t rows = 0;
    const enum errc rc = store_copy(&options, &rows, &f->err);
    assert_int_equal(f->is_cancelled, getenv("TEST_POSTGRESQL") != NULL);
    assert_int_equal(rc, f->is_cancelled ? ERR_CONFIG : OK);
    assert_int_equal(role_of(f->scratch.database), f->is_cancelled ? COPY_NONE : COPY_LEFT);
    assert_int_equal(role_of(f->to), f->is_cancelled ? COPY_UNFINISHED : COPY_NONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_that_is_cancelled_while_it_runs_does_not_finish, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
