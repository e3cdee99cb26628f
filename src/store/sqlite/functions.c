// Our own SQL functions: email_fold for schema steps, id_after for ids that keep an order. Any thread.
#include <sqlite3.h>
#include <string.h>

#include "base/uuid.h"
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

// id_after(made, last): the id after `last`, or `made` if that is NULL.
static void id_after(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[1]) == SQLITE_NULL) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    struct uuid id = {{0}};
    const void *last = sqlite3_value_blob(values[1]);
    if (sqlite3_value_bytes(values[1]) == sizeof(id.bytes)) {
        memcpy(id.bytes, last, sizeof(id.bytes));
    }
    if (uuid_is_nil(&id) || !uuid_has_next(&id)) {
        sqlite3_result_error_code(context, SQLITE_CORRUPT); // not an id of ours
        return;
    }
    id = uuid_after(&id);
    sqlite3_result_blob(context, id.bytes, sizeof(id.bytes), SQLITE_TRANSIENT);
}

bool sqlite_add_functions(sqlite3 *handle)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    return sqlite3_create_function(handle, "email_fold", 1, flags, NULL, fold, NULL, NULL) == SQLITE_OK &&
           sqlite3_create_function(handle, "id_after", 2, flags, NULL, id_after, NULL, NULL) == SQLITE_OK;
}
