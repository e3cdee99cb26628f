// What a database is called where its URI must not be shown, because that may hold a password. Any thread.
#include "store/postgres/postgres.h"

#include <string.h>

// "" if the URI does not set it.
static const char *option(const PQconninfoOption *options, const char *name)
{
    for (const PQconninfoOption *at = options; at->keyword != NULL; at++) {
        if (strcmp(at->keyword, name) == 0 && at->val != NULL) {
            return at->val;
        }
    }
    return "";
}

const char *postgres_name(const char *database, struct arena *arena)
{
    PQconninfoOption *options = PQconninfoParse(database, NULL);
    if (options == NULL) {
        return "";
    }
    const char *name = option(options, "dbname");
    const char *host = option(options, "host");
    const char *text = arena_printf(arena, "%s at %s", *name != '\0' ? name : option(options, "user"),
                                    *host != '\0' ? host : "this machine");
    PQconninfoFree(options);
    return text;
}
