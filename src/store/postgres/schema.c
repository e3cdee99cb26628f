// The schema is written once, in SQLite's words (store/schema.c). This is all that differs: the names of two
// types, SQLite's table options, text that is compared byte by byte, the order of ids in the indexes of lists
// (NEWEST_LAST), and two steps. The two functions use only what the databases that speak PostgreSQL's
// protocol have, too. Any thread.
#include "store/postgres/postgres.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

static const struct {
    const char *sqlite;
    const char *postgres;
} words[] = {
    // clang-format off
    {" INTEGER", " BIGINT"},
    {" TEXT", " TEXT COLLATE \"C\""},
    {" BLOB", " BYTEA"},
    {" STRICT", ""},
    {", WITHOUT ROWID", ""},
    {"/*NULLS FIRST*/", "NULLS FIRST"},
    // clang-format on
};

#define RANDOM_16_BYTES "decode(replace(CAST(gen_random_uuid() AS VARCHAR), '-', ''), 'hex')"
// The id after `last`, if this is its last byte that can grow: the bytes after it become 0.
#define ID_AFTER_AT(at, zeros)                                                                               \
    " WHEN get_byte(last, " #at ") < 255 THEN substring(set_byte(last, " #at ", get_byte(last, " #at         \
    ") + 1) FROM 1 FOR " #at " + 1) || decode('" zeros "', 'hex')"

#define GENERATION_OF(table)                                                                                 \
    "CREATE TRIGGER " table "_change AFTER INSERT OR UPDATE OR DELETE ON " table                             \
    " FOR EACH ROW EXECUTE FUNCTION advance_generation();"

const struct schema_change postgres_schema_changes[] = {
    {5, ""}, // a database of an older version never was one of PostgreSQL's
    {10,
     "CREATE TABLE generation (value BLOB NOT NULL);"
     "INSERT INTO generation (value) VALUES (" RANDOM_16_BYTES ");"
     "CREATE FUNCTION advance_generation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
     " UPDATE generation SET value = " RANDOM_16_BYTES "; RETURN NULL; END $$;"
     // Of ids of 16 bytes: the seven last are counted, as uuid_after does.
     "CREATE FUNCTION id_after(made BYTEA, last BYTEA) RETURNS BYTEA LANGUAGE plpgsql IMMUTABLE AS $$"
     " BEGIN RETURN CASE WHEN last IS NULL THEN made" ID_AFTER_AT(15, "") ID_AFTER_AT(14, "00") ID_AFTER_AT(
         13, "0000") ID_AFTER_AT(12, "000000") ID_AFTER_AT(11, "00000000") ID_AFTER_AT(10, "0000000000")
         ID_AFTER_AT(9, "000000000000") " END; END $$;" GENERATION_OF("api_keys") GENERATION_OF("merchants")
             GENERATION_OF("credentials") GENERATION_OF("credential_versions")},
    {0, NULL},
};

bool postgres_advances_generation(const char *sql)
{
    static const char *const changes[] = {"INSERT INTO ", "UPDATE ", "DELETE FROM "};
    static const char *const tables[] = {"api_keys ", "merchants ", "credentials ", "credential_versions "};
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        for (size_t j = 0; text_starts_with(sql, changes[i]) && j < COUNT_OF(tables); j++) {
            if (text_starts_with(sql + strlen(changes[i]), tables[j])) {
                return true;
            }
        }
    }
    return false;
}

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
