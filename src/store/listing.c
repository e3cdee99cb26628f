// See listing.h. A list's SQL consists of the listing's constants and the numbers of parameters, never of
// bytes from a request. Database thread; the functions that add conditions: any thread.
#include "store/listing.h"

#include <string.h>

#include "base/buf.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"

#define SQL_BYTES_MAX (32 * 1024)
#define VALUES_MAX (LISTING_CONDITIONS_MAX + 5) // owner, from, below, limit, offset

void listing_where(struct listing_query *query, const char *sql, struct db_value value)
{
    REQUIRE(query->condition_count < LISTING_CONDITIONS_MAX);
    query->conditions[query->condition_count++] = (struct listing_condition){sql, value, true};
}

void listing_where_plain(struct listing_query *query, const char *sql)
{
    REQUIRE(query->condition_count < LISTING_CONDITIONS_MAX);
    query->conditions[query->condition_count++] = (struct listing_condition){.sql = sql};
}

void listing_since(struct listing_query *query, int64_t since_us, struct arena *arena)
{
    struct uuid first = uuid_first_of(since_us / US_PER_MS);
    query->from = arena_memdup(arena, &first, sizeof(first));
    if (since_us % US_PER_MS != 0) {
        listing_where(query, "created_us >= :value", DB_I64(since_us));
    }
}

void listing_until(struct listing_query *query, int64_t until_us, struct arena *arena)
{
    struct uuid end = uuid_first_of((until_us + US_PER_MS - 1) / US_PER_MS);
    listing_below(query, arena_memdup(arena, &end, sizeof(end)));
    if (until_us % US_PER_MS != 0) {
        listing_where(query, "created_us < :value", DB_I64(until_us));
    }
}

// Takes the lower of two bounds here and not in SQL: given both, a database starts at one and steps over the
// rows up to the other.
void listing_below(struct listing_query *query, const struct uuid *id)
{
    if (query->below == NULL || memcmp(id->bytes, query->below->bytes, sizeof(id->bytes)) < 0) {
        query->below = id;
    }
}

// A statement that is being built.
struct sql {
    struct buf text;
    struct db_value values[VALUES_MAX];
    size_t count;
    const char *glue; // before the next condition
};

#define SQL_CLEANUP __attribute__((cleanup(sql_release)))

static void sql_release(struct sql *sql)
{
    buf_release(&sql->text);
}

static struct sql sql_begin(const struct listing_query *query)
{
    struct sql sql = {.text = BUF_MAX(SQL_BYTES_MAX)};
    const struct uuid *ids[] = {query->owner, query->from, query->below};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        if (ids[i] != NULL) {
            sql.values[sql.count++] = DB_ID(ids[i]);
        }
    }
    for (size_t i = 0; i < query->condition_count; i++) {
        if (query->conditions[i].has_value) {
            sql.values[sql.count++] = query->conditions[i].value;
        }
    }
    return sql;
}

// Appends SQL and replaces :value, :owner and :mode. The owner is parameter 1; `value` is the value's number.
static void put(struct sql *sql, const char *template, int mode, size_t value)
{
    for (const char *at = template; *at != '\0';) {
        size_t plain = strcspn(at, ":");
        buf_add(&sql->text, at, plain);
        at += plain;
        if (text_starts_with(at, ":value")) {
            buf_printf(&sql->text, "$%zu", value);
            at += strlen(":value");
        } else if (text_starts_with(at, ":owner")) {
            buf_add_str(&sql->text, "$1");
            at += strlen(":owner");
        } else if (text_starts_with(at, ":mode")) {
            buf_printf(&sql->text, "%d", mode);
            at += strlen(":mode");
        } else {
            REQUIRE(*at == '\0');
        }
    }
}

static void put_condition(struct sql *sql, const char *template, int mode, size_t value)
{
    buf_add_str(&sql->text, sql->glue);
    sql->glue = " AND ";
    put(sql, template, mode, value);
}

// One SELECT over one mode. Each arm numbers the parameters in the order of sql_begin.
static void put_arm(struct sql *sql, const struct listing_query *query, const char *columns, int mode)
{
    const struct listing *listing = query->listing;
    size_t parameter = 0;
    buf_printf(&sql->text, "SELECT %s FROM %s", columns, listing->table);
    sql->glue = " WHERE ";
    if (query->owner != NULL) {
        parameter++;
        put_condition(sql, listing->owner, mode, 0);
    }
    if (listing->has_modes) {
        put_condition(sql, "livemode = :mode", mode, 0);
    }
    if (listing->always != NULL) {
        put_condition(sql, listing->always, mode, 0);
    }
    if (query->from != NULL) {
        put_condition(sql, "id >= :value", mode, ++parameter);
    }
    if (query->below != NULL) {
        put_condition(sql, "id < :value", mode, ++parameter);
    }
    for (size_t i = 0; i < query->condition_count; i++) {
        const struct listing_condition *condition = &query->conditions[i];
        parameter += condition->has_value;
        put_condition(sql, condition->sql, mode, parameter);
    }
}

static void put_arms(struct sql *sql, const struct listing_query *query, const char *columns)
{
    REQUIRE(!query->listing->has_modes || query->test || query->live);
    bool both = query->listing->has_modes && query->test && query->live;
    put_arm(sql, query, columns, query->live && !both);
    if (both) {
        buf_add_str(&sql->text, " UNION ALL ");
        put_arm(sql, query, columns, 1);
    }
}

// Appends "NAME $n" with that value.
static void put_number(struct sql *sql, const char *name, int64_t value)
{
    sql->values[sql->count++] = DB_I64(value);
    buf_printf(&sql->text, " %s $%zu", name, sql->count);
}

static enum errc start(struct db *db, struct sql *sql, struct db_rows *rows, struct err *err)
{
    REQUIRE(!sql->text.overflow);
    return db_query_built(db, rows, err, buf_str(&sql->text), sql->values, sql->count);
}

enum errc listing_rows(struct db *db, const struct listing_query *query, int64_t limit, struct db_rows *rows,
                       struct err *err)
{
    struct sql sql SQL_CLEANUP = sql_begin(query);
    put_arms(&sql, query, query->listing->columns);
    buf_add_str(&sql.text, " ORDER BY id DESC");
    put_number(&sql, "LIMIT", limit);
    return start(db, &sql, rows, err);
}

enum errc listing_nth(struct db *db, const struct listing_query *query, int64_t count, struct uuid *id,
                      bool *has, struct err *err)
{
    struct sql sql SQL_CLEANUP = sql_begin(query);
    put_arms(&sql, query, "id"); // an index alone can answer this, unless a filter needs other columns
    buf_add_str(&sql.text, " ORDER BY id DESC LIMIT 1");
    put_number(&sql, "OFFSET", count - 1);
    DB_ROWS(rows);
    enum errc rc = start(db, &sql, &rows, err);
    if (rc == OK) {
        rc = db_next(&rows, has, err);
    }
    if (rc == OK && *has) {
        *id = db_uuid(&rows, 0);
    }
    return rc;
}

enum errc listing_count(struct db *db, const struct listing_query *query, int64_t max, int64_t *count,
                        struct err *err)
{
    struct sql sql SQL_CLEANUP = sql_begin(query);
    buf_add_str(&sql.text, "SELECT count(*) FROM (");
    put_arms(&sql, query, "1");
    put_number(&sql, "LIMIT", max);
    buf_add_str(&sql.text, ") AS counted");
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = start(db, &sql, &rows, err);
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK) {
        REQUIRE(has);
        *count = db_i64(&rows, 0);
    }
    return rc;
}
