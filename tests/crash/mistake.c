// Preloaded into the service by the tests: plants a mistake ($MISTAKE) in the statements that it prepares on
// PostgreSQL, to prove that a test finds it.
#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mistake {
    const char *name;
    const char *begins; // the statement does so
    const char *text;   // of the statement
    const char *end;    // instead of the text and all after it; NULL: the text is left out
};

static const struct mistake mistakes[] = {
    // Rows are read and not locked. A claim still skips locked rows.
    {"no-row-lock", "", " FOR UPDATE", NULL},
    // Whoever sent an event records the outcome, whoever has its lease now.
    {"lease-not-checked", "SELECT 1 FROM outbox WHERE id = $1", "status = 'processing'",
     "$2 > 0 AND CAST($3 AS BYTEA) IS NOT NULL"},
    // A COMMIT whose answer was lost is taken for carried out.
    {"commit-guessed", "INSERT INTO commits", "RETURNING committed",
     "RETURNING CAST(1 AS BIGINT), CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"},
};

static const struct mistake *planted(const char *sql)
{
    const char *name = getenv("MISTAKE");
    for (size_t i = 0; name != NULL && i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const struct mistake *mistake = &mistakes[i];
        if (strcmp(mistake->name, name) == 0 && strncmp(sql, mistake->begins, strlen(mistake->begins)) == 0 &&
            strstr(sql, mistake->text) != NULL && strstr(sql, "SKIP LOCKED") == NULL) {
            return mistake;
        }
    }
    return NULL;
}

int PQsendPrepare(PGconn *conn, const char *name, const char *query, int nParams, const Oid *types)
{
    static int (*real)(PGconn *, const char *, const char *, int, const Oid *);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "PQsendPrepare");
    }
    const struct mistake *mistake = planted(query);
    if (mistake == NULL) {
        return real(conn, name, query, nParams, types);
    }
    const char *at = strstr(query, mistake->text);
    const char *rest = mistake->end != NULL ? mistake->end : at + strlen(mistake->text);
    char *wrong = NULL;
    if (asprintf(&wrong, "%.*s%s", (int)(at - query), query, rest) < 0) {
        abort();
    }
    const int sent = real(conn, name, wrong, nParams, types);
    free(wrong);
    return sent;
}
