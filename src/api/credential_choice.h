// Chooses the merchant's credentials that a request uses. Database thread.
#pragma once

#include "api/request.h"
#include "provider/provider.h"
#include "store/credentials.h"

// The provider's live credentials if the API key is live and they are active, else the test credentials.
// *found is false where no credentials are active.
enum errc credential_choose(struct request *request, struct tx *tx, const struct provider_ops *provider,
                            struct credential *credential, bool *found, struct err *err) MUST_CHECK;

// ERR_PROVIDER_NOT_CONFIGURED, with what to do about it.
enum errc credential_missing(const struct provider_ops *provider, struct err *err) MUST_CHECK;
