// Whether this database is a restored backup, and what it lacks. After a start that does not follow a stop of
// this very database, each account (a merchant's credentials of one mode) is held: nothing new is charged or
// refunded until the provider has shown that the newest payments and refunds are here. Where they are not,
// all that the account has is read and taken over first. Database thread.
#pragma once

#include "op/engine/op.h"
#include "store/catch_ups.h"
#include "store/credentials.h"

// ERR_CATCHING_UP while the merchant's account is held, in this mode or, with CATCH_UP_EITHER, in one of
// both.
enum errc catch_up_check(struct tx *tx, const struct uuid *merchant_id, enum catch_up_mode mode,
                         struct err *err) MUST_CHECK;

// Credentials were put in place: their account is asked where it would not tell before.
enum errc catch_up_ask(struct tx *tx, const struct credential *credential, int64_t now_us,
                       struct err *err) MUST_CHECK;
