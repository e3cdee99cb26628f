// See worker.h.
#include "store/worker.h"

#include <string.h>

#include "store/kept_rows.h"

enum errc worker_open(struct worker *worker, const struct db_driver *driver, const char *database,
                      bool writable, struct err *err)
{
    const enum errc rc = driver->open(database, writable, &worker->db, err);
    if (rc == OK) {
        kept_rows_start(worker->db);
    }
    return rc;
}

enum errc worker_start(struct worker *worker, void *(*run)(void *worker), void *context, const char *name,
                       struct err *err)
{
    worker->context = context;
    const int code = pthread_create(&worker->thread, NULL, run, worker);
    if (code != 0) {
        return err_set(err, ERR_IO, "cannot start a database thread: %s", strerrordesc_np(code));
    }
    worker->started = true;
    pthread_setname_np(worker->thread, name);
    return OK;
}

void worker_join(struct worker *worker)
{
    if (worker->started) {
        pthread_join(worker->thread, NULL);
    }
}

void worker_close(struct worker *worker)
{
    if (worker->db) {
        kept_rows_stop(worker->db);
        worker->db->driver->close(worker->db);
    }
}
