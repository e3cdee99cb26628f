// Tests write SQLite's SQL. On PostgreSQL its words and functions that they use become PostgreSQL's. The
// product's own texts need none of this.
//
// SQLite drops a trigger without its table's name, so that stands in a comment:
// "CREATE TRIGGER refuse BEFORE UPDATE ON payments FOR EACH ROW " REFUSES, "DROP TRIGGER refuse /*ON
// payments*/".
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "store/driver.h"

#define REFUSES "BEGIN SELECT RAISE(ABORT, 'no'); END"

static const char dialect_functions[] =
    "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
    "CREATE FUNCTION zeroblob(size bigint) RETURNS bytea LANGUAGE sql AS"
    " $$ SELECT decode(repeat('00', size::int), 'hex') $$;"
    "CREATE FUNCTION randomblob(size bigint) RETURNS bytea LANGUAGE sql AS"
    " $$ SELECT substring(uuid_send(gen_random_uuid()) FROM 1 FOR size::int) $$;"
    "CREATE FUNCTION hex(bytes bytea) RETURNS text LANGUAGE sql AS $$ SELECT upper(encode(bytes, 'hex')) $$;"
    "CREATE FUNCTION instr(bytes bytea, part bytea) RETURNS bigint LANGUAGE sql AS"
    " $$ SELECT position(part IN bytes)::bigint $$;"
    "CREATE FUNCTION printf(form text, number bigint) RETURNS text LANGUAGE sql AS"
    " $$ SELECT lpad(number::text, substring(form FROM '[1-9][0-9]*')::int, '0') $$;"
    "CREATE FUNCTION smaller(one bytea, other bytea) RETURNS bytea LANGUAGE sql AS"
    " $$ SELECT CASE WHEN one < other THEN one ELSE other END $$;"
    "CREATE FUNCTION larger(one bytea, other bytea) RETURNS bytea LANGUAGE sql AS"
    " $$ SELECT CASE WHEN one > other THEN one ELSE other END $$;"
    "CREATE AGGREGATE min(bytea) (SFUNC = smaller, STYPE = bytea);"
    "CREATE AGGREGATE max(bytea) (SFUNC = larger, STYPE = bytea);";

static const struct {
    const char *sqlite;
    const char *postgres;
} dialect_words[] = {
    {"metadata ->> '$.count'", "(metadata::json ->> 'count')::int"},
    {REFUSES, "EXECUTE FUNCTION refused()"},
    {"/*ON", "ON"},
    {"*/", ""},
    {"AS BLOB", "AS BYTEA"},
    {"BLOB", "BYTEA"},
    {" STRICT", ""},
};

// Bytes: x'00' is '\x00'::bytea. Returns what follows them.
static inline const char *dialect_bytes(const char *sql, char **end)
{
    const char *digits = sql + strlen("x'");
    const size_t count = strcspn(digits, "'");
    *end += sprintf(*end, "'\\x%.*s'::bytea", (int)count, digits);
    return digits + count + 1;
}

// The text for this database. The caller frees it.
static inline char *dialect_of(const struct db *db, const char *sql)
{
    char *text = malloc(4 * strlen(sql) + 1);
    REQUIRE(text != NULL);
    if (!db->driver->is_shared) {
        return memcpy(text, sql, strlen(sql) + 1);
    }
    char *end = text;
    while (*sql != '\0') {
        size_t i = 0;
        while (i < COUNT_OF(dialect_words) &&
               strncmp(sql, dialect_words[i].sqlite, strlen(dialect_words[i].sqlite)) != 0) {
            i++;
        }
        if (i < COUNT_OF(dialect_words)) {
            end = stpcpy(end, dialect_words[i].postgres);
            sql += strlen(dialect_words[i].sqlite);
        } else if (strncmp(sql, "x'", 2) == 0) {
            sql = dialect_bytes(sql, &end);
        } else {
            *end++ = *sql++;
        }
    }
    *end = '\0';
    return text;
}
