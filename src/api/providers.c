// PUT, GET, DELETE /v1/merchant/providers: the merchant's own credentials, one a provider and mode, kept
// sealed. Nothing here calls the provider: a key is checked by its form only, and a wrong one shows at the
// first payment.
#include "api/providers.h"

#include <string.h>

#include "api/api_private.h"
#include "api/audit_logs.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/refused_events.h"
#include "base/text.h"
#include "domain/api_key.h"
#include "op/kinds/catch_up.h"
#include "op/kinds/events.h"
#include "op/state/render.h"
#include "store/credentials.h"
#include "store/merchants.h"
#include "store/sealed.h"

struct providers_input {
    const struct provider_ops *provider;
    bool livemode;
    struct secret secret_key;
    bool webhook_secret_given;    // absent keeps the stored one
    struct secret webhook_secret; // empty: removed
};

static enum errc write_masked(struct request *request, struct json_writer *json, const char *name,
                              const char *context, struct sealed sealed, struct err *err)
{
    if (sealed.data == NULL) {
        json_write_null(json, name);
        return OK;
    }
    char *plain = NULL;
    size_t bytes = 0;
    enum errc rc =
        seal_open(&request->api->keyring->master, request->arena, context, sealed, &plain, &bytes, err);
    if (rc == OK) {
        const struct secret secret = secret_of(plain, bytes);
        char masked[9];
        secret_mask(&secret, masked);
        json_write_str(json, name, masked);
    }
    return rc;
}

static void write_refused(struct request *request, struct json_writer *json,
                          const struct credential *credential)
{
    struct refused_count refused =
        refused_events_of(request->api->refused_events, &credential->merchant_id, credential->livemode);
    if (refused.count == 0) {
        json_write_null(json, "refused_events");
        return;
    }
    json_open_object(json, "refused_events");
    json_write_i64(json, "count", refused.count);
    json_write_time(json, "last_at", refused.last_us);
    json_close(json);
}

// The members of one.
static enum errc write_credential(struct request *request, struct tx *tx, struct json_writer *json,
                                  const struct credential *credential, struct err *err)
{
    struct arena *arena = request->arena;
    struct sealed key = {0};
    enum errc rc = credential_version_get(tx->db, &credential->version_id, arena, &key.data, &key.bytes, err);
    if (rc != OK) {
        return rc;
    }
    json_write_uuid(json, "id", &credential->id);
    json_write_str(json, "provider", credential->provider);
    json_write_bool(json, "livemode", credential->livemode);
    json_write_bool(json, "is_active", credential->is_active);
    json_open_object(json, "config_summary");
    rc = write_masked(request, json, "secret_key",
                      sealed_context(arena, SEALED_PROVIDER_KEY, &credential->version_id), key, err);
    if (rc == OK) {
        struct sealed webhook = {credential->webhook_secret, credential->webhook_secret_bytes};
        rc = write_masked(request, json, "webhook_secret",
                          sealed_context(arena, SEALED_PROVIDER_WEBHOOK, &credential->id), webhook, err);
    }
    json_close(json);
    write_refused(request, json, credential);
    json_write_time(json, "created_at", credential->created_us);
    json_write_time(json, "updated_at", credential->updated_us);
    return rc;
}

enum errc providers_write(struct request *request, struct tx *tx, struct json_writer *json, const char *name,
                          struct err *err)
{
    struct credential credentials[2];
    size_t count = 0;
    enum errc rc =
        credential_list(tx->db, &request->principal.merchant_id, request->arena, credentials, &count, err);
    json_open_array(json, name);
    for (size_t i = 0; rc == OK && i < count; i++) {
        if (!credentials[i].livemode || request->principal.livemode) {
            json_open_object(json, NULL);
            rc = write_credential(request, tx, json, &credentials[i], err);
            json_close(json);
        }
    }
    json_close(json);
    return rc;
}

enum errc providers_list_work(struct request *request, struct tx *tx, struct err *err)
{
    struct json_writer json = json_writer(request->arena);
    json_open_object(&json, NULL);
    json_write_bool(&json, "success", true);
    enum errc rc = providers_write(request, tx, &json, "data", err);
    if (rc == OK) {
        request_answer(request, 200, &json);
    }
    return rc;
}

// Keeps a secret that the body gives. `accepted`: it has the form that the provider takes.
static void take_secret(struct request *request, const struct provider_ops *provider, const char *field,
                        const char *text, bool accepted, const char *form, struct secret *secret)
{
    if (api_key_well_formed(text)) {
        field_error(request, field,
                    arena_printf(
                        request->arena,
                        "this is an API key of this service; send the secret key from %s's dashboard instead",
                        provider->display_name));
    } else if (text_ends_with(text, "...")) {
        field_error(
            request, field,
            arena_printf(
                request->arena,
                "this is the placeholder from the example; replace it with the value from %s's dashboard",
                provider->display_name));
    } else if (!accepted) {
        field_error(request, field, arena_printf(request->arena, "must be a %s", form));
    } else {
        *secret = secret_of(text, strlen(text));
    }
}

// The credentials are a member that is called as the provider is.
void providers_put_read(struct request *request)
{
    static const char *const credential_names[] = {"secret_key", "webhook_secret", NULL};
    struct providers_input *input = ARENA_NEW(request->arena, struct providers_input);
    request->input = input;
    query_only(request, (const char *const[]){NULL});
    const struct provider_ops *provider = body_provider(request);
    input->provider = provider;
    const char *name = provider->name;
    fields_only(request, request->body, "", (const char *const[]){"provider", name, NULL});
    check_provider(request);
    const struct json_value *given = json_read_member(request->body, name);
    if (!json_is(given, JSON_OBJECT)) {
        field_error(request, name, "must be an object with secret_key");
        return;
    }
    const char *prefix = arena_printf(request->arena, "%s.", name);
    fields_only(request, given, prefix, credential_names);
    const char *key = field_pasted(request, given, prefix, "secret_key", FIELD_REQUIRED, 255);
    if (key != NULL) {
        take_secret(request, provider, arena_printf(request->arena, "%ssecret_key", prefix), key,
                    provider->is_secret_key(key, &input->livemode), provider->secret_key_form,
                    &input->secret_key);
    }
    input->webhook_secret_given = json_find(given, "webhook_secret") != NULL;
    const char *webhook = field_pasted(request, given, prefix, "webhook_secret", FIELD_OPTIONAL, 255);
    if (webhook != NULL) {
        take_secret(request, provider, arena_printf(request->arena, "%swebhook_secret", prefix), webhook,
                    provider->is_webhook_secret(webhook), provider->webhook_secret_form,
                    &input->webhook_secret);
    }
}

// The row of this mode as it will be: the one there is, or a new one; always with a new version.
static enum errc next_credential(struct request *request, struct tx *tx, struct credential *credential,
                                 struct err *err)
{
    const struct providers_input *input = request->input;
    enum errc rc = merchant_lock(tx->db, &request->principal.merchant_id, err);
    if (rc == OK) {
        rc = credential_get(tx->db, &request->principal.merchant_id, input->provider->name, input->livemode,
                            request->arena, credential, err);
    }
    if (rc == ERR_NOT_FOUND) {
        *credential = (struct credential){
            .id = uuid_new(tx->random, request->now_us),
            .merchant_id = request->principal.merchant_id,
            .provider = input->provider->name,
            .livemode = input->livemode,
            .created_us = request->now_us,
        };
    } else if (rc != OK) {
        return rc;
    }
    credential->version_id = uuid_new(tx->random, request->now_us);
    credential->is_active = true;
    credential->updated_us = request->now_us;
    if (input->webhook_secret_given) {
        struct sealed sealed = {0};
        if (input->webhook_secret.len > 0) {
            sealed = seal(&tx->keyring->master, request->arena,
                          sealed_context(request->arena, SEALED_PROVIDER_WEBHOOK, &credential->id),
                          input->webhook_secret.data, input->webhook_secret.len);
        }
        credential->webhook_secret = sealed.data;
        credential->webhook_secret_bytes = sealed.bytes;
    }
    return OK;
}

enum errc providers_put_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct providers_input *input = request->input;
    if (input->livemode && !request->principal.livemode) {
        request->field_errors.count = 0;
        field_error(request, arena_printf(request->arena, "%s.secret_key", input->provider->name),
                    arena_printf(request->arena, "a test API key can set only %s test credentials",
                                 input->provider->display_name));
        return err_set(err, ERR_VALIDATION, "the request's fields");
    }
    struct credential credential = {0};
    enum errc rc = next_credential(request, tx, &credential, err);
    if (rc != OK) {
        return rc;
    }
    struct sealed key = seal(&request->api->keyring->master, request->arena,
                             sealed_context(request->arena, SEALED_PROVIDER_KEY, &credential.version_id),
                             input->secret_key.data, input->secret_key.len);
    // Another node may be writing an operation with the version that this one replaces, where we do not see
    // it yet. That version is wiped by the retention, a day later, or when the next one replaces this.
    const bool wipes_replaced = uuid_is_nil(&tx->node_id);
    rc = wipes_replaced ? OK : credential_versions_wipe(tx->db, &credential.id, err);
    if (rc == OK) {
        rc = credential_put(tx->db, &credential, err);
    }
    if (rc == OK) {
        rc = credential_version_insert(tx->db, &credential.version_id, &credential.id, key.data, key.bytes,
                                       request->now_us, err);
    }
    if (rc == OK) {
        rc = events_begin(request->api->engine, tx, &credential, request->now_us, err);
    }
    if (rc == OK) {
        rc = catch_up_resume(tx, &credential, request->now_us, err);
    }
    if (rc == OK) { // this key may tell what the one before may not
        rc = operations_try_refused(tx->db, &credential.merchant_id, credential.livemode, request->now_us,
                                    err);
        tx->work_due = true;
    }
    if (rc == OK && wipes_replaced) {
        rc = credential_versions_wipe(tx->db, &credential.id, err);
    }
    if (rc == OK) {
        rc = audit_request(request, tx, "provider.updated",
                           arena_printf(request->arena, "%s, %s", credential.provider,
                                        credential.livemode ? "live" : "test"),
                           err);
    }
    if (rc == OK && input->webhook_secret_given) {
        refused_events_clear(request->api->refused_events, &credential.merchant_id, credential.livemode);
    }
    struct json_writer json = render_success(request->arena);
    if (rc == OK) {
        rc = write_credential(request, tx, &json, &credential, err);
    }
    if (rc == OK) {
        request_answer(request, 200, &json);
    }
    return rc;
}

enum errc providers_delete_work(struct request *request, struct tx *tx, struct err *err)
{
    struct credential credentials[2];
    size_t count = 0;
    size_t stopped = 0;
    enum errc rc = merchant_lock(tx->db, &request->principal.merchant_id, err);
    if (rc == OK) {
        rc = credential_list(tx->db, &request->principal.merchant_id, request->arena, credentials, &count,
                             err);
    }
    for (size_t i = 0; rc == OK && i < count; i++) {
        bool visible = request->principal.livemode || !credentials[i].livemode;
        if (visible && credentials[i].is_active && text_equal(request->param, credentials[i].provider)) {
            rc = credential_set_active(tx->db, &credentials[i].id, false, request->now_us, err);
            stopped++;
        }
    }
    if (rc == OK && stopped == 0) {
        return err_set(err, ERR_NOT_FOUND, "there are no active credentials for this provider");
    }
    if (rc == OK) {
        rc = audit_request(request, tx, "provider.deleted", request->param, err);
    }
    request->status = 200;
    request->reply = "{\"success\":true}";
    return rc;
}
