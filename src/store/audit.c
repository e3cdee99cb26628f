// The audit log's queries: the chain's head, appending, verifying, pruning, and the list. How rows and gaps
// hold together is in audit_chain.c. Invariant: seq counts from 1 without a hole. seq is unique, and so is a
// gap's start: of two nodes that prune the same rows, one runs again. Database thread.
#include "store/audit.h"

#include <string.h>

#include "base/require.h"
#include "store/audit_chain.h"

#define MAC_BYTES AUDIT_MAC_BYTES

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

enum errc audit_head_holds(struct db *db, const uint8_t pepper[32], const struct audit_head *head,
                           bool *holds, struct err *err)
{
    static const struct audit_head empty;
    *holds = memcmp(head->mac, empty.mac, sizeof(head->mac)) == 0;
    if (*holds) {
        return OK;
    }
    const struct db_value mac = DB_BYTES(head->mac, sizeof(head->mac));
    DB_ROWS(rows);
    if (head->seq == 0) {
        return db_first(db, &rows, holds, err, "SELECT 1 FROM audit_log WHERE mac = $1", mac);
    }
    enum errc rc = db_first(db, &rows, holds, err, "SELECT 1 FROM audit_log WHERE mac = $1 AND seq = $2", mac,
                            DB_I64(head->seq));
    return rc == OK && !*holds ? audit_in_gap(db, pepper, head->seq, holds, err) : rc;
}

// Appends the row after `head`, and moves `head` to it.
static enum errc append(struct db *db, const uint8_t pepper[32], const struct audit_entry *entry,
                        int64_t now_us, struct audit_head *head, struct err *err)
{
    REQUIRE(entry->event_type != NULL && entry->severity != NULL && entry->detail != NULL);
    const struct audit_chained row = {
        .seq = head->seq + 1,
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
    uint8_t mac[MAC_BYTES];
    audit_chain(pepper, head->mac, &row, mac);
    head->seq = row.seq;
    memcpy(head->mac, mac, sizeof(mac));
    return db_run(
        db, NULL, err,
        "INSERT INTO audit_log (seq, id, event_type, severity, actor_ip, merchant_id, key_prefix, detail,"
        " metadata, created_us, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        DB_I64(row.seq), DB_ID(&row.id), DB_STR(row.event_type), DB_STR(row.severity), DB_STR(row.actor_ip),
        DB_ID(row.merchant_id), DB_STR(row.key_prefix), DB_STR(row.detail), DB_STR(row.metadata),
        DB_I64(row.created_us), DB_BYTES(mac, sizeof mac));
}

// The lock is a row of its own. A transaction that waited for the head's row would then read that row, and
// not the entry that was appended meanwhile.
enum errc audit_lock(struct db *db, struct err *err)
{
    return db_lock(db, err, "SELECT 1 FROM meta WHERE name = $1" LOCKED, DB_STR("audit_log"));
}

enum errc audit_append_all(struct db *db, const uint8_t pepper[32], const struct audit_entry *entries,
                           size_t count, int64_t now_us, struct err *err)
{
    struct audit_head head;
    enum errc rc = audit_lock(db, err);
    if (rc == OK) {
        rc = audit_head_read(db, &head, err);
    }
    for (size_t i = 0; rc == OK && i < count; i++) {
        rc = append(db, pepper, &entries[i], now_us, &head, err);
    }
    return rc;
}

enum errc audit_append(struct db *db, const uint8_t pepper[32], const struct audit_entry *entry,
                       int64_t now_us, struct err *err)
{
    return audit_append_all(db, pepper, entry, 1, now_us, err);
}

// Rows of one query. A driver may read a result whole.
#define VERIFY_ROWS 1000

// Walks at most so many rows, from the number `first` on. *goes_on: there may be more.
static enum errc verify_rows(struct db *db, const uint8_t pepper[32], int64_t first, struct audit_head *at,
                             int64_t *broken, bool *goes_on, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " AUDIT_CHAINED " FROM audit_log WHERE seq >= $1 ORDER BY seq LIMIT $2",
                            DB_I64(first), DB_I64(VERIFY_ROWS));
    int64_t seen = 0;
    for (bool has = true; rc == OK && has && *broken == 0;) {
        rc = db_next(&rows, &has, err);
        if (rc != OK || !has) {
            break;
        }
        seen++;
        if (db_i64(&rows, 0) != at->seq + 1) {
            rc = audit_pass_gap(db, pepper, at, err);
        }
        *broken = audit_row_holds(&rows, pepper, at) ? 0 : db_i64(&rows, 0);
    }
    *goes_on = *broken == 0 && seen == VERIFY_ROWS;
    return rc;
}

enum errc audit_verify(struct db *db, const uint8_t pepper[32], int64_t *count, int64_t *broken_seq,
                       uint8_t head[32], struct err *err)
{
    struct audit_head at = {0};
    int64_t broken = 0;
    bool goes_on = false;
    // Rows before number 1 would break the chain, too.
    enum errc rc = verify_rows(db, pepper, INT64_MIN, &at, &broken, &goes_on, err);
    while (rc == OK && goes_on) {
        rc = verify_rows(db, pepper, at.seq + 1, &at, &broken, &goes_on, err);
    }
    if (rc == OK) {
        *count = at.seq;
        *broken_seq = broken;
        memcpy(head, at.mac, MAC_BYTES);
    }
    return rc;
}

// --- pruning

// The types of what auth_guard.c counts.
#define COUNT_PREFIX "auth."

// What a walk of audit_prune has met: rows that may go stand between `from` and `at`.
struct walk {
    struct audit_head from;
    struct audit_head at;
    bool any; // a row among them, and not only a gap
};

static bool may_go(struct db_rows *rows, int64_t before_us)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *type = db_text(rows, 2, &arena);
    return type != NULL && strncmp(type, COUNT_PREFIX, strlen(COUNT_PREFIX)) == 0 &&
           db_i64(rows, 9) < before_us;
}

// One row of the walk. False: the walk ends before it.
static bool step(struct walk *walk, struct db_rows *rows, const uint8_t pepper[32], int64_t before_us)
{
    struct audit_head at = walk->at;
    if (!audit_row_holds(rows, pepper, &at)) {
        return false; // the log stays as it is, for those who look into this
    }
    bool goes = may_go(rows, before_us);
    if (!goes && (walk->any || db_i64(rows, 9) >= before_us)) {
        return false;
    }
    walk->at = at;
    walk->any = goes;
    walk->from = goes ? walk->from : at;
    return true;
}

enum errc audit_prune(struct db *db, const uint8_t pepper[32], int64_t before_us, int64_t max,
                      struct audit_head *after, bool *more, struct err *err)
{
    struct walk walk = {.from = *after, .at = *after};
    int64_t seen = 0;
    {
        DB_ROWS(rows);
        bool has = true;
        bool goes_on = true;
        enum errc rc = db_query(db, &rows, err,
                                "SELECT " AUDIT_CHAINED " FROM audit_log WHERE seq > $1"
                                " AND seq < (SELECT max(seq) FROM audit_log) ORDER BY seq LIMIT $2",
                                DB_I64(after->seq), DB_I64(max));
        while (rc == OK && has && goes_on) {
            rc = db_next(&rows, &has, err);
            if (rc == OK && has && db_i64(&rows, 0) != walk.at.seq + 1) {
                rc = audit_pass_gap(db, pepper, &walk.at, err);
            }
            if (rc == OK && has) {
                goes_on = step(&walk, &rows, pepper, before_us);
                seen += goes_on;
            }
        }
        if (rc != OK) {
            return rc;
        }
    }
    *after = walk.from;
    *more = seen == max || walk.any;
    return walk.any ? audit_make_gap(db, pepper, &walk.from, &walk.at, err) : OK;
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
    {"event_type", FILTER_WORD, "event_type = :value", types, REACH_PART},
    {"severity", FILTER_WORD, "severity = :value", severities, REACH_PART},
    {"merchant_id", FILTER_ID, "merchant_id = :value", NULL, REACH_OWNER},
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
