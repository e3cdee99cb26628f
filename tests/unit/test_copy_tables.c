// Every table that a database has is copied, by its primary key, or is left out on purpose. With
// TEST_POSTGRESQL also of a database of PostgreSQL.
#include "database_fixture.h"

#include "base/require.h"
#include "base/text.h"
#include "store/copy_tables.h"

// The key as "a, b".
static const char key_in_sqlite[] = "SELECT group_concat(name, ', ') FROM"
                                    " (SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk)";
static const char key_in_postgres[] =
    "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position)"
    " FROM information_schema.key_column_usage k JOIN information_schema.table_constraints c"
    " USING (constraint_schema, constraint_name) WHERE c.constraint_type = 'PRIMARY KEY'"
    " AND c.constraint_schema = current_schema() AND c.table_name = $1";
static const char tables_in_sqlite[] =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
static const char tables_in_postgres[] = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables"
                                         " WHERE table_schema = current_schema()";

static bool is_left_out(const char *name)
{
    const char *const *left_out = copy_tables_left_out;
    while (*left_out != NULL && !text_equal(*left_out, name)) {
        left_out++;
    }
    return *left_out != NULL;
}

static void assert_listed(struct fixture *f, struct db *db, const char *name)
{
    size_t listed = is_left_out(name);
    for (size_t i = 0; i < copy_table_count; i++) {
        if (text_equal(copy_tables[i].name, name)) {
            DB_ROWS(key);
            assert_int_equal(db_one(db, &key, "no key", &f->err,
                                    db->driver == &sqlite_driver ? key_in_sqlite : key_in_postgres,
                                    DB_STR(name)),
                             OK);
            assert_string_equal(db_text(&key, 0, &f->arena), copy_tables[i].key);
            listed++;
        }
    }
    if (listed != 1) {
        fail_msg("table %s is in %zu lists", name, listed);
    }
}

static void every_table_is_copied_or_left_out_and_its_key_is_known(void **state)
{
    struct fixture *f = *state;
    const char *names[64];
    size_t count = 0;
    DB_ROWS(tables);
    bool has = true;
    const char *sql = f->db->driver == &sqlite_driver ? tables_in_sqlite : tables_in_postgres;
    assert_int_equal(db_query_once(f->db, &tables, &f->err, sql, NULL, 0), OK);
    while (has) {
        assert_int_equal(db_next(&tables, &has, &f->err), OK);
        if (has) {
            assert_true(count < COUNT_OF(names));
            names[count++] = db_text(&tables, 0, &f->arena);
        }
    }
    assert_true(count > copy_table_count);
    for (size_t i = 0; i < count; i++) {
        assert_listed(f, f->db, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_table_is_copied_or_left_out_and_its_key_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
