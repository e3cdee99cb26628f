// Maps PostgreSQL's SQLSTATE codes to ours; no other file does. The primary message of a failure names
// tables, columns and constraints. Only those of class 22 may name a value, so they are never used, nor are
// the detail and the hint.
#include "store/postgres/postgres.h"

#include <string.h>

#define NOTHING_KEPT "; nothing was recorded, try again"

// The first row whose code begins the SQLSTATE.
static const struct row {
    const char *state;
    enum errc code;
    bool lose;           // the next transaction needs another connection
    const char *message; // NULL: the server's
} rows[] = {
    {"0A000", ERR_STORE_AWAY, true, NULL}, // a migration changed what a prepared statement returns
    {"08", ERR_STORE_AWAY, true, "the connection to the database failed" NOTHING_KEPT},
    {"22", ERR_STORE, false, "a value was refused"},
    {"23505", ERR_EXISTS, false, NULL}, // a unique key
    {"25006", ERR_STORE_AWAY, true, "the database is read-only" NOTHING_KEPT},
    {"25P03", ERR_STORE_AWAY, true, "this node stood still in a transaction" NOTHING_KEPT},
    {"26000", ERR_STORE_AWAY, true, NULL}, // a prepared statement vanished
    {"40003", ERR_STORE_AWAY, true, "the database lost the statement" NOTHING_KEPT},
    {"40", ERR_STORE_BUSY, false, "another node is changing the same rows" NOTHING_KEPT},
    {"42P07", ERR_EXISTS, false, NULL},    // a table: CREATE IF NOT EXISTS may meet another node's
    {"42P05", ERR_STORE_AWAY, true, NULL}, // another client's prepared statement has the name
    {"53100", ERR_STORE_AWAY, false, "the database's disk is full" NOTHING_KEPT},
    {"53", ERR_STORE_AWAY, false, "the database lacks memory or connections" NOTHING_KEPT},
    // Waited for long: the jobs run again only once.
    {"55P03", ERR_STORE_AWAY, false, "another transaction holds the same rows" NOTHING_KEPT},
    {"57014", ERR_STORE_AWAY, false, "the database cancelled the statement" NOTHING_KEPT},
    {"57", ERR_STORE_AWAY, true, "the database is stopping or starting" NOTHING_KEPT},
    {"58", ERR_STORE_AWAY, false, "the database cannot use its files" NOTHING_KEPT},
    {"", ERR_STORE, false, NULL},
};

static const struct row *row_of(const char *state)
{
    const struct row *row = rows;
    while (strncmp(state, row->state, strlen(row->state)) != 0) {
        row++;
    }
    return row;
}

static enum errc lost(struct err *err)
{
    return err_set(err, ERR_STORE_AWAY, "the connection to the database was lost" NOTHING_KEPT);
}

static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

enum errc postgres_failed(struct postgres *postgres, const PGresult *result, struct err *err)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    postgres->db.aborted = true;
    if (state == NULL || message == NULL) { // libpq's own: it lacks memory, or the server broke the protocol
        postgres->lost = true;
        return lost(err);
    }
    const struct row *row = row_of(state);
    // Outside a transaction only settings are made, and the connection is as good without them.
    const bool lose = row->lose && postgres->in_transaction;
    postgres->lost = postgres->lost || lose || is_fatal(result);
    return err_set(err, row->code, "database: %s (SQLSTATE %s)",
                   row->message != NULL ? row->message : message, state);
}

bool postgres_is_definite(const PGresult *result, bool is_commit)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL && strncmp(state, "08", 2) != 0 && strcmp(state, "40003") != 0 &&
           !(is_commit && is_fatal(result));
}
