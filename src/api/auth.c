// See auth.h. Only the hash of a key and, if it is one of ours, its first 12 characters leave auth_read and
// check_key.
#include "api/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/api_private.h"
#include "api/router.h"
#include "base/require.h"
#include "base/text.h"
#include "domain/api_key.h"
#include "domain/scopes.h"
#include "provider/provider.h"
#include "store/merchants.h"

static enum errc refuse(struct request *request, const char *event, const char *message, struct err *err)
{
    request->auth_event = event;
    return err_set(err, ERR_AUTH_INVALID_KEY, "%s", message);
}

static const char *why_malformed(struct request *request, const char *key)
{
    if (text_ends_with(key, "...")) {
        return "this is the placeholder from the example; replace it with your API key, made by createapikey";
    }
    const struct provider_ops *provider = provider_of_credential(key);
    return provider == NULL
               ? "the API key is mistyped or incomplete"
               : arena_printf(request->arena,
                              "this looks like a %s key; X-API-Key takes an API key of this service, made by "
                              "createapikey",
                              provider->display_name);
}

enum errc auth_check_head(struct request *request, struct err *err)
{
    static const char *const names[] = {"X-API-Key", "Authorization", "X-Merchant-Id"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bool repeated = false;
        (void)http_exchange_header(request->exchange, names[i], &repeated);
        if (repeated) {
            return err_set(err, ERR_BAD_REQUEST, "%s may be sent only once", names[i]);
        }
    }
    return OK;
}

enum errc auth_read(struct request *request, struct err *err)
{
    const char *key = http_exchange_header(request->exchange, "X-API-Key", NULL);
    const char *bearer = http_exchange_header(request->exchange, "Authorization", NULL);
    if (key == NULL && bearer != NULL && strncasecmp(bearer, "Bearer ", 7) == 0) {
        key = bearer + 7;
    }
    if (key == NULL) {
        return refuse(request, "auth.failed",
                      "an API key is required, in X-API-Key or as Authorization: Bearer", err);
    }
    if (!api_key_well_formed(key)) {
        return refuse(request, "auth.invalid_format", why_malformed(request, key), err);
    }
    api_key_hash(request->api->keyring->pepper, key, request->key_hash);
    request->acting_for =
        arena_strdup(request->arena, http_exchange_header(request->exchange, "X-Merchant-Id", NULL));
    return OK;
}

static enum errc check_key(struct request *request, struct tx *tx, struct api_key *key,
                           struct api_key_owner *owner, struct err *err)
{
    enum errc rc = api_key_find(tx->db, request->key_hash, request->arena, key, owner, err);
    if (rc == ERR_NOT_FOUND) {
        return refuse(request, "auth.failed", "the API key is unknown", err);
    }
    if (rc != OK) {
        return rc;
    }
    // The key is one of ours, even if it is refused below. Before this, its prefix is only what was sent.
    (void)snprintf(request->principal.prefix, sizeof(request->principal.prefix), "%s", key->prefix);
    request->principal.own_merchant_id = key->merchant_id;
    request->principal.key_id = key->id;
    if (key->revoked_us != 0) {
        return refuse(request, "auth.failed", "the API key was revoked", err);
    }
    if (key->expires_us != 0 && key->expires_us <= request->now_us) {
        return refuse(request, "auth.key_expired", "the API key has expired", err);
    }
    if (!owner->merchant_active) {
        return refuse(request, "auth.merchant_inactive", "the merchant of this API key is not active", err);
    }
    return OK;
}

static enum errc check_admin(struct request *request, struct err *err)
{
    if (!request->principal.is_admin) {
        request->auth_event = "auth.scope_denied";
        return err_set(err, ERR_FORBIDDEN, "only an admin's key may do this");
    }
    return request->acting_for == NULL
               ? OK
               : err_set(err, ERR_BAD_REQUEST, "here an admin acts for no merchant: leave X-Merchant-Id out");
}

// Only an admin may name the merchant it acts for, and must unless the route allows any.
static enum errc choose_merchant(struct request *request, struct tx *tx, struct err *err)
{
    struct principal *principal = &request->principal;
    if (!principal->is_admin) {
        return request->acting_for == NULL
                   ? OK
                   : err_set(err, ERR_FORBIDDEN,
                             "only an admin's key may name another merchant in X-Merchant-Id");
    }
    struct uuid id = {{0}};
    if (request->acting_for == NULL && request->route->any_merchant) {
        return OK;
    }
    if (request->acting_for == NULL) {
        return err_set(err, ERR_BAD_REQUEST, "with an admin's key, X-Merchant-Id must name the merchant");
    }
    struct merchant merchant = {0};
    enum errc rc = uuid_parse(request->acting_for, &id)
                       ? merchant_get(tx->db, &id, request->arena, &merchant, err)
                       : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) {
        return err_set(err, ERR_NOT_FOUND, "there is no merchant with the id in X-Merchant-Id");
    }
    if (rc == OK && !merchant.is_active) {
        return err_set(err, ERR_FORBIDDEN, "the merchant in X-Merchant-Id is not active");
    }
    principal->merchant_id = id;
    return rc;
}

enum errc auth_check(struct request *request, struct tx *tx, struct err *err)
{
    struct api_key key = {0};
    struct api_key_owner owner = {0};
    request->auth_event = NULL;
    request->principal = (struct principal){0};
    enum errc rc = check_key(request, tx, &key, &owner, err);
    if (rc != OK) {
        return rc;
    }
    struct principal *principal = &request->principal;
    principal->merchant_id = key.merchant_id;
    principal->is_admin = owner.is_admin;
    principal->livemode = key.livemode;
    principal->scopes = key.scopes;
    uint32_t wanted = request->route->scopes;
    if ((principal->scopes & wanted) == 0) {
        request->auth_event = "auth.scope_denied";
        return err_set(err, ERR_AUTH_INSUFFICIENT_SCOPE, "the API key lacks the scope %s",
                       scopes_format(request->arena, wanted));
    }
    return request->route->admins_only ? check_admin(request, err) : choose_merchant(request, tx, err);
}
