// Jobs that read in one transaction: run directly, without threads.
#include "database_fixture.h"
#include "fake_loop.h"

#include "store/batch.h"

static int setup_things(void **state)
{
    *state = fixture_new("CREATE TABLE things (id INTEGER PRIMARY KEY) STRICT;");
    return 0;
}

static int teardown_things(void **state)
{
    fixture_free(*state);
    return 0;
}

// Counts the rows, then does what `then` says.
struct count {
    struct store_job job;
    enum { COUNT_OK, COUNT_REFUSE, COUNT_LOSE_TRANSACTION, COUNT_SLOWLY } then;
    int64_t counted;
    struct fake_loop *loop;
};

static enum errc count_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct count *count = CONTAINER_OF(job, struct count, job);
    count->counted = database_number(tx->db, "SELECT count(*) FROM things");
    switch (count->then) {
    case COUNT_OK:
        return OK;
    case COUNT_REFUSE:
        return err_set(err, ERR_CONFLICT, "not now");
    case COUNT_LOSE_TRANSACTION: // as a failed read of the disk does
        assert_int_equal(db_run(tx->db, NULL, err, "ROLLBACK"), OK);
        return err_set(err, ERR_STORE, "cannot read");
    case COUNT_SLOWLY:
        count->loop->mono_us += 1000;
        return OK;
    }
    REQUIRE(!"no such case");
    return OK;
}

static void add_count(struct list *jobs, struct fake_loop *loop, struct count *count, int then)
{
    *count = (struct count){
        .job = {.queue = STORE_READ, .run = count_run, .now_us = 1}, .then = then, .loop = loop};
    list_append(jobs, &count->job.task.link);
}

struct reading {
    struct fake_loop loop;
    struct batch_source source;
    struct db *db;
    struct list jobs;
    struct list finished;
};

static void open_reading(struct reading *reading, const struct fixture *fixture)
{
    fake_loop_init(&reading->loop, 0);
    reading->source = (struct batch_source){.loop = &reading->loop.base};
    reading->db = database_open(fixture->scratch.database, false);
    list_init(&reading->jobs);
    list_init(&reading->finished);
}

static void a_read_that_fails_does_not_reach_those_beside_it(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading;
    struct count counts[4];
    const int thens[] = {COUNT_OK, COUNT_REFUSE, COUNT_LOSE_TRANSACTION, COUNT_OK};
    const enum errc expected[] = {OK, ERR_CONFLICT, ERR_STORE, OK};
    open_reading(&reading, fixture);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        add_count(&reading.jobs, &reading.loop, &counts[i], thens[i]);
    }
    assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 4);
    assert_true(list_empty(&reading.jobs));
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        assert_int_equal(counts[i].job.result, expected[i]);
    }
    assert_string_equal(counts[1].job.err.message, "not now");
    assert_string_equal(counts[2].job.err.message, "cannot read");
    reading.db->driver->close(reading.db);
}

static void reads_see_what_was_committed_before_they_began_together(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading;
    struct count counts[2];
    open_reading(&reading, fixture);
    for (int64_t i = 0; i < 3; i++) {
        database_begin(fixture->db, true);
        database_run(fixture->db, "INSERT INTO things SELECT coalesce(max(id), 0) + 1 FROM things");
        database_commit(fixture->db);
        add_count(&reading.jobs, &reading.loop, &counts[0], COUNT_OK);
        add_count(&reading.jobs, &reading.loop, &counts[1], COUNT_OK);
        assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 2);
        assert_int_equal(counts[0].counted, i + 1);
        assert_int_equal(counts[1].counted, i + 1);
        list_init(&reading.finished);
    }
    reading.db->driver->close(reading.db);
}

static void reads_behind_a_slow_one_are_left_to_others(void **state)
{
    struct reading reading;
    struct count counts[3];
    open_reading(&reading, *state);
    add_count(&reading.jobs, &reading.loop, &counts[0], COUNT_OK);
    add_count(&reading.jobs, &reading.loop, &counts[1], COUNT_SLOWLY);
    add_count(&reading.jobs, &reading.loop, &counts[2], COUNT_OK);
    assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 2);
    assert_ptr_equal(reading.jobs.next, &counts[2].job.task.link);
    assert_ptr_equal(reading.finished.prev, &counts[1].job.task.link);
    reading.db->driver->close(reading.db);
}

static void count_ahead(struct store_job *job, struct tx *tx)
{
    struct count *count = CONTAINER_OF(job, struct count, job);
    struct err ignored;
    DB_ROWS(rows);
    db_asked(db_query(tx->db, &rows, &ignored, "SELECT count(*) FROM things WHERE id > $1", DB_I64(0)));
    count->loop->mono_us += 1000;
}

static void the_time_to_ask_for_all_leaves_no_read_to_others(void **state)
{
    struct reading reading;
    struct count counts[3];
    open_reading(&reading, *state);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        add_count(&reading.jobs, &reading.loop, &counts[i], COUNT_OK);
        counts[i].job.ahead = count_ahead;
    }
    assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 3);
    reading.db->driver->close(reading.db);
}

#define THINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_things, teardown_things)

int main(void)
{
    const struct CMUnitTest tests[] = {
        THINGS_TEST(a_read_that_fails_does_not_reach_those_beside_it),
        THINGS_TEST(reads_see_what_was_committed_before_they_began_together),
        THINGS_TEST(reads_behind_a_slow_one_are_left_to_others),
        THINGS_TEST(the_time_to_ask_for_all_leaves_no_read_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
