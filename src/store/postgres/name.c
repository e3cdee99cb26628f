// What a database is called where its URI must not be shown, because that may hold a password. Any thread.
#include "store/postgres/postgres.h"

#include <string.h>

bool postgres_is_encoded(const char *uri)
{
    const char *rest = strstr(uri, "//");
    size_t signs = 0;
    rest = rest != NULL ? rest + strlen("//") : uri;
    const size_t authority = strcspn(rest, "/?");
    for (size_t i = 0; i < strcspn(rest, "?"); i++) {
        signs += rest[i] == '@' ? 1 + (i > authority) : 0;
    }
    return signs <= 1;
}

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
    if (options == NULL || !postgres_is_encoded(database)) {
        PQconninfoFree(options);
        return "";
    }
    const char *name = option(options, "dbname");
    const char *host = option(options, "host");
    const char *text = arena_printf(arena, "%s at %s", *name != '\0' ? name : option(options, "user"),
                                    *host != '\0' ? host : "this machine");
    PQconninfoFree(options);
    return text;
}
