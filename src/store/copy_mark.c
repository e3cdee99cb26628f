// A row of the table meta: a byte for the role and the copy's id. Database thread.
#include "store/copy_mark.h"

#include <string.h>

struct stored {
    uint8_t role;
    uint8_t id[sizeof(((struct uuid *)0)->bytes)];
};

enum errc copy_mark_get(struct db *db, struct copy_mark *mark, struct err *err)
{
    *mark = (struct copy_mark){.role = COPY_NONE};
    DB_ROWS(rows);
    bool has = false;
    const enum errc rc =
        db_first(db, &rows, &has, err, "SELECT value FROM meta WHERE name = $1", DB_STR("copy"));
    if (rc != OK || !has) {
        return rc;
    }
    struct stored stored;
    db_fixed(&rows, 0, &stored, sizeof(stored));
    if (stored.role == COPY_NONE || stored.role >= COPY_ROLES) {
        return db_damaged(&rows, "value", err);
    }
    mark->role = (enum copy_role)stored.role;
    memcpy(mark->id.bytes, stored.id, sizeof(stored.id));
    return OK;
}

enum errc copy_mark_put(struct db *db, const struct copy_mark *mark, struct err *err)
{
    if (mark->role == COPY_NONE) {
        return db_run(db, NULL, err, "DELETE FROM meta WHERE name = $1", DB_STR("copy"));
    }
    struct stored stored = {.role = (uint8_t)mark->role};
    memcpy(stored.id, mark->id.bytes, sizeof(stored.id));
    return db_run(db, NULL, err,
                  "INSERT INTO meta (name, value) VALUES ($1, $2)"
                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                  DB_STR("copy"), DB_BYTES(&stored, sizeof(stored)));
}

enum errc copy_mark_hold(struct db *db, struct err *err)
{
    DB_ROWS(rows);
    return db_one(db, &rows, "another copy has finished this one", err,
                  "SELECT value FROM meta WHERE name = $1" LOCKED, DB_STR("copy"));
}

enum errc copy_mark_check(const struct copy_mark *mark, struct err *err)
{
    switch (mark->role) {
    case COPY_UNFINISHED:
        return err_set(err, ERR_CONFIG,
                       "this database is an unfinished copy: run the same paymentsd copy again to finish it");
    case COPY_LEAVING:
        return err_set(
            err, ERR_CONFIG,
            "this database is being copied to another: run the same paymentsd copy again to finish "
            "that, or paymentsd copy --cancel to stay on this one");
    case COPY_LEFT:
        return err_set(err, ERR_CONFIG,
                       "this database was copied to another, where the service runs now: to come back, use "
                       "paymentsd copy from there to an empty database");
    case COPY_NONE:
    case COPY_ROLES:
        break;
    }
    return OK;
}

enum errc copy_mark_refuse(struct db *db, struct err *err)
{
    struct copy_mark mark;
    const enum errc rc = copy_mark_get(db, &mark, err);
    return rc == OK ? copy_mark_check(&mark, err) : rc;
}
