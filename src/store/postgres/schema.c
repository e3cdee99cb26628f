// The schema is written once, in SQLite's words (store/schema.c). This is all that differs: the names of two
// types, SQLite's table options, text that is compared byte by byte, and two steps. Any thread.
#include "store/postgres/postgres.h"

#include <string.h>

#include "base/require.h"

static const struct {
    const char *sqlite;
    const char *postgres;
} words[] = {
    {" INTEGER", " BIGINT"}, {" TEXT", " TEXT COLLATE \"C\""}, {" BLOB", " BYTEA"},
    {" STRICT", ""},         {", WITHOUT ROWID", ""},
};

#define GENERATION_OF(table)                                                                                 \
    "CREATE TRIGGER " table "_change AFTER INSERT OR UPDATE OR DELETE ON " table                             \
    " FOR EACH ROW EXECUTE FUNCTION advance_generation();"

const struct schema_change postgres_schema_changes[] = {
    {5, ""}, // a database of an older version never was one of PostgreSQL's
    {10,
     "CREATE TABLE generation (value BLOB NOT NULL);"
     "INSERT INTO generation (value) VALUES (uuid_send(gen_random_uuid()));"
     "CREATE FUNCTION advance_generation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
     " UPDATE generation SET value = uuid_send(gen_random_uuid()); RETURN NULL; END $$;"
     // Of ids of 16 bytes: the seven last are counted, as uuid_after does.
     "CREATE FUNCTION id_after(made BYTEA, last BYTEA) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$"
     " SELECT CASE WHEN last IS NULL THEN made ELSE substring(last FROM 1 FOR 9) || substring(int8send("
     "('x' || encode(substring(last FROM 10), 'hex'))::bit(56)::bigint + 1) FROM 2) END $$;" GENERATION_OF(
         "api_keys") GENERATION_OF("merchants") GENERATION_OF("credentials")
         GENERATION_OF("credential_versions")},
    {0, NULL},
};

const char *postgres_script_of(struct arena *arena, const char *script)
{
    // The longest word takes 17 bytes, for five of SQLite's.
    char *text = arena_alloc(arena, 4 * strlen(script) + 1);
    char *end = text;
    while (*script != '\0') {
        size_t i = 0;
        while (i < COUNT_OF(words) && strncmp(script, words[i].sqlite, strlen(words[i].sqlite)) != 0) {
            i++;
        }
        if (i < COUNT_OF(words)) {
            end = stpcpy(end, words[i].postgres);
            script += strlen(words[i].sqlite);
        } else {
            *end++ = *script++;
        }
    }
    *end = '\0';
    return text;
}
