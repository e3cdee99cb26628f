// See listing.h. A list's SQL consists of the listing's constants and the numbers of parameters, never of
// bytes from a request. Database thread; the functions that add conditions: any thread.
#include "store/listing.h"

#include <string.h>

#include "base/buf.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/driver.h"

#define SQL_BYTES_MAX (32 * 1024)
#define VALUES_MAX (LISTING_CONDITIONS_MAX + 6) // owner, from, below, two limits, offset

static enum filter_reach reach_of(const struct filter *filter, const struct filter_word *word)
{
    const bool is_partial = filter->reach == REACH_PART || filter->reach == REACH_RANGE;
    return is_partial && word != NULL && word->also == NULL ? REACH_TEST : filter->reach;
}

void listing_filter(struct listing_query *query, const struct filter *filter, const struct filter_word *word,
                    struct db_value value)
{
    REQUIRE(query->condition_count < LISTING_CONDITIONS_MAX);
    query->conditions[query->condition_count++] = (struct listing_condition){
        filter->condition, word != NULL ? word->also : NULL, value, true, reach_of(filter, word)};
}

void listing_where(struct listing_query *query, const char *sql, struct db_value value)
{
    REQUIRE(query->condition_count < LISTING_CONDITIONS_MAX);
    query->conditions[query->condition_count++] =
        (struct listing_condition){.sql = sql, .value = value, .has_value = true};
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
        listing_where(query, ":time >= :value", DB_I64(since_us));
    }
}

void listing_until(struct listing_query *query, int64_t until_us, struct arena *arena)
{
    struct uuid end = uuid_first_of((until_us + US_PER_MS - 1) / US_PER_MS);
    listing_below(query, arena_memdup(arena, &end, sizeof(end)));
    if (until_us % US_PER_MS != 0) {
        listing_where(query, ":time < :value", DB_I64(until_us));
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
    const char *glue;   // before the next condition
    const char *newest; // ORDER BY
    const char *time;   // the listing's
    bool merges_lists;  // as the driver's
};

#define SQL_CLEANUP __attribute__((cleanup(sql_release)))

static void sql_release(struct sql *sql)
{
    buf_release(&sql->text);
}

// The condition whose index is read; NULL: that of the listing's own. Of equals, the last.
static const struct listing_condition *leading(const struct listing_query *query)
{
    const struct listing_condition *lead = NULL;
    for (size_t i = 0; i < query->condition_count; i++) {
        const struct listing_condition *condition = &query->conditions[i];
        if (condition->reach != REACH_TEST && condition->reach != REACH_OWNER &&
            (lead == NULL || condition->reach >= lead->reach)) {
            lead = condition;
        }
    }
    return lead;
}

bool listing_passes_rows(const struct listing_query *query)
{
    const struct listing_condition *lead = leading(query);
    if (lead != NULL && lead->reach == REACH_FEW) {
        return false;
    }
    for (size_t i = 0; i < query->condition_count; i++) {
        const struct listing_condition *condition = &query->conditions[i];
        const bool is_in_key = condition == lead && condition->reach == REACH_RANGE;
        if (!is_in_key && condition->reach != REACH_OWNER) {
            return true;
        }
    }
    return false;
}

// Appends "$n", the parameter of the last value.
static void put_parameter(struct sql *sql)
{
    const char text[] = {'$', (char)('0' + sql->count / 10), (char)('0' + sql->count % 10)};
    _Static_assert(VALUES_MAX < 100, "two digits");
    buf_add(&sql->text, text, 1);
    buf_add(&sql->text, sql->count < 10 ? text + 2 : text + 1, sql->count < 10 ? 1 : 2);
}

// Appends SQL and replaces :value, :owner, :mode and :time. The owner is parameter 1, the value is the last
// one.
static void put(struct sql *sql, const char *template, int mode)
{
    for (const char *at = template; *at != '\0';) {
        size_t plain = strcspn(at, ":");
        buf_add(&sql->text, at, plain);
        at += plain;
        if (text_starts_with(at, ":value")) {
            put_parameter(sql);
            at += strlen(":value");
        } else if (text_starts_with(at, ":owner")) {
            buf_add_str(&sql->text, "$1");
            at += strlen(":owner");
        } else if (text_starts_with(at, ":mode")) {
            buf_add_str(&sql->text, mode == 0 ? "0" : "1");
            at += strlen(":mode");
        } else if (text_starts_with(at, ":time")) {
            buf_add_str(&sql->text, sql->time);
            at += strlen(":time");
        } else {
            REQUIRE(*at == '\0');
        }
    }
}

static void put_condition(struct sql *sql, const char *template, int mode)
{
    buf_add_str(&sql->text, sql->glue);
    sql->glue = " AND ";
    put(sql, template, mode);
}

static void put_value(struct sql *sql, const char *template, int mode, struct db_value value)
{
    sql->values[sql->count++] = value;
    put_condition(sql, template, mode);
}

static void put_select(struct sql *sql, const char *columns, const char *table)
{
    buf_add_str(&sql->text, "SELECT ");
    buf_add_str(&sql->text, columns);
    buf_add_str(&sql->text, " FROM ");
    buf_add_str(&sql->text, table);
}

// What every index of the listing begins with, and the range of ids.
static void put_range(struct sql *sql, const struct listing_query *query, int mode)
{
    const struct listing *listing = query->listing;
    sql->glue = " WHERE ";
    if (query->owner != NULL) {
        put_value(sql, listing->owner, mode, DB_ID(query->owner));
    }
    if (listing->has_modes) {
        put_condition(sql, "livemode = :mode", mode);
    }
    if (listing->always != NULL) {
        put_condition(sql, listing->always, mode);
    }
    if (query->from != NULL) {
        put_value(sql, "id >= :value", mode, DB_ID(query->from));
    }
    if (query->below != NULL) {
        put_value(sql, "id < :value", mode, DB_ID(query->below));
    }
}

// The ids of few rows are looked up first. As a join, PostgreSQL's planner might test each row of the list
// for being one of them.
static void put_filter(struct sql *sql, const struct listing_condition *condition, int mode)
{
    static const char in[] = "id IN (";
    if (condition->has_value) {
        sql->values[sql->count++] = condition->value;
    }
    if (sql->merges_lists || !text_starts_with(condition->sql, in)) {
        put_condition(sql, condition->sql, mode);
        return;
    }
    put_condition(sql, "id = ANY (ARRAY(", mode);
    put(sql, condition->sql + strlen(in), mode);
    buf_add_str(&sql->text, ")");
}

// One SELECT over one mode. Each arm has the same values, so it numbers them from the first again. Without
// its `also`, the planner cannot use the partial index of a condition that does not lead.
static void put_arm(struct sql *sql, const struct listing_query *query, const char *columns, int mode)
{
    const struct listing_condition *lead = leading(query);
    put_select(sql, columns, query->listing->table);
    sql->count = 0;
    put_range(sql, query, mode);
    for (size_t i = 0; i < query->condition_count; i++) {
        const struct listing_condition *condition = &query->conditions[i];
        put_filter(sql, condition, mode);
        if (condition == lead && condition->also != NULL) {
            put_condition(sql, condition->also, mode);
        }
    }
}

// The same without the conditions that are not in the key or the definition of the index.
static void put_index_arm(struct sql *sql, const struct listing_query *query, int mode)
{
    const struct listing_condition *lead = leading(query);
    put_select(sql, "id", query->listing->table);
    put_range(sql, query, mode);
    for (size_t i = 0; i < query->condition_count; i++) {
        const struct listing_condition *condition = &query->conditions[i];
        if (condition->reach == REACH_OWNER || (condition == lead && condition->reach == REACH_RANGE)) {
            put_filter(sql, condition, mode);
        }
        if (condition == lead && condition->also != NULL) {
            put_condition(sql, condition->also, mode);
        }
    }
}

static void put_number(struct sql *sql, const char *name, int64_t value)
{
    sql->values[sql->count++] = DB_I64(value);
    buf_add_str(&sql->text, name);
    put_parameter(sql);
}

// One of two arms, of which no more than the newest `max` rows are needed.
static void put_arm_of_two(struct sql *sql, const struct listing_query *query, const char *columns, int mode,
                           int64_t max)
{
    buf_add_str(&sql->text, sql->merges_lists ? "" : "(");
    put_arm(sql, query, columns, mode);
    if (!sql->merges_lists) {
        buf_add_str(&sql->text, sql->newest);
        put_number(sql, " LIMIT ", max);
        buf_add_str(&sql->text, ")");
    }
}

static void put_arms(struct sql *sql, const struct listing_query *query, const char *columns, int64_t max)
{
    REQUIRE(!query->listing->has_modes || query->test || query->live);
    if (!query->listing->has_modes || !query->test || !query->live) {
        put_arm(sql, query, columns, query->live);
        return;
    }
    put_arm_of_two(sql, query, columns, 0, max);
    buf_add_str(&sql->text, " UNION ALL ");
    put_arm_of_two(sql, query, columns, 1, max);
    sql->newest = NEWEST_FIRST;
}

// A few rows are sorted. PostgreSQL's planner would rather test all rows in this order while it has no
// statistics; no index has the order of an expression.
static const char *order_of(const struct db *db, const struct listing_query *query)
{
    const struct listing_condition *lead = leading(query);
    if (!db->driver->merges_lists && lead != NULL && lead->reach == REACH_FEW) {
        return " ORDER BY coalesce(id) DESC";
    }
    return query->owner != NULL ? NEWEST_FIRST : " ORDER BY id DESC";
}

static struct sql sql_begin(const struct db *db, const struct listing_query *query)
{
    return (struct sql){.text = BUF_MAX(SQL_BYTES_MAX),
                        .newest = order_of(db, query),
                        .time = query->listing->time != NULL ? query->listing->time : "created_us",
                        .merges_lists = db->driver->merges_lists};
}

static enum errc start(struct db *db, struct sql *sql, struct db_rows *rows, struct err *err)
{
    REQUIRE(!sql->text.overflow);
    return db_query_built(db, rows, err, buf_str(&sql->text), sql->values, sql->count);
}

enum errc listing_rows(struct db *db, const struct listing_query *query, int64_t limit, struct db_rows *rows,
                       struct err *err)
{
    struct sql sql SQL_CLEANUP = sql_begin(db, query);
    put_arms(&sql, query, query->listing->columns, limit);
    buf_add_str(&sql.text, sql.newest);
    put_number(&sql, " LIMIT ", limit);
    return start(db, &sql, rows, err);
}

// The id of the only row, if there is one.
static enum errc read_id(struct db *db, struct sql *sql, struct uuid *id, bool *has, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = start(db, sql, &rows, err);
    if (rc == OK) {
        rc = db_next(&rows, has, err);
    }
    if (rc == OK && *has) {
        *id = db_uuid(&rows, 0);
    }
    return rc;
}

enum errc listing_nth(struct db *db, const struct listing_query *query, int64_t count, struct uuid *id,
                      bool *has, struct err *err)
{
    struct sql sql SQL_CLEANUP = sql_begin(db, query);
    // An index alone can answer this, unless a filter needs other columns.
    put_arms(&sql, query, "id", count);
    buf_add_str(&sql.text, sql.newest);
    buf_add_str(&sql.text, " LIMIT 1");
    put_number(&sql, " OFFSET ", count - 1);
    return read_id(db, &sql, id, has, err);
}

enum errc listing_nth_passed(struct db *db, const struct listing_query *query, int64_t count, struct uuid *id,
                             bool *has, struct err *err)
{
    REQUIRE(!query->listing->has_modes || query->test != query->live);
    struct sql sql SQL_CLEANUP = sql_begin(db, query);
    put_index_arm(&sql, query, query->live);
    buf_add_str(&sql.text, sql.newest);
    buf_add_str(&sql.text, " LIMIT 1");
    put_number(&sql, " OFFSET ", count - 1);
    return read_id(db, &sql, id, has, err);
}

enum errc listing_count(struct db *db, const struct listing_query *query, int64_t max, int64_t *count,
                        struct err *err)
{
    struct sql sql SQL_CLEANUP = sql_begin(db, query);
    buf_add_str(&sql.text, "SELECT count(*) FROM (");
    put_arms(&sql, query, "1", max);
    put_number(&sql, " LIMIT ", max);
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
