// Copies a long write-ahead log back into the database in two steps. First the checkpointer's thread copies
// most of it while the writer goes on, in several passes, and syncs the database. Then the writer, between
// two batches, copies the little that was added meanwhile. The second step is needed because the log only
// restarts when it was copied to its end, which the first step never reaches under load. When the writer
// alone copied the log, one batch in a hundred took 24 ms; with two steps of one pass each it took 14 ms, for
// 280 pages. With several passes, 80 pages are left to the writer.
#include "store/checkpointer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"

#define LONG_BYTES (INT64_C(16) << 20)
// Then the disk does not keep up, or the thread gets no processor: the writer waits, or the log would fill
// the disk.
#define TOO_LONG_BYTES (INT64_C(128) << 20)

void checkpointer_init(struct checkpointer *checkpointer)
{
    REQUIRE(sem_init(&checkpointer->orders, 0, 0) == 0 && sem_init(&checkpointer->done, 0, 0) == 0);
    atomic_init(&checkpointer->stopping, false);
}

enum errc checkpointer_open(struct checkpointer *checkpointer, const struct db_driver *driver,
                            const char *database, struct err *err)
{
    return driver->copy_log != NULL ? driver->open(database, false, &checkpointer->db, err) : OK;
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        REQUIRE(errno == EINTR);
    }
}

// Another thread may be in the midst of anything: as after a kill, the next start finds all that was
// answered.
static void end_unless(bool sound)
{
    if (!sound) {
        LOG(LOG_ERROR,
            "the disk failed to sync the database; the service ends, and its next start copies the "
            "write-ahead log again");
        _exit(EXIT_FAILURE);
    }
}

static void *run_orders(void *argument)
{
    struct checkpointer *checkpointer = argument;
    wait_for(&checkpointer->orders);
    while (!atomic_load(&checkpointer->stopping)) {
        end_unless(checkpointer->db->driver->copy_log_ahead(checkpointer->db));
        REQUIRE(sem_post(&checkpointer->done) == 0);
        wait_for(&checkpointer->orders);
    }
    return NULL;
}

enum errc checkpointer_start(struct checkpointer *checkpointer, struct err *err)
{
    if (checkpointer->db == NULL) {
        return OK;
    }
    const int code = pthread_create(&checkpointer->thread, NULL, run_orders, checkpointer);
    if (code != 0) {
        return err_set(err, ERR_IO, "cannot start a database thread: %s", strerrordesc_np(code));
    }
    checkpointer->started = true;
    pthread_setname_np(checkpointer->thread, "db-checkpoint");
    return OK;
}

static bool is_done(struct checkpointer *checkpointer, int64_t log_bytes)
{
    if (log_bytes >= TOO_LONG_BYTES) {
        wait_for(&checkpointer->done);
        return true;
    }
    return sem_trywait(&checkpointer->done) == 0;
}

void checkpointer_tend(struct checkpointer *checkpointer, struct db *writer)
{
    if (checkpointer->db == NULL) {
        return; // the database has no such log
    }
    const int64_t log_bytes = writer->driver->log_bytes(writer);
    if (checkpointer->ordered) {
        if (is_done(checkpointer, log_bytes)) {
            end_unless(writer->driver->copy_log(writer));
            checkpointer->ordered = false;
        }
    } else if (log_bytes >= LONG_BYTES) {
        if (checkpointer->started) {
            checkpointer->ordered = true;
            REQUIRE(sem_post(&checkpointer->orders) == 0);
        } else {
            end_unless(writer->driver->copy_log(writer));
        }
    }
}

void checkpointer_stop(struct checkpointer *checkpointer)
{
    if (checkpointer->started) {
        atomic_store(&checkpointer->stopping, true);
        REQUIRE(sem_post(&checkpointer->orders) == 0);
        pthread_join(checkpointer->thread, NULL);
    }
    if (checkpointer->db) {
        checkpointer->db->driver->close(checkpointer->db);
    }
    sem_destroy(&checkpointer->orders);
    sem_destroy(&checkpointer->done);
}
