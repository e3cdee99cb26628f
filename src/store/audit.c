// The audit chain. Row n's mac is HMAC-SHA256 under the pepper over
//
//     mac of row n-1 (32 bytes; zeros before row 1) | seq | id | event_type | severity | actor_ip |
//     merchant_id | key_prefix | detail | metadata | created_us
//
// where each field is its length in bytes as 8 big-endian bytes, then its bytes; a number is 8 big-endian
// bytes, NULL is the length 2^64-1 and no bytes. So without the pepper nobody can change, remove, insert or
// move a row without breaking the chain from there on. The chain cannot show that rows were cut off its end,
// so heads are kept elsewhere (api/audit_head.c). Invariant: seq counts from 1 without a gap. Database
// thread.
#include "store/audit.h"

#include <string.h>

#include "base/crypto.h"
#include "base/require.h"

#define MAC_BYTES AUDIT_MAC_BYTES
#define FIELD_COUNT 10

// What the mac covers of a row; NULL text is SQL NULL.
struct chained {
    int64_t seq;
    struct uuid id;
    const char *event_type;
    const char *severity;
    const char *actor_ip;
    const struct uuid *merchant_id;
    const char *key_prefix;
    const char *detail;
    const char *metadata;
    int64_t created_us;
};

static void put_u64(uint64_t value, uint8_t out[8])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static void chain(const uint8_t pepper[32], const uint8_t previous[MAC_BYTES], const struct chained *row,
                  uint8_t mac[MAC_BYTES])
{
    uint8_t seq[8];
    uint8_t created[8];
    put_u64((uint64_t)row->seq, seq);
    put_u64((uint64_t)row->created_us, created);
    const char *texts[] = {row->event_type, row->severity, row->actor_ip,
                           row->key_prefix, row->detail,   row->metadata};
    size_t bytes[COUNT_OF(texts)];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        bytes[i] = texts[i] == NULL ? 0 : strlen(texts[i]);
    }
    const struct crypto_part fields[FIELD_COUNT] = {
        {seq, sizeof seq},
        {row->id.bytes, sizeof row->id.bytes},
        {texts[0], bytes[0]},
        {texts[1], bytes[1]},
        {texts[2], bytes[2]},
        {row->merchant_id ? row->merchant_id->bytes : NULL,
         row->merchant_id ? sizeof row->merchant_id->bytes : 0},
        {texts[3], bytes[3]},
        {texts[4], bytes[4]},
        {texts[5], bytes[5]},
        {created, sizeof created},
    };
    uint8_t lengths[FIELD_COUNT][8];
    struct crypto_part parts[1 + 2 * FIELD_COUNT] = {{previous, MAC_BYTES}};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        put_u64(fields[i].data == NULL ? UINT64_MAX : fields[i].bytes, lengths[i]);
        parts[1 + 2 * i] = (struct crypto_part){lengths[i], sizeof lengths[i]};
        parts[2 + 2 * i] = fields[i];
    }
    crypto_hmac(pepper, 32, parts, COUNT_OF(parts), mac);
}

enum errc audit_head_read(struct db *db, struct audit_head *head, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err, "SELECT seq, mac FROM audit_log ORDER BY seq DESC LIMIT 1");
    if (rc != OK) {
        return rc;
    }
    *head = (struct audit_head){0};
    if (has) {
        head->seq = db_i64(&rows, 0);
        db_fixed(&rows, 1, head->mac, sizeof(head->mac));
    }
    if (head->seq < 0 || head->seq == INT64_MAX) {
        return db_damaged(&rows, "seq", err);
    }
    return OK;
}

enum errc audit_head_holds(struct db *db, const struct audit_head *head, bool *holds, struct err *err)
{
    static const struct audit_head empty;
    *holds = memcmp(head->mac, empty.mac, sizeof(head->mac)) == 0;
    if (*holds) {
        return OK;
    }
    DB_ROWS(rows);
    const struct db_value mac = DB_BYTES(head->mac, sizeof(head->mac));
    return head->seq == 0
               ? db_first(db, &rows, holds, err, "SELECT 1 FROM audit_log WHERE mac = $1", mac)
               : db_first(db, &rows, holds, err, "SELECT 1 FROM audit_log WHERE mac = $1 AND seq = $2", mac,
                          DB_I64(head->seq));
}

enum errc audit_append(struct db *db, const uint8_t pepper[32], const struct audit_entry *entry,
                       int64_t now_us, struct err *err)
{
    REQUIRE(entry->event_type != NULL && entry->severity != NULL && entry->detail != NULL);
    struct chained row = {
        .id = uuid_new(&random_system, now_us),
        .event_type = entry->event_type,
        .severity = entry->severity,
        .actor_ip = entry->actor_ip,
        .merchant_id = entry->merchant_id,
        .key_prefix = entry->key_prefix,
        .detail = entry->detail,
        .metadata = entry->metadata_json ? entry->metadata_json : "{}",
        .created_us = now_us,
    };
    struct audit_head previous;
    uint8_t mac[MAC_BYTES];
    enum errc rc = audit_head_read(db, &previous, err);
    if (rc != OK) {
        return rc;
    }
    row.seq = previous.seq + 1;
    chain(pepper, previous.mac, &row, mac);
    return db_run(
        db, NULL, err,
        "INSERT INTO audit_log (seq, id, event_type, severity, actor_ip, merchant_id, key_prefix, detail,"
        " metadata, created_us, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        DB_I64(row.seq), DB_ID(&row.id), DB_STR(row.event_type), DB_STR(row.severity), DB_STR(row.actor_ip),
        DB_ID(row.merchant_id), DB_STR(row.key_prefix), DB_STR(row.detail), DB_STR(row.metadata),
        DB_I64(row.created_us), DB_BYTES(mac, sizeof mac));
}

// Whether the row that `rows` stands on follows the one with this seq and mac. If so, sets them to the row's
// own.
static bool row_holds(struct db_rows *rows, const uint8_t pepper[32], int64_t *seq, uint8_t mac[MAC_BYTES])
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct uuid merchant_id = db_uuid(rows, 5);
    struct chained row = {
        .seq = db_i64(rows, 0),
        .id = db_uuid(rows, 1),
        .event_type = db_text(rows, 2, &arena),
        .severity = db_text(rows, 3, &arena),
        .actor_ip = db_text(rows, 4, &arena),
        .merchant_id = db_is_null(rows, 5) ? NULL : &merchant_id,
        .key_prefix = db_text(rows, 6, &arena),
        .detail = db_text(rows, 7, &arena),
        .metadata = db_text(rows, 8, &arena),
        .created_us = db_i64(rows, 9),
    };
    uint8_t stored[MAC_BYTES];
    db_fixed(rows, 10, stored, sizeof stored);
    uint8_t expected[MAC_BYTES];
    chain(pepper, mac, &row, expected);
    bool damaged =
        db_take_damage(rows->db); // such as a text with a NUL inside: the mac covers only what is before
    if (damaged || row.seq != *seq + 1 || !crypto_equal(stored, expected, MAC_BYTES)) {
        return false;
    }
    *seq = row.seq;
    memcpy(mac, expected, MAC_BYTES);
    return true;
}

enum errc audit_verify(struct db *db, const uint8_t pepper[32], int64_t *count, int64_t *broken_seq,
                       uint8_t head[32], struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT seq, id, event_type, severity, actor_ip, merchant_id, key_prefix, detail,"
                            " metadata, created_us, mac FROM audit_log ORDER BY seq");
    int64_t seq = 0;
    uint8_t mac[MAC_BYTES] = {0};
    int64_t broken = 0;
    while (rc == OK && broken == 0) {
        bool has;
        rc = db_next(&rows, &has, err);
        if (rc != OK || !has) {
            break;
        }
        broken = row_holds(&rows, pepper, &seq, mac) ? 0 : db_i64(&rows, 0);
    }
    if (rc == OK) {
        *count = seq;
        *broken_seq = broken;
        memcpy(head, mac, MAC_BYTES);
    }
    return rc;
}

// --- the list

void audit_read(struct db_rows *rows, struct arena *arena, struct audit_row *row)
{
    const struct uuid merchant_id = db_uuid(rows, 4);
    *row = (struct audit_row){
        .id = db_uuid(rows, 0),
        .entry =
            {
                .event_type = db_text(rows, 1, arena),
                .severity = db_text(rows, 2, arena),
                .actor_ip = db_text(rows, 3, arena),
                .merchant_id =
                    db_is_null(rows, 4) ? NULL : arena_memdup(arena, &merchant_id, sizeof(merchant_id)),
                .key_prefix = db_text(rows, 5, arena),
                .detail = db_text(rows, 6, arena),
                .metadata_json = db_text(rows, 7, arena),
            },
        .created_us = db_i64(rows, 8),
    };
}

// Successful authentications write nearly all of the log; the rest has its own indexes.
#define RARE "event_type <> 'auth.success'"

static const struct filter_word types[] = {
    {"auth.failed", RARE},
    {"auth.key_expired", RARE},
    {"auth.merchant_inactive", RARE},
    {"auth.invalid_format", RARE},
    {"auth.scope_denied", RARE},
    {"auth.rate_limited", RARE},
    {"auth.success"},
    {"key.created", RARE},
    {"key.revoked", RARE},
    {"merchant.created", RARE},
    {"merchant.updated", RARE},
    {"provider.deleted", RARE},
    {"provider.updated", RARE},
    {"webhook.url_updated", RARE},
    {"database.accepted", RARE},
    {NULL},
};

static const struct filter_word severities[] = {{"info"}, {"warn", RARE}, {"critical", RARE}, {NULL}};

static const struct filter filters[] = {
    {"event_type", FILTER_WORD, "event_type = :value", types},
    {"severity", FILTER_WORD, "severity = :value", severities},
    {"merchant_id", FILTER_ID, "merchant_id = :value"},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {NULL},
};

const struct listing audit_listing = {
    .name = "audit",
    .table = "audit_log",
    .columns = "id, event_type, severity, actor_ip, merchant_id, key_prefix, detail, metadata, created_us",
    .owner = "merchant_id = :owner",
    .filters = filters,
};
