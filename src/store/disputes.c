// Queries on disputes.
#include "store/disputes.h"

#include "store/columns.h"

// clang-format off
#define FIXED(FIRST, NEXT)                       \
    FIRST(id,           ID,   id)                \
    NEXT (payment_id,   ID,   payment_id)        \
    NEXT (merchant_id,  ID,   merchant_id)       \
    NEXT (livemode,     BOOL, livemode)          \
    NEXT (provider_ref, TEXT, provider_ref)      \
    NEXT (created_us,   I64,  created_us)

// What dispute_update writes.
#define CHANGING(FIRST, NEXT)                                 \
    FIRST(status,          TEXT,             status)          \
    NEXT (reason,          TEXT,             reason)          \
    NEXT (amount_minor,    AMOUNT_OR_NULL,   amount_minor)    \
    NEXT (currency,        CURRENCY_OR_NULL, currency)        \
    NEXT (evidence_due_us, I64_OR_NULL,      evidence_due_us) \
    NEXT (reported_s,      I64,              reported_s)      \
    NEXT (updated_us,      I64,              updated_us)
// clang-format on
#define COLUMNS(FIRST, NEXT) FIXED(FIRST, NEXT) CHANGING(NEXT, NEXT)
#define NAMES COLUMN_NAMES(COLUMNS)

// -1 is NULL.
#define COLUMN_VALUE_AMOUNT_OR_NULL(field) (row->field < 0 ? DB_NIL : DB_I64(row->field))
#define COLUMN_READ_AMOUNT_OR_NULL(field)                                                                    \
    do {                                                                                                     \
        row->field = db_is_null(from, column) ? -1 : db_i64(from, column);                                   \
        column++;                                                                                            \
    } while (0)
#define COLUMN_VALUE_CURRENCY_OR_NULL(field) DB_STR(row->field != NULL ? row->field->code : NULL)
#define COLUMN_READ_CURRENCY_OR_NULL(field)                                                                  \
    do {                                                                                                     \
        const char *code = db_text(from, column++, NULL);                                                    \
        row->field = code != NULL ? currency_find(code) : NULL;                                              \
        if (code != NULL && row->field == NULL) {                                                            \
            return db_damaged(from, "currency", err);                                                        \
        }                                                                                                    \
    } while (0)

#define NO_SUCH_DISPUTE "no such dispute"

enum errc dispute_insert(struct db *db, const struct dispute *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO disputes " COLUMN_INSERT(COLUMNS), COLUMN_VALUES(COLUMNS));
}

enum errc dispute_update(struct db *db, const struct dispute *row, struct err *err)
{
    return db_run_one(db, err, "UPDATE disputes SET " COLUMN_SET(2, CHANGING) " WHERE id = $1",
                      DB_ID(&row->id), COLUMN_VALUES(CHANGING));
}

enum errc dispute_read(struct db_rows *rows, struct arena *arena, struct dispute *row, struct err *err)
{
    *row = (struct dispute){0};
    COLUMN_READ(COLUMNS, rows);
    const bool is_amount = row->amount_minor == -1 || (row->amount_minor >= 0 && row->currency != NULL &&
                                                       row->amount_minor <= row->currency->minor_max);
    return is_amount ? OK : db_damaged(rows, "amount_minor", err);
}

enum errc dispute_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                      struct arena *arena, struct dispute *dispute, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_DISPUTE, err,
                          "SELECT " NAMES " FROM disputes WHERE id = $1 AND merchant_id = $2", DB_ID(id),
                          DB_ID(merchant_id));
    return rc == OK ? dispute_read(&rows, arena, dispute, err) : rc;
}

enum errc dispute_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                         const char *provider_ref, struct arena *arena, struct dispute *dispute,
                         struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_DISPUTE, err,
                          "SELECT " NAMES " FROM disputes WHERE provider_ref = $1 AND merchant_id = $2"
                          " AND livemode = $3",
                          DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? dispute_read(&rows, arena, dispute, err) : rc;
}

// --- the list

// Most disputes end so.
#define RARE "status <> 'lost'"
static const struct filter_word statuses[] = {{"needs_response", RARE},
                                              {"under_review", RARE},
                                              {"won", RARE},
                                              {"lost"},
                                              {"warning_needs_response", RARE},
                                              {"warning_under_review", RARE},
                                              {"warning_closed", RARE},
                                              {"prevented", RARE},
                                              {NULL}};

static const struct filter filters[] = {
    // Through ids, so that SQLite searches the payment's disputes and not the merchant's.
    {"payment_id", FILTER_ID, "id IN (SELECT id FROM disputes WHERE payment_id = :value)", NULL, REACH_FEW},
    {"status", FILTER_WORD, "status = :value", statuses, REACH_RANGE},
    {"provider_ref", FILTER_TEXT, "provider_ref = :value", NULL, REACH_FEW},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing dispute_listing = {
    .name = "disputes",
    .table = "disputes",
    .columns = NAMES,
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = filters,
};
