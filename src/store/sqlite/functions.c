// Our own SQL functions, for schema steps. Any thread.
#include <sqlite3.h>

#include "domain/email.h"
#include "store/sqlite/sqlite.h"

// email_fold(text)
static void fold(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *email = (const char *)sqlite3_value_text(values[0]);
    if (email == NULL) {
        sqlite3_result_null(context);
    } else {
        sqlite3_result_text(context, email_fold(&arena, email), -1, SQLITE_TRANSIENT);
    }
}

bool sqlite_add_functions(sqlite3 *handle)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    return sqlite3_create_function(handle, "email_fold", 1, flags, NULL, fold, NULL, NULL) == SQLITE_OK;
}
