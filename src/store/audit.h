// The audit log. Rows are only ever appended, and each has an HMAC under the pepper over itself and the row
// before. Only counts of authentications are deleted, once they are old; each run of deleted rows leaves a
// gap that has an HMAC too.
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

// Locks the log until the transaction ends: no other node can append. Appending does it too.
enum errc audit_lock(struct db *db, struct err *err) MUST_CHECK;

// Appends a row. Call it in a write transaction, and late: until that ends, no other node can append.
enum errc audit_append(struct db *db, const uint8_t pepper[32], const struct audit_entry *entry,
                       int64_t now_us, struct err *err) MUST_CHECK;
// The same for `count` rows, which follow one another.
enum errc audit_append_all(struct db *db, const uint8_t pepper[32], const struct audit_entry *entries,
                           size_t count, int64_t now_us, struct err *err) MUST_CHECK;

#define AUDIT_MAC_BYTES 32

// The end of the chain: the newest row's number and mac; 0 and zeros if there is none.
struct audit_head {
    int64_t seq;
    uint8_t mac[AUDIT_MAC_BYTES];
};
enum errc audit_head_read(struct db *db, struct audit_head *head, struct err *err) MUST_CHECK;
// Whether the chain still holds this earlier head; seq 0: under any number. Every chain holds an empty log's
// head, and a head whose row was pruned, if its number is given.
enum errc audit_head_holds(struct db *db, const uint8_t pepper[32], const struct audit_head *head,
                           bool *holds, struct err *err) MUST_CHECK;

// Walks the chain. *broken_seq is 0 if it is intact, or else the first wrong row's number; head is the last
// correct mac.
enum errc audit_verify(struct db *db, const uint8_t pepper[32], int64_t *count, int64_t *broken_seq,
                       uint8_t head[32], struct err *err) MUST_CHECK;

// Deletes counts made before that time, in the chain's order: a run of them at a time, and never the newest
// row. Looks at `max` rows at most, from `after` on (zeros: from the start), and moves `after`. *more: the
// next call may find more at once. A row that does not hold ends the walk for good.
enum errc audit_prune(struct db *db, const uint8_t pepper[32], int64_t before_us, int64_t max,
                      struct audit_head *after, bool *more, struct err *err) MUST_CHECK;

// A row as it is listed.
struct audit_row {
    struct uuid id;
    struct audit_entry entry;
    int64_t created_us;
};
extern const struct listing audit_listing;
// Reads the row that a query in those columns stands on. Text into the arena.
void audit_read(struct db_rows *rows, struct arena *arena, struct audit_row *row);
