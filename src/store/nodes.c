// See nodes.h. Queries that use the database's clock are written for PostgreSQL. They never run on SQLite,
// which has no nodes.
#include "store/nodes.h"

#include "base/timefmt.h"
#include "store/operations.h"
#include "store/outbox.h"

enum errc node_insert(struct db *db, const struct uuid *id, const char *name, int64_t now_us,
                      int64_t *database_us, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "the node was not registered", err,
                          "INSERT INTO nodes (id, name, started_us, beat, beat_us, trusts)"
                          " VALUES ($1, $2, $3, 0, " NODES_DATABASE_US ", 0) RETURNING beat_us",
                          DB_ID(id), DB_STR(name), DB_I64(now_us));
    if (rc == OK) {
        *database_us = db_i64(&rows, 0);
    }
    return rc;
}

enum errc node_beat(struct db *db, const struct uuid *id, int64_t known_beat, struct node_beat *beat,
                    struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "this node is not registered", err,
                          "UPDATE nodes SET beat = beat + 1, beat_us = " NODES_DATABASE_US
                          " WHERE id = $1 AND beat >= $2 RETURNING beat, beat_us, trusts",
                          DB_ID(id), DB_I64(known_beat));
    if (rc == OK) {
        *beat = (struct node_beat){db_i64(&rows, 0), db_i64(&rows, 1), db_bool(&rows, 2)};
    }
    return rc;
}

enum errc node_has_witness(struct db *db, const struct uuid *id, bool *has, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, has, err,
                    "SELECT 1 FROM nodes WHERE id <> $1 AND trusts = 1 AND beat_us > " NODES_DATABASE_US
                    " - $2 LIMIT 1",
                    DB_ID(id), DB_I64(NODE_DEAD_S * US_PER_S));
}

enum errc nodes_find_alive(struct db *db, struct arena *arena, const char **name, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err,
                            "SELECT name FROM nodes WHERE beat_us > " NODES_DATABASE_US
                            " - $1 ORDER BY beat_us DESC LIMIT 1",
                            DB_I64(NODE_DEAD_S * US_PER_S));
    *name = has ? db_text(&rows, 0, arena) : "";
    return rc;
}

enum errc nodes_are_gone(struct db *db, bool *gone, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err, "SELECT 1 FROM nodes LIMIT $1", DB_I64(1));
    *gone = !has;
    return rc;
}

enum errc node_trust(struct db *db, const struct uuid *id, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE nodes SET trusts = 1 WHERE id = $1", DB_ID(id));
}

enum errc nodes_distrust(struct db *db, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE nodes SET trusts = 0 WHERE trusts = 1");
}

enum errc nodes_list(struct db *db, const char *host, struct node_row nodes[NODES_MAX], size_t *count,
                     struct err *err)
{
    DB_ROWS(rows);
    bool has = true;
    *count = 0;
    enum errc rc = db_query(db, &rows, err,
                            "SELECT id, beat, CASE WHEN substr(name, 1, length($1)) = $1 THEN 1 ELSE 0 END"
                            " FROM nodes ORDER BY id LIMIT $2",
                            DB_STR(host), DB_I64(NODES_MAX));
    while (rc == OK && has) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            nodes[(*count)++] = (struct node_row){db_uuid(&rows, 0), db_i64(&rows, 1), db_bool(&rows, 2)};
        }
    }
    return rc;
}

enum errc node_delete(struct db *db, const struct uuid *id, bool *was_there, bool *trusted, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_first(db, &rows, was_there, err, "DELETE FROM nodes WHERE id = $1 RETURNING trusts", DB_ID(id));
    *trusted = *was_there && db_bool(&rows, 0);
    return rc;
}

// SKIP LOCKED: of the nodes that all find another dead, one removes it and the others do not wait.
enum errc node_remove(struct db *db, const struct node_row *node, bool *removed, struct err *err)
{
    {
        DB_ROWS(rows);
        enum errc rc =
            db_first(db, &rows, removed, err, "SELECT 1 FROM nodes WHERE id = $1 AND beat = $2" FREE_ONLY,
                     DB_ID(&node->id), DB_I64(node->beat));
        if (rc != OK || !*removed) {
            return rc;
        }
    }
    bool trusted = false;
    return node_delete(db, &node->id, removed, &trusted, err);
}

enum errc nodes_release_ended(struct db *db, int64_t now_us, struct err *err)
{
    const enum errc rc = operations_release_ended(db, now_us, err);
    return rc == OK ? outbox_release_ended(db, now_us, err) : rc;
}
