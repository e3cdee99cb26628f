// The pipeline of one connection: commands are sent without waiting for the answers of those before. After a
// command that failed, the server skips the others up to the next sync, and so does this file: the first
// failure is kept, and whoever reads next gets it. A connection that breaks, says nothing for too long or
// breaks the protocol is lost: nothing is read from it any more. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "base/require.h"

// Waits until the socket is ready. What was received may wait inside of the TLS connection.
static void await(struct postgres *postgres, short events)
{
    const SSL *tls = PQgetssl(postgres->conn);
    if (tls != NULL && SSL_has_pending(tls) == 1) {
        return;
    }
    struct pollfd socket = {.fd = PQsocket(postgres->conn), .events = events};
    int ready;
    do {
        ready = poll(&socket, 1, postgres->writer != NULL ? POSTGRES_SILENCE_MAX_MS : -1);
    } while (ready < 0 && errno == EINTR);
    postgres->lost = postgres->lost || ready <= 0;
}

static void take_in(struct postgres *postgres)
{
    if (!postgres->lost && PQconsumeInput(postgres->conn) != 1) {
        postgres->lost = true;
    }
}

// Sends what is buffered. Takes in answers meanwhile: the server stops reading while nobody reads its own.
static enum errc send_buffered(struct postgres *postgres, struct err *err)
{
    int left = -1;
    while (!postgres->lost && (left = PQflush(postgres->conn)) == 1) {
        await(postgres, POLLIN | POLLOUT);
        take_in(postgres);
    }
    return left == 0 && !postgres->lost ? OK : postgres_failed(postgres, NULL, err);
}

void postgres_pipeline_sent(struct postgres *postgres, enum postgres_command command,
                            struct postgres_statement *statement)
{
    REQUIRE(postgres->pending_count < POSTGRES_PENDING_MAX);
    const size_t at = (postgres->pending_first + postgres->pending_count++) % POSTGRES_PENDING_MAX;
    postgres->pending[at] = (struct postgres_pending){.command = command, .statement = statement};
}

struct postgres_pending *postgres_pipeline_last(struct postgres *postgres)
{
    REQUIRE(postgres->pending_count > 0);
    return &postgres->pending[(postgres->pending_first + postgres->pending_count - 1) % POSTGRES_PENDING_MAX];
}

static struct postgres_pending take_first(struct postgres *postgres)
{
    const struct postgres_pending first = postgres->pending[postgres->pending_first];
    postgres->pending_first = (postgres->pending_first + 1) % POSTGRES_PENDING_MAX;
    postgres->pending_count--;
    return first;
}

static void note_failure(struct postgres *postgres, const PGresult *result, bool is_commit)
{
    if (postgres->failure.code == OK) {
        postgres->refused = result != NULL && postgres_is_definite(result, is_commit);
        (void)postgres_failed(postgres, result, &postgres->failure);
    }
}

// NULL: the command has no further result, or the connection is lost.
static PGresult *next_result(struct postgres *postgres)
{
    while (!postgres->lost && PQisBusy(postgres->conn) == 1) {
        await(postgres, POLLIN);
        take_in(postgres);
    }
    return postgres->lost ? NULL : PQgetResult(postgres->conn);
}

// A command has one result, and a NULL after it; a sync has no NULL.
static bool is_expected(const PGresult *result, enum postgres_command command)
{
    return result != NULL && (PQresultStatus(result) == PGRES_PIPELINE_SYNC) == (command == POSTGRES_SYNC);
}

static bool is_done(const PGresult *result, enum postgres_command command)
{
    const ExecStatusType status = PQresultStatus(result);
    const bool done =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC;
    // The COMMIT of a transaction that had failed is answered so.
    return done && !(command == POSTGRES_COMMIT && strcmp(PQcmdStatus((PGresult *)result), "COMMIT") != 0);
}

// Reads the answer of the first pending command. The result of a query goes to *rows.
static void read_one(struct postgres *postgres, PGresult **rows)
{
    const struct postgres_pending pending = take_first(postgres);
    PGresult *result = next_result(postgres);
    if (!is_expected(result, pending.command)) {
        PQclear(result);
        postgres->lost = true;
        note_failure(postgres, NULL, false);
        return;
    }
    const bool done = is_done(result, pending.command);
    if (!done) {
        note_failure(postgres, result, pending.command == POSTGRES_COMMIT);
    }
    REQUIRE(!done || pending.command != POSTGRES_RUN_ONE || strcmp(PQcmdTuples(result), "1") == 0);
    if (pending.command == POSTGRES_PREPARE) {
        postgres_statement_prepared(postgres, pending.statement, done);
    }
    if (pending.command == POSTGRES_QUERY && done) {
        PQclear(*rows);
        *rows = result;
        result = NULL;
    }
    if (pending.command == POSTGRES_AHEAD && done) {
        postgres_ahead_answered(pending.ahead, result);
        result = NULL;
    }
    PQclear(result);
    PGresult *more = pending.command != POSTGRES_SYNC ? next_result(postgres) : NULL;
    postgres->lost = postgres->lost || more != NULL;
    PQclear(more);
}

// A sync and no mere flush: only after a sync does the server count how long a transaction stands idle
// (idle_in_transaction_session_timeout), and a node that stands still must not hold its locks for ever.
enum errc postgres_pipeline_read(struct postgres *postgres, PGresult **rows, struct err *err)
{
    *rows = NULL;
    if (postgres->lost || PQpipelineSync(postgres->conn) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    postgres_pipeline_sent(postgres, POSTGRES_SYNC, NULL);
    const enum errc rc = send_buffered(postgres, err);
    if (rc != OK) {
        return rc;
    }
    while (postgres->pending_count > 0 && !postgres->lost) {
        read_one(postgres, rows);
    }
    if (postgres->lost) {
        note_failure(postgres, NULL, false);
    }
    if (postgres->failure.code != OK) {
        PQclear(*rows);
        *rows = NULL;
        return err_set(err, postgres->failure.code, "%s", postgres->failure.message);
    }
    return OK;
}

enum errc postgres_pipeline_sync(struct postgres *postgres, struct err *err)
{
    PGresult *rows = NULL;
    const enum errc rc = postgres_pipeline_read(postgres, &rows, err);
    PQclear(rows);
    postgres->failure.code = OK;
    return rc;
}
