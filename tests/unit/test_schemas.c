// Both databases have the same schema: tables, columns, keys, indexes, references, checks and triggers. They
// are described in the same words from the catalogues of two real databases, so a step that changes one alone
// is found. It needs the server that TEST_POSTGRESQL names.
#include "database.h"

#include <ctype.h>

#include "base/arena.h"
#include "base/require.h"
#include "store/migrate.h"

// Each pair yields one column of text. Lines are compared in the order of their bytes.
static const struct {
    const char *what;
    const char *sqlite;
    const char *postgres;
} questions[] = {
    // Its place in the table, its type, whether it may be NULL, its default, its place in the primary key.
    {"columns",
     "SELECT m.name || ' ' || c.cid || ' ' || c.name || ' ' || replace(c.type, 'BIGINT', 'INTEGER')"
     " || CASE WHEN c.\"notnull\" OR c.pk > 0 THEN ' NOT NULL' ELSE '' END"
     " || coalesce(' DEFAULT ' || c.dflt_value, '') || CASE WHEN c.pk > 0 THEN ' KEY ' || c.pk ELSE '' END"
     " FROM sqlite_schema m, pragma_table_info(m.name) c"
     " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
     "SELECT CAST(t.relname || ' ' || a.attnum - 1 || ' ' || a.attname || ' '"
     " || CASE format_type(a.atttypid, NULL) WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB'"
     " WHEN 'text' THEN 'TEXT' ELSE '?' END"
     " || CASE WHEN a.atttypid = 25 AND a.attcollation <> 950 THEN ' not C' ELSE '' END"
     " || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END"
     " || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')"
     " || coalesce(' KEY ' || array_position(CAST(i.indkey AS int2[]), a.attnum) + 1, '') AS text)"
     " FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped"
     " LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum"
     " LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary"
     " WHERE t.relkind = 'r' AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = "
     "current_schema())"},
    {"indexes",
     "SELECT replace(replace(replace(sql, 'CREATE ', ''), '/*', ''), '*/', '') FROM sqlite_schema WHERE type "
     "= 'index' AND sql IS NOT NULL",
     "SELECT CAST(CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX ' || x.relname || ' ON ' || "
     "t.relname || '('"
     " || (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, false)"
     " || CASE WHEN i.indoption[n - 1] & 2 = 2 THEN ' NULLS FIRST' ELSE '' END, ', ' ORDER BY n)"
     " FROM generate_series(1, i.indnatts) n) || ')'"
     " || coalesce(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), '') AS text)"
     " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
     " WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
     " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', "
     "'u'))"},
    {"unique keys",
     "SELECT m.name || ' ' || (SELECT group_concat(c.name, ', ') FROM pragma_index_info(l.name) c)"
     " FROM sqlite_schema m, pragma_index_list(m.name) l WHERE m.type = 'table' AND l.origin = 'u'",
     "SELECT CAST(t.relname || ' ' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n)"
     " FROM unnest(c.conkey) WITH ORDINALITY k(number, n)"
     " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number) AS text)"
     " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
     " WHERE c.contype = 'u' AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = "
     "current_schema())"},
    {"references",
     "SELECT m.name || ' ' || f.\"from\" || ' ' || f.\"table\" || ' ' || f.\"to\""
     " FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
     "SELECT CAST(t.relname || ' ' || a.attname || ' ' || r.relname || ' ' || b.attname AS text)"
     " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid"
     " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]"
     " JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = c.confkey[1]"
     " WHERE c.contype = 'f' AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = "
     "current_schema())"},
    {"number of checks",
     "SELECT name || ' ' || ((length(sql) - length(replace(sql, 'CHECK', ''))) / 5) FROM sqlite_schema"
     " WHERE type = 'table' AND sql LIKE '%CHECK%'",
     "SELECT CAST(t.relname || ' ' || count(*) AS text) FROM pg_constraint c JOIN pg_class t ON t.oid = "
     "c.conrelid"
     " WHERE c.contype = 'c' AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = "
     "current_schema()) GROUP BY t.relname"},
    {"changes with a trigger",
     "SELECT tbl_name || ' ' || count(*) FROM sqlite_schema WHERE type = 'trigger' GROUP BY tbl_name",
     "SELECT CAST(event_object_table || ' ' || count(*) AS text) FROM information_schema.triggers"
     " WHERE trigger_schema = current_schema() GROUP BY event_object_table"},
};

// What PostgreSQL's catalogue says in other words, and what both may write as they like.
static const char *const noise[] = {"::text", "::bigint", " COLLATE \"C\"", " ", "(", ")", "'"};

static const char *plain(struct arena *arena, const char *text)
{
    char *out = arena_strdup(arena, text);
    size_t bytes = 0;
    while (*text != '\0') {
        size_t i = 0;
        while (i < COUNT_OF(noise) && strncmp(text, noise[i], strlen(noise[i])) != 0) {
            i++;
        }
        if (i < COUNT_OF(noise)) {
            text += strlen(noise[i]);
        } else {
            out[bytes++] = (char)tolower(*text++);
        }
    }
    out[bytes] = '\0';
    return out;
}

#define LINES_MAX 512

struct lines {
    const char *texts[LINES_MAX];
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct lines describe(struct db *db, struct arena *arena, const char *sql)
{
    struct lines lines = {.count = 0};
    struct err err;
    DB_ROWS(rows);
    bool has = true;
    if (db_query_once(db, &rows, &err, sql, NULL, 0) != OK) {
        fail_msg("%s", err.message);
    }
    while (has) {
        assert_int_equal(db_next(&rows, &has, &err), OK);
        if (has) {
            assert_true(lines.count < LINES_MAX);
            lines.texts[lines.count++] = plain(arena, db_text(&rows, 0, arena));
        }
    }
    qsort(lines.texts, lines.count, sizeof(lines.texts[0]), by_text);
    return lines;
}

// The first line that only one of them has; NULL: they are the same.
static const char *difference(const struct lines *a, const struct lines *b)
{
    size_t i = 0;
    while (i < a->count && i < b->count && strcmp(a->texts[i], b->texts[i]) == 0) {
        i++;
    }
    if (i == a->count && i == b->count) {
        return NULL;
    }
    const bool is_in_a = i < a->count && (i == b->count || strcmp(a->texts[i], b->texts[i]) < 0);
    return is_in_a ? a->texts[i] : b->texts[i];
}

struct fixture {
    struct scratch scratch;
    struct arena arena;
    struct db *sqlite;
    struct db *postgres;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    scratch_make(&f->scratch);
    struct err err;
    f->sqlite = database_open(arena_printf(&f->arena, "sqlite:%s", f->scratch.path), true);
    f->postgres = database_open(f->scratch.database, true);
    assert_int_equal(migrate(f->sqlite, &err), OK);
    assert_int_equal(migrate(f->postgres, &err), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    f->sqlite->driver->close(f->sqlite);
    f->postgres->driver->close(f->postgres);
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

// Of the first question that they answer otherwise; NULL: there is none.
static const char *compare(struct fixture *f)
{
    const char *found = NULL;
    database_begin(f->sqlite, false);
    database_begin(f->postgres, false);
    for (size_t i = 0; found == NULL && i < COUNT_OF(questions); i++) {
        const struct lines sqlite = describe(f->sqlite, &f->arena, questions[i].sqlite);
        const struct lines postgres = describe(f->postgres, &f->arena, questions[i].postgres);
        assert_true(sqlite.count > 0);
        const char *line = difference(&sqlite, &postgres);
        found = line != NULL ? arena_printf(&f->arena, "%s: %s", questions[i].what, line) : NULL;
    }
    f->sqlite->driver->rollback(f->sqlite);
    f->postgres->driver->rollback(f->postgres);
    return found;
}

static void both_databases_have_the_same_schema(void **state)
{
    struct fixture *f = *state;
    const char *found = compare(f);
    if (found != NULL) {
        fail_msg("%s", found);
    }
}

static void a_change_of_one_alone_is_found(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *change; // of PostgreSQL's
        const char *back;
        const char *found;
    } changes[] = {
        {"ALTER TABLE cards ALTER brand SET NOT NULL", "ALTER TABLE cards ALTER brand DROP NOT NULL",
         "cards"},
        {"ALTER TABLE cards ALTER brand TYPE text COLLATE \"default\"",
         "ALTER TABLE cards ALTER brand TYPE text COLLATE \"C\"", "brand"},
        {"ALTER TABLE payments ADD extra bigint", "ALTER TABLE payments DROP extra", "extra"},
        {"DROP INDEX refunds_by_payment", "CREATE INDEX refunds_by_payment ON refunds(payment_id, id)",
         "refunds_by_payment"},
        {"DROP INDEX outbox_dead; CREATE INDEX outbox_dead ON outbox(merchant_id, livemode, id)",
         "DROP INDEX outbox_dead; CREATE INDEX outbox_dead ON outbox(merchant_id, livemode, id NULLS FIRST)"
         " WHERE status = 'dead'",
         "outbox_dead"},
        {"DROP INDEX refunds_by_merchant;"
         "CREATE INDEX refunds_by_merchant ON refunds(merchant_id, livemode, id)",
         "DROP INDEX refunds_by_merchant;"
         "CREATE INDEX refunds_by_merchant ON refunds(merchant_id, livemode, id NULLS FIRST)",
         "refunds_by_merchant"},
        {"ALTER TABLE refunds DROP CONSTRAINT refunds_payment_id_fkey",
         "ALTER TABLE refunds ADD FOREIGN KEY (payment_id) REFERENCES payments(id)", "refunds"},
        {"CREATE TABLE more (id bigint)", "DROP TABLE more", "more"},
        {"DROP TRIGGER merchants_change ON merchants", NULL, "merchants"},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        database_script(f->postgres, changes[i].change);
        const char *found = compare(f);
        if (found == NULL || strstr(found, changes[i].found) == NULL) {
            fail_msg("%s: %s", changes[i].change, found != NULL ? found : "not found");
        }
        if (changes[i].back != NULL) {
            database_script(f->postgres, changes[i].back);
            assert_null(compare(f));
        }
    }
}

int main(void)
{
    if (getenv("TEST_POSTGRESQL") == NULL) {
        (void)puts("1..0 # SKIP TEST_POSTGRESQL is not set");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        TEST(both_databases_have_the_same_schema),
        TEST(a_change_of_one_alone_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
