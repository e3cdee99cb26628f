// Opens connections to PostgreSQL. The database's name is a URI as libpq reads it. A password in it must
// reach no message, so no text of libpq's about the URI is passed on. Any thread; a connection has one
// thread.
#include "store/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"

// A server that is gone is noticed within seconds. libpq takes a setting of the URI before these.
static const char *const names[] = {"keepalives_idle",  "keepalives_interval", "keepalives_count",
                                    "tcp_user_timeout", "connect_timeout",     "fallback_application_name",
                                    "dbname",           "client_encoding",     NULL};
enum { DATABASE = 6 };

// The isolation is stated, so that a server's default does not matter. A lock is not waited for without end.
// Every statement of the service has an index, and one plan whatever its values: with plans for the values, a
// list of a merchant that the statistics do not know yet read all of his rows; without statistics, all rows.
static const char session[] = "SET default_transaction_isolation = 'read committed';"
                              "SET lock_timeout = '5s';"
                              "SET idle_in_transaction_session_timeout = '60s';"
                              "SET client_min_messages = warning;"
                              "SET plan_cache_mode = force_generic_plan;"
                              "SET enable_seqscan = off;"
                              "SET jit = off;"
                              "SET bytea_output = hex";

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static enum errc unusable(PGconn *conn, struct err *err)
{
    // Messages of the connection's own making name the host and the user. A server's may hold a value.
    const char *host = PQhost(conn);
    const char *name = PQdb(conn);
    return err_set(err, ERR_CONFIG, "cannot use the database %s at %s: %s", name != NULL ? name : "",
                   host != NULL ? host : "",
                   PQconnectionNeedsPassword(conn)  ? "it needs a password"
                   : PQconnectionUsedPassword(conn) ? "the server refuses to connect"
                                                    : "the server cannot be reached");
}

static enum errc set_up(struct postgres *postgres, struct err *err)
{
    PGresult *result = PQexec(postgres->conn, session);
    const bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    const enum errc rc = done ? OK : postgres_failed(postgres, result, err);
    PQclear(result);
    if (rc == OK) {
        REQUIRE(PQsetnonblocking(postgres->conn, 1) == 0 && PQenterPipelineMode(postgres->conn) == 1);
        postgres->pending_count = 0;
    }
    return rc;
}

static PGconn *connect(const char *database)
{
    const char *values[] = {"5", "2", "2", "10000", "5", "paymentsd", NULL, "UTF8", NULL};
    values[DATABASE] = database;
    return PQconnectdbParams(names, values, 1);
}

enum errc postgres_open(const char *database, bool writable, struct db **db, struct err *err)
{
    PQconninfoOption *options = PQconninfoParse(database, NULL);
    if (options == NULL) {
        return err_set(err, ERR_CONFIG,
                       "the database must be sqlite:PATH or postgresql://USER:PASSWORD@HOST/DATABASE");
    }
    PQconninfoFree(options);
    struct postgres *postgres = calloc(1, sizeof(*postgres));
    REQUIRE(postgres != NULL);
    postgres->db.driver = &postgres_driver;
    postgres->writable = writable;
    postgres->conn = connect(database);
    REQUIRE(postgres->conn != NULL);
    PQsetNoticeReceiver(postgres->conn, ignore_notice, NULL);
    enum errc rc = PQstatus(postgres->conn) == CONNECTION_OK ? OK : unusable(postgres->conn, err);
    if (rc == OK) {
        rc = set_up(postgres, err);
    }
    if (rc != OK) {
        postgres_close(&postgres->db);
        return rc;
    }
    *db = &postgres->db;
    return OK;
}

enum errc postgres_look(const char *database, struct db **db, struct err *err)
{
    return postgres_open(database, false, db, err);
}

void postgres_close(struct db *db)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->rows_open == 0);
    postgres_forget_statements(postgres);
    PQfinish(postgres->conn);
    free(postgres);
}

enum errc postgres_connected(struct postgres *postgres, struct err *err)
{
    if (PQstatus(postgres->conn) == CONNECTION_OK) {
        return OK;
    }
    postgres_forget_statements(postgres);
    PQreset(postgres->conn);
    if (PQstatus(postgres->conn) != CONNECTION_OK) {
        return err_set(err, ERR_STORE, "database: the server cannot be reached");
    }
    return set_up(postgres, err);
}
