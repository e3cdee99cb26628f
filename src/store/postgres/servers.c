// The servers that a URI names: lists of hosts, their addresses and their ports, as libpq reads them. libpq
// would always begin with the first one; open.c chooses. Any thread.
#include "store/postgres/postgres.h"

#include <stdio.h>
#include <string.h>

static const char *option(const PQconninfoOption *options, const char *name)
{
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, name) == 0) {
            return options->val != NULL ? options->val : "";
        }
    }
    return "";
}

static int count_in(const char *list)
{
    int count = 1;
    for (; *list != '\0'; list++) {
        count += *list == ',';
    }
    return count;
}

// Of a list with one entry, that one is every server's.
static void take(const char *list, int number, char *out, size_t bytes)
{
    const char *entry = list;
    for (int i = 0; i < number && strchr(entry, ',') != NULL; i++) {
        entry = strchr(entry, ',') + 1;
    }
    (void)snprintf(out, bytes, "%.*s", (int)strcspn(entry, ","), entry);
}

int postgres_server_count(const char *uri)
{
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    const int hosts = count_in(option(options, "host"));
    const int addresses = count_in(option(options, "hostaddr"));
    PQconninfoFree(options);
    return hosts > addresses ? hosts : addresses;
}

void postgres_server_of(const char *uri, int number, struct postgres_server *server)
{
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    take(option(options, "host"), number, server->host, sizeof(server->host));
    take(option(options, "hostaddr"), number, server->hostaddr, sizeof(server->hostaddr));
    take(option(options, "port"), number, server->port, sizeof(server->port));
    PQconninfoFree(options);
}
