// Maps PostgreSQL's SQLSTATE codes to ours; no other file does. The primary message of a failure names
// tables, columns and constraints but never values; the detail and the hint do, so they are never used.
#include "store/postgres/postgres.h"

#include <string.h>

#define UNIQUE_VIOLATION "23505"
#define SERIALIZATION_FAILURE "40001"
#define DEADLOCK_DETECTED "40P01"
#define LOCK_NOT_AVAILABLE "55P03"
#define DISK_FULL "53100"
#define TOO_MANY_CONNECTIONS "53300"
#define READ_ONLY_TRANSACTION "25006"

static bool is(const char *state, const char *other)
{
    return strcmp(state, other) == 0;
}

enum errc postgres_failed(struct postgres *postgres, const PGresult *result, struct err *err)
{
    postgres->db.aborted = true;
    if (PQstatus(postgres->conn) != CONNECTION_OK) {
        return err_set(err, ERR_STORE, "database: the connection is lost");
    }
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (state == NULL || message == NULL) {
        return err_set(err, ERR_STORE, "database: no reason given");
    }
    if (is(state, UNIQUE_VIOLATION)) {
        return err_set(err, ERR_EXISTS, "database: %s", message);
    }
    if (is(state, SERIALIZATION_FAILURE) || is(state, DEADLOCK_DETECTED) || is(state, LOCK_NOT_AVAILABLE)) {
        return err_set(err, ERR_STORE_BUSY,
                       "another node is changing the same rows; nothing was recorded, try again");
    }
    if (is(state, DISK_FULL)) {
        return err_set(err, ERR_STORE, "database: the server's disk is full");
    }
    if (is(state, TOO_MANY_CONNECTIONS)) {
        return err_set(err, ERR_STORE, "database: the server has no connection left");
    }
    if (is(state, READ_ONLY_TRANSACTION)) {
        return err_set(err, ERR_STORE, "database: the server is read-only");
    }
    return err_set(err, ERR_STORE, "database: %s (SQLSTATE %s)", message, state);
}
