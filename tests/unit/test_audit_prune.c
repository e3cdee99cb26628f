// Old counts leave the audit log, and its chain holds all the same: what the gaps show, and what they do not
// hide.
#include "database_fixture.h"

#include <inttypes.h>

#include "store/audit.h"

#define NOW_US (INT64_C(1700000000) * 1000000)
#define FOREVER_US INT64_MAX

static const uint8_t pepper[32] = {1, 2, 3};

// One entry for each letter: c a count, k a key; their times are 0, 1, 2 ...
static void append(struct fixture *f, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct audit_entry entry = {.event_type = *letters == 'c' ? "auth.success" : "key.created",
                                          .severity = "info",
                                          .detail = "d"};
        assert_int_equal(audit_append(f->db, pepper, &entry, NOW_US + f->made++, &f->err), OK);
    }
}

// Of the counts among the first `times` entries; looks at `max` entries in each step.
static void prune(struct fixture *f, int64_t times, int64_t max)
{
    struct audit_head after = {0};
    bool more = true;
    for (int steps = 0; more; steps++) {
        assert_true(steps < 100);
        assert_int_equal(audit_prune(f->db, pepper, NOW_US + times, max, &after, &more, &f->err), OK);
    }
}

// The numbers of the entries that are left, and of the first wrong one: "1 2 5!".
static void assert_left(struct fixture *f, const char *expected)
{
    int64_t count = 0;
    int64_t broken = 0;
    struct audit_head head = {0};
    assert_int_equal(audit_verify(f->db, pepper, &count, &broken, head.mac, &f->err), OK);
    DB_ROWS(rows);
    bool has = false;
    const char *left = "";
    assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT seq FROM audit_log ORDER BY seq"), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    while (has) {
        const int64_t seq = db_i64(&rows, 0);
        left = arena_printf(&f->arena, "%s%s%" PRId64 "%s", left, *left != '\0' ? " " : "", seq,
                            seq == broken ? "!" : "");
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
    }
    assert_string_equal(left, expected);
}

static void assert_gaps(struct fixture *f, int64_t expected)
{
    assert_int_equal(database_number(f->db, "SELECT count(*) FROM audit_gaps"), expected);
}

static void old_counts_go_and_the_chain_holds(void **state)
{
    struct fixture *f = *state;
    append(f, "ckcckcccc");
    prune(f, 7, 100);
    assert_left(f, "2 5 8 9");
    assert_gaps(f, 3);
    append(f, "kc");
    assert_left(f, "2 5 8 9 10 11");
    prune(f, 100, 100);
    assert_left(f, "2 5 10 11"); // the newest stays: the next entry goes on from it
    assert_gaps(f, 3);
    append(f, "c");
    assert_left(f, "2 5 10 11 12");
}

static void steps_of_any_size_leave_the_same(void **state)
{
    struct fixture *f = *state;
    append(f, "ccckkcccckc");
    for (int64_t max = 1; max <= 3; max++) {
        prune(f, 2 + 3 * max, max);
    }
    assert_left(f, "4 5 10 11");
    assert_gaps(f, 2);
}

static void an_entry_that_was_changed_is_never_deleted(void **state)
{
    struct fixture *f = *state;
    append(f, "cckccc");
    database_run(f->db, "UPDATE audit_log SET event_type = 'auth.success' WHERE seq = 3");
    prune(f, 100, 100);
    assert_left(f, "3! 4 5 6");
}

static void a_gap_that_another_made_hides_nothing(void **state)
{
    static const char *const attacks[] = {
        // An entry is deleted, and the gap before it is said to reach over it.
        "DELETE FROM audit_log WHERE seq = 3",
        "DELETE FROM audit_log WHERE seq = 3; UPDATE audit_gaps SET last_seq = 3",
        ("UPDATE audit_gaps SET last_seq = 3, mac = (SELECT mac FROM audit_log WHERE seq = 3);"
         "DELETE FROM audit_log WHERE seq = 3"),
        "UPDATE audit_gaps SET mac = zeroblob(32)",
        "UPDATE audit_gaps SET seal = zeroblob(32)",
        "UPDATE audit_gaps SET seal = x''",
        "DELETE FROM audit_gaps",
    };
    struct fixture *f = *state;
    append(f, "cckkk");
    prune(f, 100, 100);
    assert_left(f, "3 4 5");
    for (size_t i = 0; i < COUNT_OF(attacks); i++) {
        assert_int_equal(f->db->driver->savepoint(f->db, &f->err), OK);
        database_run(f->db, attacks[i]);
        int64_t count = 0;
        int64_t broken = 0;
        uint8_t head[AUDIT_MAC_BYTES];
        assert_int_equal(audit_verify(f->db, pepper, &count, &broken, head, &f->err), OK);
        assert_in_range(broken, 3, 4);
        assert_int_equal(f->db->driver->rollback_to(f->db, &f->err), OK);
    }
    assert_left(f, "3 4 5");
}

static bool holds(struct fixture *f, const struct audit_head *head)
{
    bool held = false;
    assert_int_equal(audit_head_holds(f->db, pepper, head, &held, &f->err), OK);
    return held;
}

static void an_earlier_head_holds_although_its_entry_was_deleted(void **state)
{
    struct fixture *f = *state;
    append(f, "kcc");
    struct audit_head head = {0};
    assert_int_equal(audit_head_read(f->db, &head, &f->err), OK);
    append(f, "cc");
    prune(f, 100, 100);
    assert_left(f, "1 5");
    assert_true(holds(f, &head));
    struct audit_head cut = {.seq = 6, .mac = {1}};
    assert_false(holds(f, &cut));
    database_run(f->db, "UPDATE audit_gaps SET last_seq = 9");
    assert_false(holds(f, &cut)); // without the pepper nobody can make a gap
    database_run(f->db, "DELETE FROM audit_gaps");
    assert_false(holds(f, &head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(old_counts_go_and_the_chain_holds),
        TEST(steps_of_any_size_leave_the_same),
        TEST(an_entry_that_was_changed_is_never_deleted),
        TEST(a_gap_that_another_made_hides_nothing),
        TEST(an_earlier_head_holds_although_its_entry_was_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
