// Finds out whether this database is a restored backup, and imports what it lacks. After a start that does
// not follow an orderly stop of this very database, each account (a merchant's credentials of one mode) is
// held: nothing new is charged or refunded until the provider has shown that the newest payments and refunds
// are here. If they are not, everything that the account has is read and imported first. Database thread.
#pragma once

#include "op/engine/op.h"
#include "store/catch_ups.h"
#include "store/credentials.h"

// ERR_CATCHING_UP while the merchant's account is held, in this mode or, with CATCH_UP_EITHER, in either
// mode.
enum errc catch_up_check(struct tx *tx, const struct uuid *merchant_id, enum catch_up_mode mode,
                         struct err *err) MUST_CHECK;

// Credentials were stored: reads their account again if the provider refused to list it with the old ones.
enum errc catch_up_resume(struct tx *tx, const struct credential *credential, int64_t now_us,
                          struct err *err) MUST_CHECK;
