// The ids of the keys that seal and hash this database's values, and the times of the service's runs.
// Database thread.
#include "store/meta.h"

#include <stdio.h>
#include <string.h>

#define KEY_ID_BYTES 8

static enum errc compare(struct db *db, const char *name, const char *what, const uint8_t id[KEY_ID_BYTES],
                         bool *remembered, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_first(db, &rows, remembered, err, "SELECT value FROM meta WHERE name = $1" LOCKED, DB_STR(name));
    if (!*remembered) {
        return rc;
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    size_t bytes = 0;
    const uint8_t *known = db_blob(&rows, 0, &arena, &bytes);
    if (bytes != KEY_ID_BYTES || memcmp(known, id, KEY_ID_BYTES) != 0) {
        return err_set(err, ERR_CONFIG,
                       "this database was created with another %s: use the file that it was created with",
                       what);
    }
    return OK;
}

// Compares the id with the one remembered under this name. If there is none, remembers it, unless another
// node is first.
static enum errc check(struct db *db, const char *name, const char *what, const uint8_t id[KEY_ID_BYTES],
                       struct err *err)
{
    bool remembered = false;
    enum errc rc = compare(db, name, what, id, &remembered, err);
    if (rc != OK || remembered) {
        return rc;
    }
    rc = db_run(db, NULL, err, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                DB_STR(name), DB_BYTES(id, (size_t)KEY_ID_BYTES));
    return rc == OK ? compare(db, name, what, id, &remembered, err) : rc;
}

enum errc meta_lock_keys(struct db *db, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    return db_first(db, &rows, &has, err, "SELECT 1 FROM meta WHERE name = $1" LOCKED,
                    DB_STR("master_key_id"));
}

enum errc meta_check_keys(struct db *db, const uint8_t master_key_id[8], const uint8_t pepper_id[8],
                          struct err *err)
{
    enum errc rc = check(db, "master_key_id", "master key", master_key_id, err);
    return rc != OK ? rc : check(db, "pepper_id", "pepper", pepper_id, err);
}

enum errc meta_compare_keys(struct db *db, const uint8_t master_key_id[8], const uint8_t pepper_id[8],
                            struct err *err)
{
    bool remembered = false;
    enum errc rc = compare(db, "master_key_id", "master key", master_key_id, &remembered, err);
    return rc != OK ? rc : compare(db, "pepper_id", "pepper", pepper_id, &remembered, err);
}

enum errc meta_change_master_key(struct db *db, const uint8_t id[8], struct err *err)
{
    return db_run(db, NULL, err, "UPDATE meta SET value = $1 WHERE name = 'master_key_id'",
                  DB_BYTES(id, (size_t)KEY_ID_BYTES));
}

static int64_t number_of(const uint8_t *digits, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return (int64_t)number;
}

// A time is kept as its digits, so that it means the same on every machine. Older versions kept 8 bytes in
// the machine's order.
#define TIME_DIGITS 20

static enum errc time_get(struct db *db, const char *name, int64_t *at_us, struct err *err)
{
    *at_us = 0;
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err, "SELECT value FROM meta WHERE name = $1", DB_STR(name));
    size_t bytes = 0;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const uint8_t *value = has ? db_blob(&rows, 0, &arena, &bytes) : NULL;
    if (bytes == sizeof(*at_us)) {
        memcpy(at_us, value, sizeof(*at_us));
    } else if (bytes == TIME_DIGITS) {
        *at_us = number_of(value, bytes);
    }
    return rc;
}

static enum errc time_put(struct db *db, const char *name, int64_t at_us, struct err *err)
{
    char digits[TIME_DIGITS + 1];
    (void)snprintf(digits, sizeof(digits), "%0*lld", TIME_DIGITS, (long long)at_us);
    return db_run(db, NULL, err,
                  "INSERT INTO meta (name, value) VALUES ($1, $2)"
                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                  DB_STR(name), DB_BYTES(digits, (size_t)TIME_DIGITS));
}

enum errc meta_alive_get(struct db *db, int64_t *at_us, struct err *err)
{
    return time_get(db, "alive_us", at_us, err);
}

enum errc meta_alive_put(struct db *db, int64_t at_us, struct err *err)
{
    return time_put(db, "alive_us", at_us, err);
}

enum errc meta_whole_get(struct db *db, int64_t *at_us, struct err *err)
{
    return time_get(db, "whole_us", at_us, err);
}

enum errc meta_whole_put(struct db *db, int64_t at_us, struct err *err)
{
    return time_put(db, "whole_us", at_us, err);
}

enum errc meta_accepted_get(struct db *db, int64_t *at_us, struct err *err)
{
    return time_get(db, "accepted_us", at_us, err);
}

enum errc meta_accepted_put(struct db *db, int64_t at_us, struct err *err)
{
    return time_put(db, "accepted_us", at_us, err);
}

enum errc meta_stop_mark_put(struct db *db, const struct uuid *mark, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO meta (name, value) VALUES ('stop_mark', $1)"
                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                  DB_ID(mark));
}

enum errc meta_stop_mark_take(struct db *db, struct uuid *mark, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err, "DELETE FROM meta WHERE name = $1 RETURNING value",
                            DB_STR("stop_mark"));
    *mark = has ? db_uuid(&rows, 0) : (struct uuid){0};
    return rc;
}

enum errc meta_take_turn(struct db *db, const char *work, bool *mine, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, mine, err, "SELECT 1 FROM meta WHERE name = $1" FREE_ONLY, DB_STR(work));
}

enum errc meta_oldest_schema_get(struct db *db, int64_t *version, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    DB_ROWS(rows);
    bool has = false;
    size_t bytes = 0;
    enum errc rc =
        db_first(db, &rows, &has, err, "SELECT value FROM meta WHERE name = $1", DB_STR("oldest_schema"));
    const uint8_t *digits = has ? db_blob(&rows, 0, &arena, &bytes) : NULL;
    *version = number_of(digits, bytes);
    return rc;
}
