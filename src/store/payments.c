// Queries on payments. One list of columns serves every read, so that a column is added in one place.
#include "store/payments.h"

#include "base/require.h"
#include "base/text.h"

#define COLUMNS                                                                                              \
    "id, merchant_id, livemode, amount_minor, currency, status, provider, provider_ref, idempotency_key, "   \
    "payment_method, return_url, description, metadata, capture_manual, customer_email, captured_minor, "    \
    "refunded_minor, capturable, action_given, next_action, action_secret, failure_code, "                   \
    "failure_decline_code, failure_message, credential_version_id, created_us, updated_us, saved_card_id, "  \
    "customer_id"

enum errc payment_insert(struct db *db, const struct payment *p, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO payments (" COLUMNS
                  ", amount_thousandths) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                  " $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)",
                  DB_ID(&p->id), DB_ID(&p->merchant_id), DB_I64(p->livemode), DB_I64(p->amount_minor),
                  DB_STR(p->currency->code), DB_STR(payment_status_name(p->status)), DB_STR(p->provider),
                  DB_STR(p->provider_ref), DB_STR(p->idempotency_key), DB_STR(p->payment_method),
                  DB_STR(p->return_url), DB_STR(p->description), DB_STR(p->metadata_json),
                  DB_I64(p->capture_manual), DB_STR(p->customer_email), DB_I64(p->captured_minor),
                  DB_I64(p->refunded_minor), DB_I64(p->capturable), DB_I64(p->action_given),
                  DB_STR(next_action_name(p->next_action)),
                  DB_BYTES(p->action_secret_sealed, (size_t)p->action_secret_sealed_bytes),
                  DB_STR(p->failure.code), DB_STR(p->failure.decline_code), DB_STR(p->failure.message),
                  DB_ID(&p->credential_version_id), DB_I64(p->created_us), DB_I64(p->updated_us),
                  uuid_is_nil(&p->saved_card_id) ? DB_NIL : DB_ID(&p->saved_card_id),
                  uuid_is_nil(&p->customer_id) ? DB_NIL : DB_ID(&p->customer_id),
                  DB_I64(money_thousandths(p->amount_minor, p->currency)));
}

enum errc payment_update(struct db *db, const struct payment *p, struct err *err)
{
    int64_t changed = 0;
    enum errc rc = db_run(
        db, &changed, err,
        "UPDATE payments SET status = $2, provider_ref = $3, captured_minor = $4, refunded_minor = $5, "
        "capturable = $6,"
        " action_given = $7, next_action = $8, action_secret = $9, failure_code = $10,"
        " failure_decline_code = $11, failure_message = $12, updated_us = $13, customer_id = $14 WHERE id = "
        "$1",
        DB_ID(&p->id), DB_STR(payment_status_name(p->status)), DB_STR(p->provider_ref),
        DB_I64(p->captured_minor), DB_I64(p->refunded_minor), DB_I64(p->capturable), DB_I64(p->action_given),
        DB_STR(next_action_name(p->next_action)),
        DB_BYTES(p->action_secret_sealed, (size_t)p->action_secret_sealed_bytes), DB_STR(p->failure.code),
        DB_STR(p->failure.decline_code), DB_STR(p->failure.message), DB_I64(p->updated_us),
        uuid_is_nil(&p->customer_id) ? DB_NIL : DB_ID(&p->customer_id));
    REQUIRE(rc != OK || changed == 1);
    return rc;
}

enum errc payment_read(struct db_rows *rows, struct arena *arena, struct payment *p, struct err *err)
{
    size_t sealed_bytes = 0;
    *p = (struct payment){
        .id = db_uuid(rows, 0),
        .merchant_id = db_uuid(rows, 1),
        .livemode = db_bool(rows, 2),
        .amount_minor = db_i64(rows, 3),
        .currency = currency_find(db_text(rows, 4, arena)),
        .provider = db_text(rows, 6, arena),
        .provider_ref = db_text(rows, 7, arena),
        .idempotency_key = db_text(rows, 8, arena),
        .payment_method = db_text(rows, 9, arena),
        .return_url = db_text(rows, 10, arena),
        .description = db_text(rows, 11, arena),
        .metadata_json = db_text(rows, 12, arena),
        .capture_manual = db_bool(rows, 13),
        .customer_email = db_text(rows, 14, arena),
        .captured_minor = db_i64(rows, 15),
        .refunded_minor = db_i64(rows, 16),
        .capturable = db_bool(rows, 17),
        .action_given = db_bool(rows, 18),
        .next_action = next_action_of_name(db_text(rows, 19, arena)),
        .action_secret_sealed = db_blob(rows, 20, arena, &sealed_bytes),
        .failure = {.code = db_text(rows, 21, arena),
                    .decline_code = db_text(rows, 22, arena),
                    .message = db_text(rows, 23, arena)},
        .credential_version_id = db_uuid(rows, 24),
        .created_us = db_i64(rows, 25),
        .updated_us = db_i64(rows, 26),
        .saved_card_id = db_uuid(rows, 27),
        .customer_id = db_uuid(rows, 28),
    };
    p->action_secret_sealed_bytes = (int)sealed_bytes;
    if (p->currency == NULL) {
        return db_damaged(rows, 4, err);
    }
    if (p->amount_minor < 1 || p->amount_minor > money_minor_max(p->currency) || p->refunded_minor < 0 ||
        p->captured_minor < p->refunded_minor || p->amount_minor < p->captured_minor) {
        return db_damaged(rows, 3, err);
    }
    return payment_status_parse(db_text(rows, 5, arena), &p->status) ? OK : db_damaged(rows, 5, err);
}

static enum errc read_one(struct db_rows *rows, struct arena *arena, struct payment *payment, struct err *err)
{
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    if (rc != OK) {
        return rc;
    }
    return has ? payment_read(rows, arena, payment, err) : err_set(err, ERR_NOT_FOUND, "no such payment");
}

enum errc payment_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                      struct arena *arena, struct payment *payment, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err, "SELECT " COLUMNS " FROM payments WHERE id = $1", DB_ID(id));
    if (rc == OK) {
        rc = read_one(&rows, arena, payment, err);
    }
    if (rc == OK && merchant_id != NULL && !uuid_equal(&payment->merchant_id, merchant_id)) {
        return err_set(err, ERR_NOT_FOUND, "no such payment");
    }
    return rc;
}

enum errc payment_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                         const char *provider_ref, struct arena *arena, struct payment *payment,
                         struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " COLUMNS " FROM payments WHERE provider_ref = $1 AND merchant_id = $2"
                            " AND livemode = $3",
                            DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? read_one(&rows, arena, payment, err) : rc;
}

#define NEAR "1000" // rows looked at on either side

enum errc payment_ref_of_version(struct db *db, const struct payment *payment, struct arena *arena,
                                 const char **provider_ref, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_query(
        db, &rows, err,
        "SELECT provider_ref FROM (SELECT provider_ref, credential_version_id FROM payments"
        " WHERE merchant_id = $1 AND livemode = $2 AND id < $3 ORDER BY id DESC LIMIT " NEAR ")"
        " WHERE credential_version_id = $4 AND provider_ref IS NOT NULL"
        " UNION ALL SELECT provider_ref FROM (SELECT provider_ref, credential_version_id FROM payments"
        " WHERE merchant_id = $1 AND livemode = $2 AND id > $3 ORDER BY id LIMIT " NEAR ")"
        " WHERE credential_version_id = $4 AND provider_ref IS NOT NULL LIMIT 1",
        DB_ID(&payment->merchant_id), DB_I64(payment->livemode), DB_ID(&payment->id),
        DB_ID(&payment->credential_version_id));
    *provider_ref = NULL;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK && has) {
        *provider_ref = db_text(&rows, 0, arena);
    }
    return rc;
}

enum errc payment_history_next_id(struct db *db, const struct uuid *payment_id, struct random *random,
                                  int64_t now_us, struct uuid *id, struct err *err)
{
    const struct uuid made = uuid_new(random, now_us);
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT id FROM payment_history WHERE payment_id = $1 AND id >= $2"
                            " ORDER BY id DESC LIMIT 1",
                            DB_ID(payment_id), DB_ID(&made));
    return rc == OK ? db_id_behind(&rows, &made, id, err) : rc;
}

enum errc payment_history_append(struct db *db, const struct payment_history_entry *entry, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO payment_history (payment_id, id, at_us, what, status, cause, cause_ref)"
                  " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                  DB_ID(&entry->payment_id), DB_ID(&entry->id), DB_I64(entry->at_us), DB_STR(entry->what),
                  DB_STR(payment_status_name(entry->status)), DB_STR(entry->cause), DB_STR(entry->cause_ref));
}

enum errc payment_was_reopened(struct db *db, const struct uuid *payment_id, bool *reopened, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err, "SELECT 1 FROM payment_history WHERE payment_id = $1 AND what = $2 LIMIT 1",
                 DB_ID(payment_id), DB_STR(PAYMENT_REOPENED));
    return rc == OK ? db_next(&rows, reopened, err) : rc;
}

enum errc payment_history_read(struct db_rows *rows, struct arena *arena, struct payment_history_entry *entry,
                               struct err *err)
{
    entry->id = db_uuid(rows, 0);
    entry->at_us = db_i64(rows, 1);
    entry->what = db_text(rows, 2, arena);
    entry->cause = db_text(rows, 4, arena);
    entry->cause_ref = db_text(rows, 5, arena);
    return payment_status_parse(db_text(rows, 3, arena), &entry->status) ? OK : db_damaged(rows, 3, err);
}

enum errc payment_count(struct db *db, int64_t most, int64_t *count, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc =
        db_query(db, &rows, err, "SELECT count(*) FROM (SELECT 1 FROM payments LIMIT $1)", DB_I64(most));
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK) {
        *count = db_i64(&rows, 0);
    }
    return rc;
}

// --- lists

static const struct filter_word providers[] = {{"stripe"}, {NULL}};

#define RARE "status <> 'completed'"
static const struct filter_word statuses[] = {
    {"pending", RARE}, {"completed"}, {"failed", RARE}, {"refunded", RARE}, {NULL}};

static const struct filter payment_filters[] = {
    {"provider", FILTER_WORD, "provider = :value", providers},
    {"status", FILTER_WORD, "status = :value", statuses},
    {"currency", FILTER_CURRENCY, "currency = :value"},
    {"min_amount", FILTER_AMOUNT_MIN, "amount_thousandths >= :value"},
    {"max_amount", FILTER_AMOUNT_MAX, "amount_thousandths <= :value"},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"provider_ref", FILTER_TEXT, "provider_ref = :value"},
    {"idempotency_key", FILTER_TEXT,
     "id = (SELECT subject_id FROM idempotency_keys WHERE merchant_id = :owner AND livemode = :mode"
     " AND kind = 'payment' AND key = :value)"},
    {"saved_card_id", FILTER_ID, "saved_card_id = :value"},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing payment_listing = {
    .name = "payments",
    .table = "payments",
    .columns = COLUMNS,
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = payment_filters,
};

static const struct filter no_filters[] = {{NULL}};

const struct listing payment_history_listing = {
    .name = "history",
    .table = "payment_history",
    .columns = "id, at_us, what, status, cause, cause_ref",
    .owner = "payment_id = :owner",
    .filters = no_filters,
};
