// Queries that were asked ahead (db.asking): a batch sends the reads of all its jobs before the first of them
// runs, and waits once. Each job then finds the answers to its own queries here. An answer is given out once.
// The thread that owns the connection.
#include "store/postgres/postgres.h"

#include <string.h>

#include "base/require.h"

struct postgres_ahead {
    struct postgres_ahead *next;
    const void *asker; // NULL: the answer is out of date
    const char *sql;
    const struct db_value *values;
    size_t count;
    PGresult *answer; // NULL: not read yet, or the query failed
};

static struct db_value copy_of(struct arena *arena, struct db_value value)
{
    if (value.type == DB_TEXT) {
        value.data = arena_strdup(arena, value.data);
    } else if (value.type == DB_BLOB) {
        value.data = arena_memdup(arena, value.data, value.bytes);
    }
    return value;
}

struct postgres_ahead *postgres_ahead_new(struct postgres *postgres, const char *sql,
                                          const struct db_value *values, size_t count)
{
    struct arena *arena = &postgres->ahead_arena;
    struct postgres_ahead *ahead = ARENA_NEW(arena, struct postgres_ahead);
    struct db_value *copies = arena_alloc(arena, (count + 1) * sizeof(*copies));
    for (size_t i = 0; i < count; i++) {
        copies[i] = copy_of(arena, values[i]);
    }
    *ahead = (struct postgres_ahead){postgres->ahead, postgres->db.asker, sql, copies, count, NULL};
    postgres->ahead = ahead;
    return ahead;
}

void postgres_ahead_answered(struct postgres_ahead *ahead, PGresult *answer)
{
    ahead->answer = answer;
}

static bool equal(const struct db_value *a, const struct db_value *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case DB_NULL:
        return true;
    case DB_INT:
        return a->integer == b->integer;
    case DB_TEXT:
        return strcmp(a->data, b->data) == 0;
    case DB_BLOB:
        return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
    case DB_FOREIGN:
        return false;
    }
    require_failed("a value has a type", __FILE__, __LINE__);
}

static bool is_same(const struct postgres_ahead *ahead, const char *sql, const struct db_value *values,
                    size_t count)
{
    bool same = ahead->sql == sql && ahead->count == count;
    for (size_t i = 0; i < count && same; i++) {
        same = equal(&ahead->values[i], &values[i]);
    }
    return same;
}

struct postgres_ahead *postgres_ahead_find(struct postgres *postgres, const char *sql,
                                           const struct db_value *values, size_t count)
{
    struct postgres_ahead *ahead = postgres->db.asker != NULL ? postgres->ahead : NULL;
    while (ahead != NULL && (ahead->asker != postgres->db.asker || !is_same(ahead, sql, values, count))) {
        ahead = ahead->next;
    }
    return ahead;
}

bool postgres_ahead_is_read(const struct postgres_ahead *ahead)
{
    return ahead->answer != NULL;
}

PGresult *postgres_ahead_take(struct postgres_ahead *ahead)
{
    PGresult *answer = ahead->answer;
    ahead->answer = NULL;
    ahead->asker = NULL;
    return answer;
}

void postgres_forget_asked(struct db *db)
{
    for (struct postgres_ahead *ahead = postgres_of(db)->ahead; ahead != NULL; ahead = ahead->next) {
        ahead->asker = NULL;
    }
}

void postgres_ahead_end(struct postgres *postgres)
{
    for (struct postgres_ahead *ahead = postgres->ahead; ahead != NULL; ahead = ahead->next) {
        PQclear(ahead->answer);
    }
    postgres->ahead = NULL;
    arena_release(&postgres->ahead_arena);
}
