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

// `select` reads the value and the id that it is bound to, `update` takes them. An event's id is a text, and
// identifies its row only together with merchant and mode.
static const struct column {
    enum sealed_kind kind;
    const char *select;
    const char *update;
} columns[] = {
    {SEALED_PROVIDER_KEY, "SELECT secret_key, id FROM credential_versions WHERE secret_key IS NOT NULL",
     "UPDATE credential_versions SET secret_key = $1 WHERE id = $2"},
    {SEALED_PROVIDER_WEBHOOK, "SELECT webhook_secret, id FROM credentials WHERE webhook_secret IS NOT NULL",
     "UPDATE credentials SET webhook_secret = $1 WHERE id = $2"},
    {SEALED_WEBHOOK, "SELECT webhook_secret, id FROM merchants WHERE webhook_secret IS NOT NULL",
     "UPDATE merchants SET webhook_secret = $1 WHERE id = $2"},
    {SEALED_WEBHOOK, "SELECT webhook_secret_old, id FROM merchants WHERE webhook_secret_old IS NOT NULL",
     "UPDATE merchants SET webhook_secret_old = $1 WHERE id = $2"},
    {SEALED_NEXT_ACTION, "SELECT action_secret, id FROM payments WHERE action_secret IS NOT NULL",
     "UPDATE payments SET action_secret = $1 WHERE id = $2"},
    {SEALED_NEXT_ACTION, "SELECT action_secret, id FROM cards WHERE action_secret IS NOT NULL",
     "UPDATE cards SET action_secret = $1 WHERE id = $2"},
    {SEALED_REPLY, "SELECT body, subject_id FROM replies",
     "UPDATE replies SET body = $1 WHERE subject_id = $2"},
    {SEALED_EVENT, "SELECT body, event_id, merchant_id, livemode FROM inbox WHERE body IS NOT NULL",
     "UPDATE inbox SET body = $1 WHERE event_id = $2 AND merchant_id = $3 AND livemode = $4"},
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

static enum errc rekey_row(struct rekeying *rekeying, const struct column *column, struct db_rows *rows,
                           struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct sealed sealed = {0};
    sealed.data = db_blob(rows, 0, &arena, &sealed.bytes);
    if (seal_is_of(rekeying->to, sealed)) {
        return OK; // SQLite may return an updated row a second time
    }
    const char *event_id = column->kind == SEALED_EVENT ? db_text(rows, 1, &arena) : NULL;
    const struct uuid id = db_uuid(rows, event_id != NULL ? 2 : 1);
    const char *context =
        event_id != NULL ? sealed_event_context(&arena, event_id) : sealed_context(&arena, column->kind, &id);
    char *plain = NULL;
    size_t plain_bytes = 0;
    enum errc rc = seal_open(rekeying->from, &arena, context, sealed, &plain, &plain_bytes, err);
    if (rc != OK) {
        return rc;
    }
    sealed = seal(rekeying->to, &arena, context, plain, plain_bytes);
    rekeying->count++;
    const struct db_value value = DB_BYTES(sealed.data, sealed.bytes);
    return event_id != NULL ? db_run(rekeying->db, NULL, err, column->update, value, DB_STR(event_id),
                                     DB_ID(&id), DB_I64(db_i64(rows, 3)))
                            : db_run(rekeying->db, NULL, err, column->update, value, DB_ID(&id));
}

static enum errc rekey_column(struct rekeying *rekeying, const struct column *column, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query_values(rekeying->db, &rows, err, column->select, NULL, 0);
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            rc = rekey_row(rekeying, column, &rows, err);
        }
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
