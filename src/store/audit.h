// The audit log: rows that are only ever appended, each with an HMAC under the pepper over itself and the one
// before.
#pragma once

#include "store/listing.h"

struct audit_entry {
    const char *event_type;         // "key.created"
    const char *severity;           // "info", "warn", "critical"
    const char *actor_ip;           // NULL: the command line
    const struct uuid *merchant_id; // NULL: none
    const char *key_prefix;         // NULL: none
    const char *detail;
    const char *metadata_json; // NULL: {}
};

// Appends; must run in a write transaction (the chain's order is the database's).
enum errc audit_append(struct db *db, const uint8_t pepper[32], const struct audit_entry *entry,
                       int64_t now_us, struct err *err) MUST_CHECK;

#define AUDIT_MAC_BYTES 32

// What the chain ends with: the newest row's number and mac; 0 and zeros where there is none.
struct audit_head {
    int64_t seq;
    uint8_t mac[AUDIT_MAC_BYTES];
};
enum errc audit_head_read(struct db *db, struct audit_head *head, struct err *err) MUST_CHECK;
// Whether a head of before is in the chain still; seq 0: whatever its number is. One of an empty log is.
enum errc audit_head_holds(struct db *db, const struct audit_head *head, bool *holds,
                           struct err *err) MUST_CHECK;

// Walks the chain. *broken_seq is 0 where it holds, else the first row that does not; head is the last mac.
enum errc audit_verify(struct db *db, const uint8_t pepper[32], int64_t *count, int64_t *broken_seq,
                       uint8_t head[32], struct err *err) MUST_CHECK;

// What is listed: `id` and `created_us` are the row's own.
struct audit_row {
    struct uuid id;
    struct audit_entry entry;
    int64_t created_us;
};
extern const struct listing audit_listing;
// The row that a query in those columns stands on, into the arena.
void audit_read(struct db_rows *rows, struct arena *arena, struct audit_row *row);
