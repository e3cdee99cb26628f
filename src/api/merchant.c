// GET /v1/merchant/me.
#include "store/merchants.h"

#include "api/handlers.h"
#include "api/providers.h"

enum errc merchant_me_work(struct request *request, struct tx *tx, struct err *err)
{
    struct merchant merchant = {0};
    struct json_object *providers = NULL;
    enum errc rc = merchant_get(tx->db, &request->principal.merchant_id, request->arena, &merchant, err);
    if (rc == OK) {
        rc = providers_json(request, tx, &providers, err);
    }
    if (rc != OK) {
        return rc;
    }
    char id[UUID_TEXT_BYTES];
    uuid_format(&merchant.id, id);
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id);
    json_add_str(json, "name", merchant.name);
    json_add_str(json, "role", merchant.is_admin ? "admin" : "merchant");
    json_add_str(json, "webhook_url", merchant.webhook_url);
    json_add_bool(json, "has_webhook_secret", merchant.webhook_secret != NULL);
    json_add_bool(json, "is_active", merchant.is_active);
    json_add(json, "providers", providers);
    request_answer(request, 200, json);
    return OK;
}
