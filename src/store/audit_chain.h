// How the rows of the audit log hold together, for the files that write, prune and verify it. Database
// thread.
#pragma once

#include "store/audit.h"

// What the mac covers of a row; NULL text is SQL NULL.
struct audit_chained {
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

void audit_chain(const uint8_t pepper[32], const uint8_t previous[AUDIT_MAC_BYTES],
                 const struct audit_chained *row, uint8_t mac[AUDIT_MAC_BYTES]);

// The columns of a query whose rows audit_row_holds reads.
#define AUDIT_CHAINED                                                                                        \
    "seq, id, event_type, severity, actor_ip, merchant_id, key_prefix, detail, metadata, created_us, mac"

// Whether the row that `rows` stands on follows `at`. If so, moves `at` to it.
bool audit_row_holds(struct db_rows *rows, const uint8_t pepper[32], struct audit_head *at);

// If rows after `at` were pruned, moves it to the last of them.
enum errc audit_pass_gap(struct db *db, const uint8_t pepper[32], struct audit_head *at,
                         struct err *err) MUST_CHECK;
// Replaces the rows and gaps after `from`, up to `to`, by one gap.
enum errc audit_make_gap(struct db *db, const uint8_t pepper[32], const struct audit_head *from,
                         const struct audit_head *to, struct err *err) MUST_CHECK;
// Whether the row of this number was pruned.
enum errc audit_in_gap(struct db *db, const uint8_t pepper[32], int64_t seq, bool *pruned,
                       struct err *err) MUST_CHECK;
