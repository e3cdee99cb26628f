// The pipeline of one connection: commands are sent without waiting for the answers of those before. After a
// command that failed, the server skips the others up to the next sync, and so does this file: the first
// failure is kept, and whoever reads next gets it. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/require.h"

// Sends what is buffered. Takes in answers meanwhile: the server stops reading while nobody reads its own.
static enum errc send_buffered(struct postgres *postgres, struct err *err)
{
    int left;
    while ((left = PQflush(postgres->conn)) == 1) {
        struct pollfd socket = {.fd = PQsocket(postgres->conn), .events = POLLIN | POLLOUT};
        if (poll(&socket, 1, -1) < 0 && errno != EINTR) {
            break;
        }
        if ((socket.revents & POLLIN) != 0 && PQconsumeInput(postgres->conn) != 1) {
            break;
        }
    }
    return left == 0 ? OK : postgres_failed(postgres, NULL, err);
}

void postgres_pipeline_sent(struct postgres *postgres, enum postgres_command command,
                            struct postgres_statement *statement)
{
    REQUIRE(postgres->pending_count < POSTGRES_PENDING_MAX);
    const size_t at = (postgres->pending_first + postgres->pending_count++) % POSTGRES_PENDING_MAX;
    postgres->pending[at] = (struct postgres_pending){command, statement};
}

static struct postgres_pending take_first(struct postgres *postgres)
{
    const struct postgres_pending first = postgres->pending[postgres->pending_first];
    postgres->pending_first = (postgres->pending_first + 1) % POSTGRES_PENDING_MAX;
    postgres->pending_count--;
    return first;
}

static void note_failure(struct postgres *postgres, const PGresult *result)
{
    if (postgres->failure.code == OK) {
        (void)postgres_failed(postgres, result, &postgres->failure);
    }
}

// Reads the answer of the first pending command. The last result of a query goes to *rows.
static void read_one(struct postgres *postgres, PGresult **rows)
{
    const struct postgres_pending pending = take_first(postgres);
    PGresult *result = PQgetResult(postgres->conn);
    if (result == NULL) {
        note_failure(postgres, NULL); // the connection is lost
        return;
    }
    const ExecStatusType status = PQresultStatus(result);
    const bool done =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC;
    if (!done) {
        note_failure(postgres, result);
    }
    if (pending.command == POSTGRES_PREPARE) {
        postgres_statement_prepared(postgres, pending.statement, done);
    }
    if (pending.command == POSTGRES_QUERY && done) {
        *rows = result;
        result = NULL;
    }
    PQclear(result);
    if (pending.command != POSTGRES_SYNC) {
        PQclear(PQgetResult(postgres->conn)); // the NULL that ends a command's results
    }
}

enum errc postgres_pipeline_read(struct postgres *postgres, PGresult **rows, struct err *err)
{
    *rows = NULL;
    if (PQsendFlushRequest(postgres->conn) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    const enum errc rc = send_buffered(postgres, err);
    if (rc != OK) {
        return rc;
    }
    while (postgres->pending_count > 0) {
        PQclear(*rows);
        *rows = NULL;
        read_one(postgres, rows);
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
    if (PQpipelineSync(postgres->conn) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    postgres_pipeline_sent(postgres, POSTGRES_SYNC, NULL);
    PGresult *rows = NULL;
    const enum errc rc = postgres_pipeline_read(postgres, &rows, err);
    PQclear(rows);
    postgres->failure.code = OK;
    return rc;
}
