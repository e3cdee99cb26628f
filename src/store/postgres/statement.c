// The statements of one PostgreSQL connection. Each SQL text is prepared once under a name of ours. A result
// is read whole, in binary form. Literals are kept for good; of texts that were built at run time, those used
// last are kept. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

#define PARAMETERS_MAX 64
#define BUILT_MAX 64
#define NAME_BYTES 24

struct postgres_statement {
    struct postgres_statement *next;
    char name[NAME_BYTES];
    char *sql;
    bool advances_generation;
};

// The values in the form that libpq takes.
struct parameters {
    const char *values[PARAMETERS_MAX];
    int bytes[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    Oid types[PARAMETERS_MAX];
    uint64_t numbers[PARAMETERS_MAX]; // in the order of the network
    int count;
};

static void set_parameters(struct parameters *parameters, const struct db_value *values, size_t count)
{
    REQUIRE(count <= PARAMETERS_MAX);
    parameters->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        const struct db_value *value = &values[i];
        parameters->formats[i] = 1;
        parameters->bytes[i] = 0;
        parameters->values[i] = NULL;
        parameters->types[i] = 0; // the server finds out
        switch (value->type) {
        case DB_NULL:
            break;
        case DB_INT:
            parameters->numbers[i] = htobe64((uint64_t)value->integer);
            parameters->values[i] = (const char *)&parameters->numbers[i];
            parameters->bytes[i] = sizeof(parameters->numbers[i]);
            parameters->types[i] = POSTGRES_INT8;
            break;
        case DB_TEXT:
            parameters->values[i] = value->data;
            parameters->bytes[i] = (int)strlen(value->data);
            parameters->types[i] = POSTGRES_TEXT;
            break;
        case DB_BLOB:
            parameters->values[i] = value->data;
            parameters->bytes[i] = (int)value->bytes;
            parameters->types[i] = POSTGRES_BYTEA;
            break;
        case DB_FOREIGN:
            REQUIRE(!"a value that is only ever read");
            break;
        }
    }
}

// Hashes the literal's address: to hash 300 bytes of SQL would cost more.
static size_t bucket_of(const char *sql)
{
    const uintptr_t address = (uintptr_t)sql;
    return (address ^ (address >> 8)) % POSTGRES_STATEMENT_BUCKETS;
}

static struct postgres_statement *find(struct postgres_statement *first, const char *sql)
{
    while (first != NULL && strcmp(first->sql, sql) != 0) {
        first = first->next;
    }
    return first;
}

static void end(struct postgres_statement *statement)
{
    free(statement->sql);
    free(statement);
}

// The text as the server gets it: a connection that writes locks the rows (LOCKED, FREE_ONLY).
static const char *text_of(const struct postgres *postgres, struct arena *arena, const char *sql)
{
    static const char begin[] = "/*FOR UPDATE";
    const char *lock = postgres->writable ? strstr(sql, begin) : NULL;
    if (lock == NULL) {
        return sql;
    }
    const char *words = lock + strlen("/*");
    const char *end = strstr(words, "*/");
    REQUIRE(end != NULL);
    return arena_printf(arena, "%.*s%.*s%s", (int)(lock - sql), sql, (int)(end - words), words,
                        end + strlen("*/"));
}

static enum errc make_room(struct postgres *postgres, struct err *err)
{
    PGresult *rows = NULL;
    enum errc rc = postgres->lost ? postgres_failed(postgres, NULL, err) : OK;
    // A DEALLOCATE, a PREPARE, its statement, a sync.
    if (rc == OK && postgres->pending_count + 4 > POSTGRES_PENDING_MAX) {
        rc = postgres_pipeline_read(postgres, &rows, err);
        PQclear(rows);
    }
    return rc;
}

static enum errc prepare(struct postgres *postgres, const char *sql, const struct parameters *parameters,
                         struct postgres_statement **out, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof(name), "s%llu", (unsigned long long)++postgres->names);
    if (PQsendPrepare(postgres->conn, name, text_of(postgres, &arena, sql), parameters->count,
                      parameters->types) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    struct postgres_statement *statement = calloc(1, sizeof(*statement));
    REQUIRE(statement != NULL);
    statement->sql = strdup(sql);
    REQUIRE(statement->sql != NULL);
    memcpy(statement->name, name, sizeof(name));
    statement->advances_generation = postgres_advances_generation(sql);
    postgres_pipeline_sent(postgres, POSTGRES_PREPARE, statement);
    *out = statement;
    return OK;
}

static bool remove_from(struct postgres_statement **first, const struct postgres_statement *statement)
{
    while (*first != NULL && *first != statement) {
        first = &(*first)->next;
    }
    if (*first == NULL) {
        return false;
    }
    *first = statement->next;
    return true;
}

void postgres_statement_prepared(struct postgres *postgres, struct postgres_statement *statement, bool done)
{
    if (done) {
        return;
    }
    if (remove_from(&postgres->built, statement)) {
        postgres->built_count--;
    }
    for (size_t i = 0; i < POSTGRES_STATEMENT_BUCKETS; i++) {
        (void)remove_from(&postgres->statements[i], statement);
    }
    end(statement);
}

static enum errc keep(struct postgres *postgres, const char *sql, const struct parameters *parameters,
                      struct postgres_statement **out, struct err *err)
{
    struct postgres_statement **bucket = &postgres->statements[bucket_of(sql)];
    *out = find(*bucket, sql);
    if (*out != NULL) {
        return OK;
    }
    const enum errc rc = prepare(postgres, sql, parameters, out, err);
    if (*out != NULL) {
        (*out)->next = *bucket;
        *bucket = *out;
    }
    return rc;
}

static enum errc drop_last_built(struct postgres *postgres, struct err *err)
{
    struct postgres_statement **last = &postgres->built;
    REQUIRE(*last != NULL);
    while ((*last)->next != NULL) {
        last = &(*last)->next;
    }
    struct postgres_statement *dropped = *last;
    *last = NULL;
    postgres->built_count--;
    char sql[NAME_BYTES + 16];
    (void)snprintf(sql, sizeof(sql), "DEALLOCATE %s", dropped->name);
    end(dropped);
    return postgres_control(postgres, POSTGRES_RUN, sql, err);
}

static enum errc keep_built(struct postgres *postgres, const char *sql, const struct parameters *parameters,
                            struct postgres_statement **out, struct err *err)
{
    struct postgres_statement **at = &postgres->built;
    while (*at != NULL && strcmp((*at)->sql, sql) != 0) {
        at = &(*at)->next;
    }
    enum errc rc = OK;
    *out = *at;
    if (*out != NULL) {
        *at = (*out)->next;
    } else {
        rc = postgres->built_count == BUILT_MAX ? drop_last_built(postgres, err) : OK;
        if (rc == OK) {
            rc = prepare(postgres, sql, parameters, out, err);
        }
        if (*out == NULL) {
            return rc;
        }
        postgres->db.prepared_total++;
        postgres->built_count++;
    }
    (*out)->next = postgres->built;
    postgres->built = *out;
    return OK;
}

typedef enum errc keep_fn(struct postgres *postgres, const char *sql, const struct parameters *parameters,
                          struct postgres_statement **out, struct err *err);

static enum errc send(struct postgres *postgres, const char *sql, keep_fn *keep_statement,
                      enum postgres_command command, const struct db_value *values, size_t count,
                      struct err *err)
{
    REQUIRE(postgres->in_transaction && (!postgres->db.asking || command == POSTGRES_AHEAD));
    struct parameters parameters;
    set_parameters(&parameters, values, count);
    struct postgres_statement *statement = NULL;
    enum errc rc = make_room(postgres, err);
    if (rc == OK) {
        rc = keep_statement(postgres, sql, &parameters, &statement, err);
    }
    if (statement == NULL) {
        return rc;
    }
    if (statement->advances_generation) {
        postgres->db.generation_known = false;
        postgres_forget_asked(&postgres->db); // the generation is one of the answers
    }
    if (PQsendQueryPrepared(postgres->conn, statement->name, parameters.count, parameters.values,
                            parameters.bytes, parameters.formats, 1) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    postgres_pipeline_sent(postgres, command, NULL);
    return OK;
}

static enum errc ask(struct postgres *postgres, const char *sql, keep_fn *keep_statement,
                     const struct db_value *values, size_t count, struct err *err)
{
    if (postgres_ahead_find(postgres, sql, values, count) != NULL) {
        return OK; // to lock a row and to read it may be one
    }
    const enum errc rc = send(postgres, sql, keep_statement, POSTGRES_AHEAD, values, count, err);
    if (rc == OK) {
        postgres_pipeline_last(postgres)->ahead = postgres_ahead_new(postgres, sql, values, count);
    }
    return rc;
}

// The answer of a query that was asked ahead. NULL: this one was not.
static enum errc take_asked(struct postgres *postgres, const char *sql, const struct db_value *values,
                            size_t count, PGresult **answer, struct err *err)
{
    struct postgres_ahead *asked = postgres_ahead_find(postgres, sql, values, count);
    PGresult *rows = NULL;
    if (asked == NULL) {
        return OK;
    }
    const enum errc rc = postgres_ahead_is_read(asked) ? OK : postgres_pipeline_read(postgres, &rows, err);
    PQclear(rows);
    *answer = rc == OK ? postgres_ahead_take(asked) : NULL;
    return rc;
}

static enum errc query(struct db *db, struct db_rows *rows, const char *sql, keep_fn *keep_statement,
                       const struct db_value *values, size_t count, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    PGresult *read = NULL;
    if (db->asking) {
        return ask(postgres, sql, keep_statement, values, count, err);
    }
    enum errc rc = take_asked(postgres, sql, values, count, &read, err);
    if (rc == OK && read == NULL) {
        rc = send(postgres, sql, keep_statement, POSTGRES_QUERY, values, count, err);
        rc = rc == OK ? postgres_pipeline_read(postgres, &read, err) : rc;
    }
    if (rc == OK) {
        // Its result is a SELECT's, but a part of it may write.
        postgres->changed_total += strncmp(sql, "WITH", strlen("WITH")) == 0;
        postgres_rows_take(postgres, rows, read);
    }
    return rc;
}

enum errc postgres_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
                       struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    postgres->changed_total++; // perhaps
    return send(postgres, sql, keep, POSTGRES_RUN, values, count, err);
}

enum errc postgres_run_one(struct db *db, const char *sql, const struct db_value *values, size_t count,
                           struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    postgres->changed_total++;
    return send(postgres, sql, keep, POSTGRES_RUN_ONE, values, count, err);
}

enum errc postgres_lock(struct db *db, const char *sql, const struct db_value *values, size_t count,
                        struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    struct postgres_ahead *asked = postgres_ahead_find(postgres, sql, values, count);
    if (db->asking && postgres->writable) {
        return ask(postgres, sql, keep, values, count, err);
    }
    if (asked != NULL) {
        return OK; // it is locked, or the next read fails; a query of the same text may still take the answer
    }
    return postgres->writable ? send(postgres, sql, keep, POSTGRES_RUN, values, count, err) : OK;
}

enum errc postgres_query(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                         size_t count, struct err *err)
{
    return query(db, rows, sql, keep, values, count, err);
}

enum errc postgres_query_built(struct db *db, struct db_rows *rows, const char *sql,
                               const struct db_value *values, size_t count, struct err *err)
{
    return query(db, rows, sql, keep_built, values, count, err);
}

enum errc postgres_query_once(struct db *db, struct db_rows *rows, const char *sql,
                              const struct db_value *values, size_t count, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->in_transaction);
    struct parameters parameters;
    set_parameters(&parameters, values, count);
    PGresult *read = NULL;
    enum errc rc = make_room(postgres, err);
    if (rc != OK) {
        return rc;
    }
    if (PQsendQueryParams(postgres->conn, sql, parameters.count, parameters.types, parameters.values,
                          parameters.bytes, parameters.formats, 1) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    postgres_pipeline_sent(postgres, POSTGRES_QUERY, NULL);
    rc = postgres_pipeline_read(postgres, &read, err);
    if (rc == OK) {
        postgres_rows_take(postgres, rows, read);
    }
    return rc;
}

enum errc postgres_control(struct postgres *postgres, enum postgres_command command, const char *sql,
                           struct err *err)
{
    const enum errc rc = make_room(postgres, err);
    if (rc != OK) {
        return rc;
    }
    if (PQsendQueryParams(postgres->conn, sql, 0, NULL, NULL, NULL, NULL, 1) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    postgres_pipeline_sent(postgres, command, NULL);
    return OK;
}

static void end_all(struct postgres_statement **first)
{
    while (*first != NULL) {
        struct postgres_statement *statement = *first;
        *first = statement->next;
        end(statement);
    }
}

void postgres_forget_statements(struct postgres *postgres)
{
    for (size_t i = 0; i < POSTGRES_STATEMENT_BUCKETS; i++) {
        end_all(&postgres->statements[i]);
    }
    end_all(&postgres->built);
    postgres->built_count = 0;
}
