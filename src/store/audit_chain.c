// The audit chain. Row n's mac is HMAC-SHA256 under the pepper over
//
//     mac of row n-1 (32 bytes; zeros before row 1) | seq | id | event_type | severity | actor_ip |
//     merchant_id | key_prefix | detail | metadata | created_us
//
// where each field is its length in bytes as 8 big-endian bytes, then its bytes; a number is 8 big-endian
// bytes, NULL is the length 2^64-1 and no bytes. So without the pepper nobody can change, remove, insert or
// move a row without breaking the chain from there on. The chain cannot show that rows were cut off its end,
// so heads are kept elsewhere (api/audit_head.c).
//
// Rows that were pruned leave a gap: the numbers of the first and the last of them, the last one's mac, which
// the next row goes on from, and a seal, HMAC-SHA256 under the pepper over
//
//     "audit gap" | mac of the row before the gap | first_seq | last_seq | mac
//
// Invariant: rows and gaps together count from 1 without a hole, no two gaps are adjacent, and a row follows
// the last gap. Database thread.
#include "store/audit_chain.h"

#include <string.h>

#include "base/crypto.h"
#include "base/require.h"

#define MAC_BYTES AUDIT_MAC_BYTES
#define FIELD_COUNT 10

static void put_u64(uint64_t value, uint8_t out[8])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

void audit_chain(const uint8_t pepper[32], const uint8_t previous[MAC_BYTES], const struct audit_chained *row,
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

bool audit_row_holds(struct db_rows *rows, const uint8_t pepper[32], struct audit_head *at)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct uuid merchant_id = db_uuid(rows, 5);
    struct audit_chained row = {
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
    audit_chain(pepper, at->mac, &row, expected);
    bool damaged =
        db_take_damage(rows->db); // such as a text with a NUL inside: the mac covers only what is before
    if (damaged || row.seq != at->seq + 1 || !crypto_equal(stored, expected, MAC_BYTES)) {
        return false;
    }
    at->seq = row.seq;
    memcpy(at->mac, expected, MAC_BYTES);
    return true;
}

static void seal_gap(const uint8_t pepper[32], const struct audit_head *from, const struct audit_head *to,
                     uint8_t seal[MAC_BYTES])
{
    static const char kind[] = "audit gap";
    uint8_t first[8];
    uint8_t last[8];
    put_u64((uint64_t)from->seq + 1, first);
    put_u64((uint64_t)to->seq, last);
    const struct crypto_part parts[] = {{kind, sizeof kind - 1},
                                        {from->mac, MAC_BYTES},
                                        {first, sizeof first},
                                        {last, sizeof last},
                                        {to->mac, MAC_BYTES}};
    crypto_hmac(pepper, 32, parts, COUNT_OF(parts), seal);
}

#define GAP "SELECT last_seq, mac, seal FROM audit_gaps WHERE first_seq"

// Reads the end of the gap after `from`. False: nobody with the pepper made it.
static bool gap_holds(struct db_rows *rows, const uint8_t pepper[32], const struct audit_head *from,
                      struct audit_head *to)
{
    uint8_t stored[MAC_BYTES];
    uint8_t expected[MAC_BYTES];
    to->seq = db_i64(rows, 0);
    db_fixed(rows, 1, to->mac, sizeof(to->mac));
    db_fixed(rows, 2, stored, sizeof(stored));
    seal_gap(pepper, from, to, expected);
    bool damaged = db_take_damage(rows->db);
    return !damaged && to->seq > from->seq && crypto_equal(stored, expected, MAC_BYTES);
}

enum errc audit_pass_gap(struct db *db, const uint8_t pepper[32], struct audit_head *at, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err, GAP " = $1", DB_I64(at->seq + 1));
    struct audit_head end = {0};
    if (has && gap_holds(&rows, pepper, at, &end)) {
        *at = end;
    }
    return rc;
}

enum errc audit_make_gap(struct db *db, const uint8_t pepper[32], const struct audit_head *from,
                         const struct audit_head *to, struct err *err)
{
    REQUIRE(from->seq < to->seq);
    uint8_t seal[MAC_BYTES];
    seal_gap(pepper, from, to, seal);
    enum errc rc = db_run(db, NULL, err, "DELETE FROM audit_gaps WHERE first_seq > $1 AND first_seq <= $2",
                          DB_I64(from->seq), DB_I64(to->seq));
    if (rc == OK) {
        rc = db_run(db, NULL, err, "DELETE FROM audit_log WHERE seq > $1 AND seq <= $2", DB_I64(from->seq),
                    DB_I64(to->seq));
    }
    return rc == OK ? db_run(db, NULL, err,
                             "INSERT INTO audit_gaps (first_seq, last_seq, mac, seal)"
                             " VALUES ($1, $2, $3, $4)",
                             DB_I64(from->seq + 1), DB_I64(to->seq), DB_BYTES(to->mac, sizeof(to->mac)),
                             DB_BYTES(seal, sizeof(seal)))
                    : rc;
}

// The row before the gap that may hold this number. Its seq is -1 if there is no such gap, or no such row.
static enum errc row_before_gap(struct db *db, int64_t seq, struct audit_head *before, struct err *err)
{
    *before = (struct audit_head){.seq = -1};
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err,
                            "SELECT first_seq - 1, (SELECT mac FROM audit_log WHERE seq = first_seq - 1)"
                            " FROM audit_gaps WHERE first_seq <= $1 ORDER BY first_seq DESC LIMIT 1",
                            DB_I64(seq));
    if (has && db_i64(&rows, 0) == 0) {
        before->seq = 0;
    } else if (has && !db_is_null(&rows, 1)) {
        before->seq = db_i64(&rows, 0);
        db_fixed(&rows, 1, before->mac, sizeof(before->mac));
    }
    return rc;
}

enum errc audit_in_gap(struct db *db, const uint8_t pepper[32], int64_t seq, bool *pruned, struct err *err)
{
    struct audit_head at = {0};
    enum errc rc = row_before_gap(db, seq, &at, err);
    *pruned = false;
    if (rc == OK && at.seq >= 0) {
        rc = audit_pass_gap(db, pepper, &at, err);
        *pruned = at.seq >= seq;
    }
    return rc;
}
