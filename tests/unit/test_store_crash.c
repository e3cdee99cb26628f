// An answered job is in the database, whenever the process is killed. (Whether it survives a power failure
// too is up to the database: for SQLite's synchronous=FULL see test_sqlite_open.c.)
#include "database.h"
#include "inbox.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/store.h"

#define IN_FLIGHT 20

struct insert {
    struct store_job job;
    int64_t id;
    int answers; // the pipe that gets the id of every finished job
};

static struct store *store;
static int64_t last_id;

static enum errc create_table(struct db *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    database_run(db, "CREATE TABLE things (id INTEGER PRIMARY KEY, bytes BLOB) STRICT");
    return OK;
}

// Two rows that may only come together.
static enum errc insert_run(struct store_job *job, struct tx *tx, struct err *err)
{
    const struct insert *insert = CONTAINER_OF(job, struct insert, job);
    const enum errc result =
        db_run(tx->db, NULL, err, "INSERT INTO things VALUES ($1, zeroblob(3000))", DB_I64(insert->id));
    return result != OK
               ? result
               : db_run(tx->db, NULL, err, "INSERT INTO things (id) VALUES ($1)", DB_I64(-insert->id));
}

static void insert_done(struct store_job *job)
{
    struct insert *insert = CONTAINER_OF(job, struct insert, job);
    if (job->result != OK || write(insert->answers, &insert->id, sizeof(insert->id)) != sizeof(insert->id)) {
        _exit(1);
    }
    insert->id = ++last_id;
    store_submit_always(store, job);
}

static _Noreturn void serve_until_killed(const char *database, int answers)
{
    struct inbox inbox;
    struct err err = {0};
    struct insert inserts[IN_FLIGHT];
    const struct store_options options = {
        .database = database, .readers = 1, .queue_max = IN_FLIGHT, .batch_max = 8};
    inbox_init(&inbox);
    if (store_open(&inbox.loop, &options, &store, &err) != OK) {
        _exit(1);
    }
    for (int i = 0; i < IN_FLIGHT; i++) {
        inserts[i] = (struct insert){
            .job = {.queue = STORE_WRITE, .run = insert_run, .done = insert_done, .now_us = 1},
            .id = ++last_id,
            .answers = answers};
        store_submit_always(store, &inserts[i].job);
    }
    while (true) {
        inbox_run(&inbox, 1);
    }
}

// Reads `least` answers, kills, reads the rest. How many there were; their ids in `answered`.
static size_t kill_after(pid_t child, int answers, size_t least, int64_t *answered, size_t max)
{
    size_t count = 0;
    bool killed = false;
    while (count < max &&
           read(answers, &answered[count], sizeof(answered[count])) == sizeof(answered[count])) {
        count++;
        if (count >= least && !killed) {
            assert_int_equal(kill(child, SIGKILL), 0);
            killed = true;
        }
    }
    return count;
}

struct expected {
    const int64_t *ids;
    size_t count;
};

static enum errc check_rows(struct db *db, void *context, struct err *err)
{
    const struct expected *expected = context;
    bool has = false;
    for (size_t i = 0; i < expected->count; i++) {
        DB_ROWS(rows);
        assert_int_equal(db_query(db, &rows, err, "SELECT count(*) FROM things WHERE id IN ($1, $2)",
                                  DB_I64(expected->ids[i]), DB_I64(-expected->ids[i])),
                         OK);
        assert_int_equal(db_next(&rows, &has, err), OK);
        assert_int_equal(db_i64(&rows, 0), 2);
    }
    DB_ROWS(rows);
    assert_int_equal(db_query(db, &rows, err, "SELECT CAST(sum(id) AS BIGINT) FROM things"),
                     OK); // none without its other half
    assert_int_equal(db_next(&rows, &has, err), OK);
    assert_int_equal(db_i64(&rows, 0), 0);
    return OK;
}

static void answered_jobs_survive_a_kill(void **state)
{
    const struct scratch *scratch = *state;
    enum { ANSWERS_MAX = 100000 };
    int64_t *answered = calloc(ANSWERS_MAX, sizeof(*answered));
    struct err err = {0};
    assert_int_equal(store_run_once(scratch->database, create_table, NULL, &err), OK);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        serve_until_killed(scratch->database, ends[1]);
    }
    close(ends[1]);
    struct expected expected = {.ids = answered};
    expected.count =
        kill_after(child, ends[0], 5000, answered, ANSWERS_MAX); // by then the log was copied back
    assert_true(expected.count >= 5000);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(store_run_once(scratch->database, check_rows, &expected, &err), OK);
    close(ends[0]);
    free(answered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answered_jobs_survive_a_kill, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
