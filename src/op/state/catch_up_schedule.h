// An account (a merchant's credentials of one mode) that has payments which this database lacks. Its row of
// catch_ups says what is read again; the operation catch_up reads it (op/kinds/catch_up.c). Database threads.
#pragma once

#include "base/log.h"
#include "store/catch_ups.h"
#include "store/credentials.h"
#include "store/tx.h"

// The provider's clock and ours may differ by this much. After a clock that was ahead, a day is asked for.
#define CATCH_UP_CLOCK_SLACK_S 3600
#define CATCH_UP_LAST_SLACK_S (24 * INT64_C(3600))

// An event names a payment of this merchant that carries this service's mark and is not here: the account is
// read from then on.
enum errc catch_up_schedule(struct tx *tx, const struct uuid *merchant_id, bool livemode,
                            const struct uuid *payment_id, struct err *err) MUST_CHECK;

// Whether a payment or refund with this id of ours is lost, as it is not here. One that was made before the
// operator accepted this database, or by a clock that was ahead, is not looked for.
enum errc catch_up_is_lost(struct tx *tx, const struct uuid *id, bool *lost, struct err *err) MUST_CHECK;
// Marks that something is known to be missing, and logs it the first time.
void catch_up_note_known(struct catch_up *at, const struct credential *account);
// Logs a message with the account and the counts.
void catch_up_log(enum log_level level, const char *message, const struct credential *account,
                  const struct catch_up *at);
