// Queries on customers and cards.
#include "store/cards.h"

#include "base/require.h"

#define CUSTOMER_COLUMNS                                                                                     \
    "id, merchant_id, livemode, email, body, provider_ref, credential_version_id, gone_us, created_us"
#define CARD_COLUMNS                                                                                         \
    "id, merchant_id, customer_id, livemode, status, provider, method_sent, provider_ref, brand, last4, "    \
    "exp_month, exp_year, customer_email, customer_name, is_default, failure_code, "                         \
    "failure_message, credential_version_id, created_us, updated_us, return_url, setup_ref, next_action, "   \
    "action_secret, fingerprint"

static enum errc read_customer(struct db_rows *rows, struct arena *arena, struct customer *c, struct err *err)
{
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    if (rc != OK) {
        return rc;
    }
    if (!has) {
        return err_set(err, ERR_NOT_FOUND, "no such customer");
    }
    *c = (struct customer){
        .id = db_uuid(rows, 0),
        .merchant_id = db_uuid(rows, 1),
        .livemode = db_bool(rows, 2),
        .email = db_text(rows, 3, arena),
        .body = db_text(rows, 4, arena),
        .provider_ref = db_text(rows, 5, arena),
        .credential_version_id = db_uuid(rows, 6),
        .gone_us = db_i64(rows, 7),
        .created_us = db_i64(rows, 8),
    };
    return OK;
}

enum errc customer_by_email(struct db *db, const struct uuid *merchant_id, bool livemode, const char *email,
                            struct arena *arena, struct customer *customer, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err,
                 "SELECT " CUSTOMER_COLUMNS " FROM customers WHERE merchant_id = $1 AND livemode = $2"
                 " AND email = $3 AND gone_us = 0",
                 DB_ID(merchant_id), DB_I64(livemode), DB_STR(email));
    return rc == OK ? read_customer(&rows, arena, customer, err) : rc;
}

enum errc customer_get(struct db *db, const struct uuid *id, struct arena *arena, struct customer *customer,
                       struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err, "SELECT " CUSTOMER_COLUMNS " FROM customers WHERE id = $1", DB_ID(id));
    return rc == OK ? read_customer(&rows, arena, customer, err) : rc;
}

enum errc customer_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                          const char *provider_ref, struct arena *arena, struct customer *customer,
                          struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err,
                 "SELECT " CUSTOMER_COLUMNS " FROM customers WHERE provider_ref = $1 AND merchant_id = $2"
                 " AND livemode = $3",
                 DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? read_customer(&rows, arena, customer, err) : rc;
}

enum errc customer_insert(struct db *db, const struct customer *c, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO customers (" CUSTOMER_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                  DB_ID(&c->id), DB_ID(&c->merchant_id), DB_I64(c->livemode), DB_STR(c->email),
                  DB_STR(c->body), DB_STR(c->provider_ref), DB_ID(&c->credential_version_id),
                  DB_I64(c->gone_us), DB_I64(c->created_us));
}

enum errc customer_set_ref(struct db *db, const struct uuid *id, const char *provider_ref, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE customers SET provider_ref = $2 WHERE id = $1", DB_ID(id),
                  DB_STR(provider_ref));
}

enum errc customer_set_gone(struct db *db, const struct uuid *id, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE customers SET gone_us = $2 WHERE id = $1 AND gone_us = 0", DB_ID(id),
                  DB_I64(now_us));
}

enum errc card_insert(struct db *db, const struct card *c, struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO cards (" CARD_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
        " $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
        DB_ID(&c->id), DB_ID(&c->merchant_id), DB_ID(&c->customer_id), DB_I64(c->livemode),
        DB_STR(card_status_name(c->status)), DB_STR(c->provider), DB_STR(c->method_sent),
        DB_STR(c->provider_ref), DB_STR(c->brand), DB_STR(c->last4), DB_I64(c->exp_month),
        DB_I64(c->exp_year), DB_STR(c->customer_email), DB_STR(c->customer_name), DB_I64(c->is_default),
        DB_STR(c->failure.code), DB_STR(c->failure.message), DB_ID(&c->credential_version_id),
        DB_I64(c->created_us), DB_I64(c->updated_us), DB_STR(c->return_url), DB_STR(c->setup_ref),
        DB_STR(next_action_name(c->next_action)),
        DB_BYTES(c->action_secret_sealed, (size_t)c->action_secret_sealed_bytes), DB_STR(c->fingerprint));
}

enum errc card_update(struct db *db, const struct card *c, struct err *err)
{
    int64_t changed = 0;
    enum errc rc = db_run(
        db, &changed, err,
        "UPDATE cards SET status = $2, provider_ref = $3, brand = $4, last4 = $5, exp_month = $6,"
        " exp_year = $7, is_default = $8, failure_code = $9, failure_message = $10, updated_us = $11,"
        " customer_id = $12, setup_ref = $13, next_action = $14, action_secret = $15, fingerprint = $16"
        " WHERE id = $1",
        DB_ID(&c->id), DB_STR(card_status_name(c->status)), DB_STR(c->provider_ref), DB_STR(c->brand),
        DB_STR(c->last4), DB_I64(c->exp_month), DB_I64(c->exp_year), DB_I64(c->is_default),
        DB_STR(c->failure.code), DB_STR(c->failure.message), DB_I64(c->updated_us), DB_ID(&c->customer_id),
        DB_STR(c->setup_ref), DB_STR(next_action_name(c->next_action)),
        DB_BYTES(c->action_secret_sealed, (size_t)c->action_secret_sealed_bytes), DB_STR(c->fingerprint));
    REQUIRE(rc != OK || changed == 1);
    return rc;
}

enum errc card_read(struct db_rows *rows, struct arena *arena, struct card *c, struct err *err)
{
    size_t sealed_bytes = 0;
    *c = (struct card){
        .id = db_uuid(rows, 0),
        .merchant_id = db_uuid(rows, 1),
        .customer_id = db_uuid(rows, 2),
        .livemode = db_bool(rows, 3),
        .provider = db_text(rows, 5, arena),
        .method_sent = db_text(rows, 6, arena),
        .provider_ref = db_text(rows, 7, arena),
        .brand = db_text(rows, 8, arena),
        .last4 = db_text(rows, 9, arena),
        .exp_month = db_count(rows, 10),
        .exp_year = db_count(rows, 11),
        .customer_email = db_text(rows, 12, arena),
        .customer_name = db_text(rows, 13, arena),
        .is_default = db_bool(rows, 14),
        .failure = {.code = db_text(rows, 15, arena), .message = db_text(rows, 16, arena)},
        .credential_version_id = db_uuid(rows, 17),
        .created_us = db_i64(rows, 18),
        .updated_us = db_i64(rows, 19),
        .return_url = db_text(rows, 20, arena),
        .setup_ref = db_text(rows, 21, arena),
        .next_action = next_action_of_name(db_text(rows, 22, arena)),
        .action_secret_sealed = db_blob(rows, 23, arena, &sealed_bytes),
        .fingerprint = db_text(rows, 24, arena),
    };
    c->action_secret_sealed_bytes = (int)sealed_bytes;
    return card_status_parse(db_text(rows, 4, arena), &c->status) ? OK : db_damaged(rows, 4, err);
}

static enum errc read_card(struct db_rows *rows, struct arena *arena, struct card *card, struct err *err)
{
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    if (rc != OK) {
        return rc;
    }
    return has ? card_read(rows, arena, card, err) : err_set(err, ERR_NOT_FOUND, "no such card");
}

enum errc card_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id, struct arena *arena,
                   struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err, "SELECT " CARD_COLUMNS " FROM cards WHERE id = $1", DB_ID(id));
    if (rc == OK) {
        rc = read_card(&rows, arena, card, err);
    }
    if (rc == OK && merchant_id != NULL && !uuid_equal(&card->merchant_id, merchant_id)) {
        return err_set(err, ERR_NOT_FOUND, "no such card");
    }
    return rc;
}

enum errc card_by_method(struct db *db, const struct uuid *merchant_id, bool livemode, const char *method,
                         const char *email, struct arena *arena, struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(
        db, &rows, err,
        "SELECT " CARD_COLUMNS " FROM cards WHERE merchant_id = $1 AND livemode = $2"
        " AND provider_ref = $3 AND status = 'active'"
        " UNION ALL SELECT " CARD_COLUMNS " FROM cards WHERE merchant_id = $1 AND livemode = $2"
        " AND method_sent = $3 AND status = 'saving' AND setup_ref IS NULL"
        " AND coalesce(customer_email, '') = coalesce($4, '')"
        " UNION ALL SELECT " CARD_COLUMNS " FROM cards WHERE merchant_id = $1 AND livemode = $2"
        " AND method_sent = $3 AND status = 'pending' AND coalesce(customer_email, '') = coalesce($4, '')"
        " LIMIT 1",
        DB_ID(merchant_id), DB_I64(livemode), DB_STR(method), DB_STR(email));
    return rc == OK ? read_card(&rows, arena, card, err) : rc;
}

enum errc card_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode, const char *provider_ref,
                      struct arena *arena, struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " CARD_COLUMNS " FROM cards WHERE provider_ref = $1 AND merchant_id = $2"
                            " AND livemode = $3 AND status = 'active'"
                            " UNION ALL SELECT " CARD_COLUMNS " FROM cards WHERE provider_ref = $1"
                            " AND merchant_id = $2 AND livemode = $3 LIMIT 1",
                            DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? read_card(&rows, arena, card, err) : rc;
}

enum errc card_by_fingerprint(struct db *db, const struct uuid *customer_id, const char *fingerprint,
                              const char *provider_ref, struct arena *arena, struct card *card,
                              struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " CARD_COLUMNS " FROM cards WHERE customer_id = $1 AND fingerprint = $2"
                            " AND provider_ref = $3 AND status = 'active'"
                            " UNION ALL SELECT " CARD_COLUMNS " FROM cards WHERE customer_id = $1"
                            " AND fingerprint = $2 AND status = 'active' LIMIT 1",
                            DB_ID(customer_id), DB_STR(fingerprint), DB_STR(provider_ref));
    return rc == OK ? read_card(&rows, arena, card, err) : rc;
}

enum errc card_by_setup(struct db *db, const struct uuid *merchant_id, bool livemode, const char *setup_ref,
                        struct arena *arena, struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " CARD_COLUMNS " FROM cards WHERE setup_ref = $1 AND merchant_id = $2"
                            " AND livemode = $3",
                            DB_STR(setup_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? read_card(&rows, arena, card, err) : rc;
}

enum errc cards_saving_look_up(struct db *db, const struct uuid *merchant_id, bool livemode,
                               const char *method, const char *customer_ref, int64_t *count, struct err *err)
{
    return db_run(db, count, err,
                  "UPDATE operations SET look_up = 1 WHERE kind IN ('card', 'card_keep') AND subject_id IN"
                  " (SELECT id FROM cards WHERE merchant_id = $1 AND livemode = $2 AND method_sent = $3"
                  " AND status = 'saving' UNION ALL SELECT id FROM cards WHERE customer_id IN"
                  " (SELECT id FROM customers WHERE provider_ref = $4 AND merchant_id = $1 AND livemode = $2)"
                  " AND status = 'saving')",
                  DB_ID(merchant_id), DB_I64(livemode), DB_STR(method), DB_STR(customer_ref));
}

enum errc card_is_being_charged(struct db *db, const struct card *card, bool *charged, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err,
                 "SELECT 1 FROM payments JOIN operations ON operations.subject_id = payments.id"
                 " AND operations.kind IN ('charge', 'authenticate') WHERE payments.merchant_id = $1"
                 " AND payments.livemode = $2 AND payments.saved_card_id = $3 LIMIT 1",
                 DB_ID(&card->merchant_id), DB_I64(card->livemode), DB_ID(&card->id));
    return rc == OK ? db_next(&rows, charged, err) : rc;
}

enum errc card_has_default(struct db *db, const struct uuid *customer_id, bool *has, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(
        db, &rows, err, "SELECT 1 FROM cards WHERE customer_id = $1 AND status = 'active' AND is_default = 1",
        DB_ID(customer_id));
    return rc == OK ? db_next(&rows, has, err) : rc;
}

enum errc card_make_default(struct db *db, const struct card *card, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE cards SET is_default = CASE WHEN id = $2 THEN 1 ELSE 0 END, updated_us = $3"
                  " WHERE customer_id = $1 AND (is_default = 1 OR id = $2)",
                  DB_ID(&card->customer_id), DB_ID(&card->id), DB_I64(now_us));
}

enum errc card_make_newest_default(struct db *db, const struct uuid *customer_id, int64_t now_us,
                                   struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE cards SET is_default = 1, updated_us = $2 WHERE id ="
        " (SELECT id FROM cards WHERE customer_id = $1 AND status = 'active' ORDER BY id DESC LIMIT 1)",
        DB_ID(customer_id), DB_I64(now_us));
}

enum errc cards_all_gone(struct db *db, const struct uuid *customer_id, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE cards SET status = 'gone', is_default = 0, updated_us = $2"
                  " WHERE customer_id = $1 AND status = 'active'",
                  DB_ID(customer_id), DB_I64(now_us));
}

#define EXPIRY "exp_year * 12 + exp_month"

enum errc cards_expiring(struct db *db, int month, struct arena *arena, struct card *cards, size_t max,
                         size_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err,
                 "SELECT " CARD_COLUMNS " FROM cards WHERE status = 'active' AND exp_month > 0"
                 " AND expiring_told < " EXPIRY " AND " EXPIRY " <= $1 ORDER BY " EXPIRY " LIMIT $2",
                 DB_I64(month), DB_I64((int64_t)max));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            rc = card_read(&rows, arena, &cards[*count], err);
            bool damaged = db_take_damage(db);
            rc = damaged ? OK : rc;
            *count += !damaged;
        }
    }
    return rc;
}

enum errc card_expiring_told(struct db *db, const struct card *card, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE cards SET expiring_told = " EXPIRY " WHERE id = $1",
                  DB_ID(&card->id));
}

// --- the list

static const struct filter filters[] = {
    {"customer_email", FILTER_EMAIL,
     "id IN (SELECT id FROM cards WHERE customer_id IN (SELECT id FROM customers WHERE merchant_id = :owner"
     " AND livemode = :mode AND email = :value))"},
    {"expires_soon", FILTER_BY_MONTH, "exp_month > 0 AND " EXPIRY " <= :value"},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing card_listing = {
    .name = "cards",
    .table = "cards",
    .columns = CARD_COLUMNS,
    .owner = "merchant_id = :owner",
    .always = "status = 'active'",
    .has_modes = true,
    .filters = filters,
};
