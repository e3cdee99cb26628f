// See sealed.h. A column that is missing in the table below would be lost with the old key; tests search the
// whole database for values that still need it.
#include "store/sealed.h"

#include "base/require.h"

// A provider's secrets are bound to the name of the first provider, whosever they are.
static const char *const names[] = {
    [SEALED_PROVIDER_KEY] = "stripe-key",
    [SEALED_PROVIDER_WEBHOOK] = "stripe-webhook",
    [SEALED_WEBHOOK] = "webhook",
    [SEALED_NEXT_ACTION] = "next-action",
    [SEALED_REPLY] = "reply",
    [SEALED_EVENT] = "event",
};

// Rows of one query. A driver may read a result whole, and a table may have millions of rows.
#define BATCH_ROWS 1000

// `select` reads the value and the id that it is bound to, of $1 rows after the one with that id; `update`
// takes them. An event's id is a text, and identifies its row only together with merchant and mode.
static const struct column {
    enum sealed_kind kind;
    const char *select;
    const char *update;
} columns[] = {
    {SEALED_PROVIDER_KEY,
     "SELECT secret_key, id FROM credential_versions WHERE secret_key IS NOT NULL AND id > $2"
     " ORDER BY id LIMIT $1",
     "UPDATE credential_versions SET secret_key = $1 WHERE id = $2"},
    {SEALED_PROVIDER_WEBHOOK,
     "SELECT webhook_secret, id FROM credentials WHERE webhook_secret IS NOT NULL AND id > $2"
     " ORDER BY id LIMIT $1",
     "UPDATE credentials SET webhook_secret = $1 WHERE id = $2"},
    {SEALED_WEBHOOK,
     "SELECT webhook_secret, id FROM merchants WHERE webhook_secret IS NOT NULL AND id > $2"
     " ORDER BY id LIMIT $1",
     "UPDATE merchants SET webhook_secret = $1 WHERE id = $2"},
    {SEALED_WEBHOOK,
     "SELECT webhook_secret_old, id FROM merchants WHERE webhook_secret_old IS NOT NULL AND id > $2"
     " ORDER BY id LIMIT $1",
     "UPDATE merchants SET webhook_secret_old = $1 WHERE id = $2"},
    {SEALED_NEXT_ACTION,
     "SELECT action_secret, id FROM payments WHERE action_secret IS NOT NULL AND id > $2"
     " ORDER BY id LIMIT $1",
     "UPDATE payments SET action_secret = $1 WHERE id = $2"},
    {SEALED_NEXT_ACTION,
     "SELECT action_secret, id FROM cards WHERE action_secret IS NOT NULL AND id > $2 ORDER BY id LIMIT $1",
     "UPDATE cards SET action_secret = $1 WHERE id = $2"},
    {SEALED_REPLY, "SELECT body, subject_id FROM replies WHERE subject_id > $2 ORDER BY subject_id LIMIT $1",
     "UPDATE replies SET body = $1 WHERE subject_id = $2"},
    {SEALED_EVENT,
     "SELECT body, merchant_id, livemode, event_id FROM inbox WHERE body IS NOT NULL"
     " AND (merchant_id, livemode, event_id) > ($2, $3, $4)"
     " ORDER BY merchant_id, livemode, event_id LIMIT $1",
     "UPDATE inbox SET body = $1 WHERE merchant_id = $2 AND livemode = $3 AND event_id = $4"},
};

static const char *context_of(struct arena *arena, enum sealed_kind kind, const char *id)
{
    return arena_printf(arena, "%s:%s", names[kind], id);
}

const char *sealed_context(struct arena *arena, enum sealed_kind kind, const struct uuid *id)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(id, text);
    return context_of(arena, kind, text);
}

const char *sealed_event_context(struct arena *arena, const char *event_id)
{
    return context_of(arena, SEALED_EVENT, event_id);
}

struct rekeying {
    struct db *db;
    const struct seal_key *from;
    const struct seal_key *to;
    int64_t count;
};

// Which row it is, as the column's queries have it: an id, and more of an event.
struct key {
    struct uuid id; // nil: before the first row
    int64_t livemode;
    const char *event_id;
};
#define KEY_VALUES_MAX 3

static void key_read(const struct column *column, struct db_rows *rows, struct arena *arena, struct key *key)
{
    const bool is_event = column->kind == SEALED_EVENT;
    *key = (struct key){.id = db_uuid(rows, 1),
                        .livemode = is_event ? db_i64(rows, 2) : 0,
                        .event_id = is_event ? db_text(rows, 3, arena) : NULL};
}

// The values of a statement, after its first one.
static size_t key_values(const struct column *column, const struct key *key,
                         struct db_value values[KEY_VALUES_MAX])
{
    values[0] = uuid_is_nil(&key->id) ? DB_BYTES("", 0) : DB_ID(&key->id);
    values[1] = DB_I64(key->livemode);
    values[2] = DB_STR(key->event_id);
    return column->kind == SEALED_EVENT ? KEY_VALUES_MAX : 1;
}

static enum errc rekey_row(struct rekeying *rekeying, const struct column *column, struct db_rows *rows,
                           struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct sealed sealed = {0};
    sealed.data = db_blob(rows, 0, &arena, &sealed.bytes);
    if (seal_is_of(rekeying->to, sealed)) {
        return OK; // SQLite may return an updated row a second time
    }
    struct key key;
    key_read(column, rows, &arena, &key);
    const char *context = column->kind == SEALED_EVENT ? sealed_event_context(&arena, key.event_id)
                                                       : sealed_context(&arena, column->kind, &key.id);
    char *plain = NULL;
    size_t plain_bytes = 0;
    enum errc rc = seal_open(rekeying->from, &arena, context, sealed, &plain, &plain_bytes, err);
    if (rc != OK) {
        return rc;
    }
    sealed = seal(rekeying->to, &arena, context, plain, plain_bytes);
    rekeying->count++;
    struct db_value values[1 + KEY_VALUES_MAX] = {DB_BYTES(sealed.data, sealed.bytes)};
    return db_run_values(rekeying->db, NULL, err, column->update, values,
                         1 + key_values(column, &key, &values[1]));
}

// The rows after *after, which moves to the last of them. Fewer than BATCH_ROWS: there are no more.
static enum errc rekey_batch(struct rekeying *rekeying, const struct column *column, struct arena *arena,
                             struct key *after, int64_t *count, struct err *err)
{
    struct db_value values[1 + KEY_VALUES_MAX] = {DB_I64(BATCH_ROWS)};
    DB_ROWS(rows);
    enum errc rc = db_query_values(rekeying->db, &rows, err, column->select, values,
                                   1 + key_values(column, after, &values[1]));
    *count = 0;
    for (bool has = true; rc == OK && has && *count < BATCH_ROWS;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            rc = rekey_row(rekeying, column, &rows, err);
            ++*count;
        }
    }
    if (rc == OK && *count == BATCH_ROWS) {
        key_read(column, &rows, arena, after);
    }
    return rc;
}

static enum errc rekey_column(struct rekeying *rekeying, const struct column *column, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY; // of one event's id in each batch
    struct key after = {.event_id = ""};
    enum errc rc = OK;
    for (int64_t count = BATCH_ROWS; rc == OK && count == BATCH_ROWS;) {
        rc = rekey_batch(rekeying, column, &arena, &after, &count, err);
    }
    return rc;
}

enum errc sealed_rekey(struct db *db, const struct seal_key *from, const struct seal_key *to, int64_t *count,
                       struct err *err)
{
    struct rekeying rekeying = {.db = db, .from = from, .to = to};
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < COUNT_OF(columns); i++) {
        rc = rekey_column(&rekeying, &columns[i], err);
    }
    *count = rekeying.count;
    return rc;
}
