// The audit chain's head in the log: when it is written, and a log that lost it.
#include "log_capture.h"
#include "store_in_thread.h"

#include "api/audit_head.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/audit.h"
#include "store/driver.h"

#define START_US (INT64_C(1700000000) * US_PER_S)

struct fixture {
    struct scratch scratch;
    struct fake_loop loop;
    struct keyring keyring;
    struct store *store;
    struct audit_heads *heads;
};

static const uint8_t pepper[32] = {1};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(&f->scratch);
    fake_loop_init(&f->loop, START_US);
    memcpy(f->keyring.pepper, pepper, sizeof(pepper));
    f->store = store_in_thread(&f->loop, &f->scratch, &f->keyring);
    f->heads = audit_heads_open(&f->loop.base, f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    audit_heads_free(f->heads);
    store_close(f->store);
    fake_loop_run_tasks(&f->loop);
    store_free(f->store);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static enum errc append(struct db *db, void *context, struct err *err)
{
    (void)context;
    const struct audit_entry entry = {.event_type = "key.created", .severity = "info", .detail = "made"};
    return audit_append(db, pepper, &entry, START_US, err);
}

static enum errc run_sql(struct db *db, void *context, struct err *err)
{
    return db->driver->script(db, context, err);
}

static void change(struct fixture *f, enum errc (*run)(struct db *db, void *context, struct err *err),
                   const char *sql)
{
    struct err err = {0};
    assert_int_equal(store_run_once(f->scratch.database, run, (void *)(uintptr_t)sql, &err), OK);
}

// What is logged within ten minutes.
static void assert_logged(struct fixture *f, const char *wanted)
{
    BUF_CLEANUP struct buf text = BUF_MAX(64 * 1024);
    struct capture capture = capture_start();
    fake_loop_run_for(&f->loop, 600 * US_PER_S);
    capture_end(&capture, &text);
    if (wanted == NULL) {
        assert_string_equal(buf_str(&text), "");
    } else if (strstr(buf_str(&text), wanted) == NULL) {
        fail_msg("%s is not in: %s", wanted, buf_str(&text));
    }
}

static void a_head_is_written_where_it_moved(void **state)
{
    struct fixture *f = *state;
    assert_logged(f, NULL); // nothing is there yet
    change(f, append, NULL);
    assert_logged(f, "\"level\":\"info\",\"message\":\"audit head\",\"entries\":1,\"head\":\"");
    assert_logged(f, NULL);
    change(f, append, NULL);
    change(f, append, NULL);
    assert_logged(f, "\"audit head\",\"entries\":3,");
    assert_logged(f, NULL);
}

static void a_log_that_was_cut_is_an_error(void **state)
{
    struct fixture *f = *state;
    change(f, append, NULL);
    change(f, append, NULL);
    assert_logged(f, "\"entries\":2,");
    change(f, run_sql, "DELETE FROM audit_log WHERE seq = 2");
    assert_logged(f, "\"level\":\"error\",\"message\":\"the audit log was truncated or changed");
    assert_logged(f, NULL);
}

static void a_head_that_another_replaced_is_an_error(void **state)
{
    struct fixture *f = *state;
    change(f, append, NULL);
    change(f, append, NULL);
    assert_logged(f, "\"entries\":2,");
    change(f, run_sql, "DELETE FROM audit_log WHERE seq = 2");
    change(f, append, NULL); // the same number, another entry
    assert_logged(f, "the audit log was truncated or changed");
    change(f, run_sql, "DELETE FROM audit_log");
    assert_logged(f, "the audit log was truncated or changed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_head_is_written_where_it_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_was_cut_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_that_another_replaced_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
