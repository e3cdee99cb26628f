// See credential_choice.h.
#include "api/credential_choice.h"

enum errc credential_choose(struct request *request, struct tx *tx, const struct provider_ops *provider,
                            struct credential *credential, bool *found, struct err *err)
{
    *found = false;
    for (int live = request->principal.livemode; live >= 0 && !*found; live--) {
        enum errc rc = credential_get(tx->db, &request->principal.merchant_id, provider->name, live == 1,
                                      request->arena, credential, err);
        if (rc != OK && rc != ERR_NOT_FOUND) {
            return rc;
        }
        *found = rc == OK && credential->is_active;
    }
    return OK;
}

enum errc credential_missing(const struct provider_ops *provider, struct err *err)
{
    return err_set(err, ERR_PROVIDER_NOT_CONFIGURED,
                   "this merchant has no %s credentials for this key's mode: set them with PUT "
                   "/v1/merchant/providers",
                   provider->display_name);
}
