// What a database driver must do; sqlite.c is one. Only store.c and db.c call it.
#pragma once

#include "store/db.h"

struct db_driver {
    const char *prefix; // of the database's name: "sqlite:"
    // `writable` false: a connection for readers. ERR_CONFIG with one plain line, ERR_STORE, ERR_STORE_BUSY.
    enum errc (*open)(const char *database, bool writable, struct db **db, struct err *err);
    // A connection that changes nothing, not even files beside the database; for one look.
    enum errc (*look)(const char *database, struct db **db, struct err *err);
    void (*close)(struct db *db);
    // Makes this process the only server of the database, until the descriptor *claim is closed. ERR_CONFIG:
    // another one is.
    enum errc (*claim)(const char *database, int *claim, struct err *err);
    // ERR_CONFIG, naming the process: somebody has claimed it. It must not be open in this process.
    enum errc (*check_unclaimed)(const char *database, struct err *err);
    // Whether the database that was claimed still is the one of this name. ERR_STORE: it was moved away or
    // replaced, so what is written to it now would be gone at the next start.
    enum errc (*in_place)(const char *database, int claim, struct err *err);
    enum errc (*begin)(struct db *db, bool write, struct err *err);
    enum errc (*commit)(struct db *db, struct err *err); // failing leaves no transaction open
    void (*rollback)(struct db *db);
    enum errc (*savepoint)(struct db *db, struct err *err);
    enum errc (*release)(struct db *db, struct err *err);
    enum errc (*rollback_to)(struct db *db, struct err *err);             // undoes and drops the savepoint
    enum errc (*script)(struct db *db, const char *sql, struct err *err); // several statements, no parameters
    enum errc (*query)(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                       size_t count, struct err *err);
    // The same for a text that is not kept.
    enum errc (*query_once)(struct db *db, struct db_rows *rows, const char *sql,
                            const struct db_value *values, size_t count, struct err *err);
    enum errc (*next)(struct db_rows *rows, bool *has, struct err *err);
    int64_t (*changed)(struct db *db);
    struct db_value (*column)(struct db_rows *rows, int column); // borrowed until the next db_next
    const char *(*column_name)(struct db_rows *rows, int column);
    void (*close_rows)(struct db_rows *rows);
    // The write-ahead log, where there is one. Both outside a transaction.
    bool (*log_is_long)(struct db *db); // after this connection's last commit
    void (*copy_log)(struct db *db);    // as much as needs no waiting; it may be long all the same
};

#define DB_DAMAGED_BYTES 80

// The first member of every driver's connection.
struct db {
    const struct db_driver *driver;
    char damaged[DB_DAMAGED_BYTES]; // what damage the present job met; "": none
};

extern const struct db_driver sqlite_driver;

// Which driver serves a database of this name. ERR_CONFIG: none.
enum errc db_driver_find(const char *database, const struct db_driver **driver, struct err *err) MUST_CHECK;
