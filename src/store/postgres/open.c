// Opens connections to PostgreSQL, and opens them again once they are lost. The database's name is a URI as
// libpq reads it. A password in it must reach no message, so libpq's own messages are never passed on. Any
// thread; a connection has one thread.
#include "store/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/require.h"
#include "base/timefmt.h"

// From one attempt to connect to the next.
#define CONNECT_AGAIN_US (250 * US_PER_MS)

// libpq takes a setting of the URI before those that stand before it here, and after those that follow it. A
// server that is gone is noticed within seconds. A server that cannot be written is passed over: it may be a
// standby, or was the primary before.
static const struct setting {
    const char *name;
    const char *value;
} settings[] = {
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "2"},
    {"tcp_user_timeout", "10000"},
    {"connect_timeout", "3"},
    {"fallback_application_name", "paymentsd"},
    {"gssencmode", "disable"}, // what it has decrypted and not yet passed on could not be waited for
    {"dbname", NULL},          // the URI
    {"client_encoding", "UTF8"},
    {"target_session_attrs", "read-write"},
};

// What must hold is stated, so that the defaults of a server, a database or a role do not matter: the
// isolation, that a commit is durable, and that no time limit cancels its wait for the standby. A wait for a
// lock ends before the wait for the answer does. The server soon ends a transaction of a node that stands
// still, because others wait for its locks.
static const char *const session[] = {
    "SET default_transaction_isolation = 'read committed'",
    "SET synchronous_commit = on",
    "SET statement_timeout = 0",
    "SET lock_timeout = '2s'",
    "SET idle_in_transaction_session_timeout = '5s'",
    "SET client_min_messages = warning", // postgres_commit reads the warnings
    "SET bytea_output = hex",
};

// Every statement of the service has an index, and one plan whatever its values: with plans for the values, a
// list of a merchant that the statistics do not know yet read all of his rows; without statistics, all rows.
// Other databases that speak PostgreSQL's protocol have another planner and may refuse these.
static const char *const planner[] = {
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET jit = off",
};

int64_t postgres_mono_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static void note_warning(void *context, const PGresult *notice)
{
    struct postgres *postgres = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    postgres->warned = postgres->warned || severity == NULL || strcmp(severity, "WARNING") == 0;
}

// In our words: libpq's text may hold parts of the URI, and a server's may hold a value.
static const char *reason(const PGconn *conn)
{
    const char *text = PQerrorMessage(conn);
    if (PQconnectionNeedsPassword(conn)) {
        return "it needs a password";
    }
    if (strstr(text, "certificate") != NULL || strstr(text, "SSL") != NULL) {
        return "TLS failed: check sslmode, sslrootcert and the server's certificate";
    }
    if (strstr(text, "read-only") != NULL || strstr(text, "standby") != NULL) {
        return "no server of it can be written";
    }
    return strstr(text, "FATAL") != NULL ? "the server refuses to connect" : "the server cannot be reached";
}

// Alone before a sync: a refusal undoes what else stands before that.
static enum errc try_setting(struct postgres *postgres, const char *sql, struct err *err)
{
    enum errc rc = postgres_control(postgres, POSTGRES_RUN, sql, err);
    if (rc == OK) {
        rc = postgres_pipeline_sync(postgres, err);
    }
    return postgres->lost ? rc : OK;
}

static enum errc set_up(struct postgres *postgres, struct err *err)
{
    if (PQsetnonblocking(postgres->conn, 1) != 0 || PQenterPipelineMode(postgres->conn) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    enum errc rc = OK;
    for (size_t i = 0; i < COUNT_OF(session) && rc == OK; i++) {
        rc = postgres_control(postgres, POSTGRES_RUN, session[i], err);
    }
    rc = rc == OK ? postgres_pipeline_sync(postgres, err) : rc;
    for (size_t i = 0; i < COUNT_OF(planner) && rc == OK; i++) {
        rc = try_setting(postgres, planner[i], err);
    }
    return rc;
}

void postgres_disconnect(struct postgres *postgres)
{
    postgres_forget_statements(postgres);
    PQfinish(postgres->conn);
    postgres->conn = NULL;
    postgres->lost = true;
    postgres->pending_count = 0;
    postgres_ahead_end(postgres);
    postgres->failure.code = OK;
}

static PGconn *connect_to(const struct postgres *postgres, int server)
{
    struct postgres_server one;
    postgres_server_of(postgres->database, server, &one);
    const struct setting last[] = {{"host", one.host}, {"hostaddr", one.hostaddr}, {"port", one.port}};
    const char *names[COUNT_OF(settings) + COUNT_OF(last) + 1] = {0};
    const char *values[COUNT_OF(settings) + COUNT_OF(last) + 1] = {0};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        names[count] = settings[i].name;
        values[count++] = settings[i].value != NULL ? settings[i].value : postgres->database;
    }
    for (size_t i = 0; i < COUNT_OF(last); i++) {
        if (last[i].value[0] != '\0') {
            names[count] = last[i].name;
            values[count++] = last[i].value;
        }
    }
    return PQconnectdbParams(names, values, 1);
}

// ERR_STORE_AWAY. The server that was used last comes first: one that returns may still hold what was true
// when it went. A reader uses only its writer's.
static enum errc connect(struct postgres *postgres, struct err *err)
{
    const struct postgres *writer = postgres->writer != NULL ? postgres->writer : postgres;
    const int count = postgres_server_count(postgres->database);
    const int first = atomic_load(&writer->server);
    for (int i = 0; i < (writer == postgres ? count : 1); i++) {
        const int server = (first + i) % count;
        postgres_disconnect(postgres);
        postgres->conn = connect_to(postgres, server);
        REQUIRE(postgres->conn != NULL);
        if (PQstatus(postgres->conn) == CONNECTION_OK) {
            postgres->lost = false;
            atomic_store(&postgres->server, server);
            atomic_fetch_add(&postgres->db.connected_total, 1);
            PQsetNoticeReceiver(postgres->conn, note_warning, postgres);
            return set_up(postgres, err);
        }
    }
    return err_set(err, ERR_STORE_AWAY, "%s", reason(postgres->conn));
}

static enum errc check_uri(const char *database, struct err *err)
{
    PQconninfoOption *options = PQconninfoParse(database, NULL);
    const bool readable = options != NULL && postgres_is_encoded(database);
    PQconninfoFree(options);
    return readable ? OK
                    : err_set(err, ERR_CONFIG,
                              "the database must be sqlite:PATH or postgresql://USER:PASSWORD@HOST/DATABASE; "
                              "in the user and the password, write @ as %%40 and / as %%2F");
}

enum errc postgres_open(const char *database, bool writable, struct db **db, struct err *err)
{
    enum errc rc = check_uri(database, err);
    if (rc != OK) {
        return rc;
    }
    struct postgres *postgres = calloc(1, sizeof(*postgres));
    REQUIRE(postgres != NULL);
    postgres->db.driver = &postgres_driver;
    postgres->database = database;
    postgres->writable = writable;
    struct err why = {0};
    if (connect(postgres, &why) != OK) {
        const char *host = PQhost(postgres->conn);
        rc = err_set(err, ERR_CONFIG, "cannot use the PostgreSQL database at %s: %s",
                     host != NULL ? host : "its host", why.message);
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
    postgres_disconnect(postgres);
    free(postgres);
}

void postgres_serve(struct db *db, struct db *writer)
{
    struct postgres *postgres = postgres_of(db);
    postgres->writer = postgres_of(writer);
    postgres->writer_connects = atomic_load(&writer->connected_total);
    postgres->lost = postgres->lost || postgres->server != atomic_load(&postgres->writer->server);
}

// What the writer has written since it went to another server is there. Where it could connect just now, this
// connection can, too.
static void follow_writer(struct postgres *postgres)
{
    if (postgres->writer == NULL || postgres->writer == postgres) {
        return;
    }
    const int connects = atomic_load(&postgres->writer->db.connected_total);
    if (connects != postgres->writer_connects) {
        postgres->lost = true;
        postgres->connect_again_us = 0;
        postgres->writer_connects = connects;
    }
}

enum errc postgres_connected(struct postgres *postgres, struct err *err)
{
    follow_writer(postgres);
    if (!postgres->lost && PQstatus(postgres->conn) == CONNECTION_OK) {
        return OK;
    }
    struct err why = {0};
    (void)err_set(&why, ERR_STORE_AWAY, "it was tried a moment ago");
    if (postgres_mono_us() >= postgres->connect_again_us) {
        if (connect(postgres, &why) == OK) {
            return OK;
        }
        postgres_disconnect(postgres);
        postgres->connect_again_us = postgres_mono_us() + CONNECT_AGAIN_US;
    }
    return err_set(err, ERR_STORE_AWAY,
                   "the database cannot be used now (%s); nothing was recorded, try again", why.message);
}
