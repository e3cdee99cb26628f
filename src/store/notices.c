// Queries on notices. Their number is unique, which is the lock: whoever takes a number that another node has
// taken and not committed waits for it, and runs again. So numbers become visible in their order.
#include "store/notices.h"

enum errc notice_put(struct db *db, const struct uuid *node_id, const struct notice *notice, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO notices (topic, about, value, node_id, number) VALUES ($1, $2, $3, $4,"
                  " (SELECT coalesce(max(number), 0) + 1 FROM notices))"
                  " ON CONFLICT (topic, about) DO UPDATE SET value = excluded.value,"
                  " node_id = excluded.node_id, number = excluded.number",
                  DB_STR(notice->topic), DB_ID(&notice->about), DB_I64(notice->value), DB_ID(node_id));
}

enum errc notices_last(struct db *db, int64_t *number, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first_values(db, &rows, &has, err,
                                   "SELECT number FROM notices ORDER BY number DESC LIMIT 1", NULL, 0);
    *number = has ? db_i64(&rows, 0) : 0;
    return rc;
}

enum errc notices_after(struct db *db, const struct uuid *node_id, struct arena *arena, int64_t *number,
                        struct notice *notices, size_t max, size_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT number, node_id, topic, about, value FROM notices WHERE number > $1"
                            " ORDER BY number LIMIT $2",
                            DB_I64(*number), DB_I64((int64_t)max));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc != OK || !has) {
            break;
        }
        const struct uuid teller = db_uuid(&rows, 1);
        *number = db_i64(&rows, 0);
        if (!uuid_equal(&teller, node_id)) {
            notices[(*count)++] =
                (struct notice){db_text(&rows, 2, arena), db_uuid(&rows, 3), db_i64(&rows, 4), *number};
        }
    }
    return rc;
}

enum errc notices_forget(struct db *db, const char *topic, int64_t before_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "DELETE FROM notices WHERE topic = $1 AND value < $2"
                  " AND number < (SELECT max(number) FROM notices)",
                  DB_STR(topic), DB_I64(before_us));
}
