// Maps SQLite's result codes to ours; no other file does. SQLite's messages about constraints name tables and
// columns but never values, so they may be logged.
#include "store/sqlite/sqlite.h"

#include <string.h>

#include "base/require.h"

// The operating system's reason for an I/O failure ("Input/output error"), if SQLite still has it.
static const char *system_reason(const struct sqlite *sqlite)
{
    const int number = sqlite3_system_errno(sqlite->handle);
    const char *reason = number != 0 ? strerrordesc_np(number) : NULL;
    return reason ? reason : "no reason given";
}

enum errc sqlite_failed(const struct sqlite *sqlite, struct err *err)
{
    const int code = sqlite3_extended_errcode(sqlite->handle);
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return err_set(err, ERR_EXISTS, "database: %s", sqlite3_errmsg(sqlite->handle));
    }
    REQUIRE(code != SQLITE_IOERR_NOMEM);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        REQUIRE(!"SQLite was misused, or memory ran out");
        break;
    case SQLITE_FULL:
        return err_set(err, ERR_STORE, "database: the disk is full");
    case SQLITE_IOERR:
        return err_set(err, ERR_STORE, "database: reading or writing failed: %s (SQLite code %d)",
                       system_reason(sqlite), code);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_STORE, "database: the file is damaged (SQLite code %d)", code);
    case SQLITE_BUSY:
        return err_set(err, ERR_STORE_BUSY,
                       "the database is locked by another process; nothing was recorded, try again");
    default:
        break;
    }
    return err_set(err, ERR_STORE, "database: %s (SQLite code %d)", sqlite3_errmsg(sqlite->handle), code);
}
