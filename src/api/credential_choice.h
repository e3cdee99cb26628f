// Which of a merchant's credentials a request uses. Database thread.
#pragma once

#include "api/request.h"
#include "store/credentials.h"

// Live ones where the key is live and there are any, else test ones. *found: they are there and active.
enum errc credential_choose(struct request *request, struct tx *tx, struct credential *credential,
                            bool *found, struct err *err) MUST_CHECK;

// ERR_PROVIDER_NOT_CONFIGURED, with what to do about it.
enum errc credential_missing(struct err *err) MUST_CHECK;
