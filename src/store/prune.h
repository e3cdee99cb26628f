// Deletes what is old, a few rows at a time. Payments, refunds, cards and idempotency keys are never deleted;
// the audit log has audit_prune. Each function deletes rows made before a time, the oldest first, and looks
// at `max` rows at most. *more: it looked at that many, so the next call may find more. Database thread.
#pragma once

#include "base/timefmt.h"
#include "store/db.h"

// Stored answers, by the time of what they are about. Repeats of a request need its answer for at least 24 h.
enum errc prune_replies(struct db *db, int64_t before_us, int64_t max, bool *more,
                        struct err *err) MUST_CHECK;
// Records of the provider's events. They must be kept for as long as it repeats events.
enum errc prune_inbox(struct db *db, int64_t before_us, int64_t max, bool *more, struct err *err) MUST_CHECK;
// A record of a transaction is kept for so long. It is looked for within seconds. A process that stood still
// may look later: after half of this time a missing record proves nothing.
#define COMMITS_KEPT_US (3600 * US_PER_S)

// These walk on from `after` (nil: from the start) and move it.
// Records of transactions. At the start of the index are those that were deleted and are not vacuumed yet:
// PostgreSQL passes over 5 million a second.
enum errc prune_commits(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                        struct err *err) MUST_CHECK;
// The other three pass over rows that must stay.
// Events to the merchant that are delivered or dead.
enum errc prune_outbox(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                       struct err *err) MUST_CHECK;
// Entries of the histories of payments made before that time. What payment_was_reopened looks for stays.
enum errc prune_history(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                        struct err *err) MUST_CHECK;
// The secret keys of credentials that were last changed before that time, but for their present ones and
// those that open operations need. They are wiped, and their rows stay.
enum errc prune_replaced_keys(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                              struct err *err) MUST_CHECK;
