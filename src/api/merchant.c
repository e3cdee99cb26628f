// GET /v1/merchant/me, and PUT /v1/merchant/webhook: where a merchant's events go, and the secret that signs
// them.
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/audit_logs.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/providers.h"
#include "api/slots.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/resolve.h"
#include "net/url.h"
#include "op/state/render.h"
#include "store/credentials.h"
#include "store/merchants.h"
#include "store/outbox.h"
#include "store/sealed.h"

#define SECRET_BYTES 32
// A name that does not resolve in time is accepted all the same: it is looked up again before each delivery.
#define RESOLVE_TIMEOUT_MS 3000

enum errc merchant_me_work(struct request *request, struct tx *tx, struct err *err)
{
    struct merchant merchant = {0};
    enum errc rc = merchant_get(tx->db, &request->principal.merchant_id, request->arena, &merchant, err);
    if (rc != OK) {
        return rc;
    }
    struct json_writer json = render_success(request->arena);
    json_write_uuid(&json, "id", &merchant.id);
    json_write_str(&json, "name", merchant.name);
    json_write_str(&json, "role", merchant_role(&merchant));
    json_write_str(&json, "webhook_url", merchant.webhook_url);
    json_write_bool(&json, "has_webhook_secret", merchant.webhook_secret != NULL);
    json_write_bool(&json, "is_active", merchant.is_active);
    rc = providers_write(request, tx, &json, "providers", err);
    if (rc == OK) {
        request_answer(request, 200, &json);
    }
    return rc;
}

// --- the webhook

struct webhook_input {
    const char *url;
    const char *host;
    bool rotate;
};

void webhook_put_read(struct request *request)
{
    static const char *const names[] = {"webhook_url", "rotate_secret", NULL};
    struct webhook_input *input = ARENA_NEW(request->arena, struct webhook_input);
    request->input = input;
    query_only(request, (const char *const[]){NULL});
    fields_only(request, request->body, "", names);
    input->url = field_text(request, request->body, "", "webhook_url", FIELD_REQUIRED, 2048);
    input->rotate = field_bool(request, request->body, "rotate_secret", false);
    struct url url;
    struct err err;
    if (input->url == NULL) {
        return;
    }
    if (url_parse(input->url, request->arena, &url, &err) != OK) {
        field_error(request, "webhook_url", err.message);
    } else if (text_equal(url.scheme, "http") && !request->api->config->webhook_allow_http) {
        field_error(request, "webhook_url", "must be https");
    } else {
        input->host = url.host;
    }
}

// Holds its slot while a thread looks the name up, which may take longer than the request waits.
struct look_up {
    struct slot slot;
    struct request *request;
    void (*go_on)(struct request *request);
};

static void host_resolved(void *context, const struct address *addresses, size_t count, bool tried)
{
    const struct look_up *look_up = context;
    struct request *request = look_up->request;
    if (!tried) {
        request_refuse(request, ERR_OVERLOADED, "too many host names are being resolved; try again");
    }
    for (size_t i = 0; i < count; i++) {
        if (address_is_special(&addresses[i]) &&
            !network_list_has(&request->api->webhook_allow, &addresses[i])) {
            field_error(request, "webhook_url",
                        "its host has a private, loopback, link-local or other special address");
            break;
        }
    }
    look_up->go_on(request);
}

static void look_up_over(void *context)
{
    struct look_up *look_up = context;
    slot_release(&look_up->slot);
    free(look_up);
}

static void check_host(struct request *request, void (*go_on)(struct request *request))
{
    const struct webhook_input *input = request->input;
    struct look_up *look_up = calloc(1, sizeof(*look_up));
    REQUIRE(look_up != NULL);
    look_up->request = request;
    look_up->go_on = go_on;
    if (!slot_reserve(request->api->look_ups, request->principal.merchant_id.bytes, &look_up->slot)) {
        free(look_up);
        request_refuse(request, ERR_OVERLOADED,
                       "too many host names are being resolved, in total or for this merchant; try again");
        go_on(request);
        return;
    }
    resolve_until_over(request->api->uv_loop, input->host, RESOLVE_TIMEOUT_MS, host_resolved, look_up_over,
                       look_up);
}

// Makes a new secret and seals it into the row. Returns its text, for the answer. The old secret signs as
// well for WEBHOOK_SECRETS_OVERLAP_US.
static const char *make_secret(struct tx *tx, struct merchant *merchant)
{
    uint8_t bytes[SECRET_BYTES];
    tx->random->fill(tx->random, bytes, sizeof(bytes));
    const char *text = arena_printf(tx->arena, "whsec_%s", text_base64(tx->arena, bytes, sizeof(bytes)));
    crypto_wipe(bytes, sizeof(bytes));
    merchant->webhook_secret_old = merchant->webhook_secret;
    merchant->webhook_secret_old_bytes = merchant->webhook_secret_bytes;
    merchant->webhook_secret_old_until_us =
        merchant->webhook_secret != NULL ? tx->now_us + WEBHOOK_SECRETS_OVERLAP_US : 0;
    struct sealed sealed = seal(&tx->keyring->master, tx->arena,
                                sealed_context(tx->arena, SEALED_WEBHOOK, &merchant->id), text, strlen(text));
    merchant->webhook_secret = sealed.data;
    merchant->webhook_secret_bytes = sealed.bytes;
    return text;
}

// Both modes have one URL, so a test key must not set it for a merchant with live credentials: it would
// redirect the events of live payments.
static enum errc check_mode(struct request *request, struct tx *tx, struct err *err)
{
    struct credential live = {0};
    if (request->principal.livemode) {
        return OK;
    }
    enum errc rc = credential_get(tx->db, &request->principal.merchant_id, provider_default()->name, true,
                                  request->arena, &live, err);
    return rc == OK
               ? err_set(err, ERR_FORBIDDEN,
                         "this merchant has live credentials, so only a live API key may set its webhook")
               : (rc == ERR_NOT_FOUND ? OK : rc);
}

static enum errc put(struct request *request, struct tx *tx, struct err *err)
{
    const struct webhook_input *input = request->input;
    struct merchant merchant = {0};
    enum errc rc = merchant_lock(tx->db, &request->principal.merchant_id, err);
    if (rc == OK) {
        rc = check_mode(request, tx, err);
    }
    if (rc != OK) {
        return rc;
    }
    rc = merchant_get(tx->db, &request->principal.merchant_id, request->arena, &merchant, err);
    if (rc != OK) {
        return rc;
    }
    bool changed = !text_equal(merchant.webhook_url, input->url);
    const char *secret = NULL;
    if (changed || input->rotate || merchant.webhook_secret == NULL) {
        secret = make_secret(tx, &merchant);
    }
    merchant.webhook_url = input->url;
    int64_t released = 0;
    merchant.webhook_stopped = false;
    merchant.updated_us = request->now_us;
    rc = merchant_update_webhook(tx->db, &merchant, err);
    if (rc == OK) {
        rc = outbox_release_merchant(tx->db, &merchant.id, request->now_us, &released, err);
    }
    if (rc == OK && (changed || secret != NULL)) {
        rc = audit_request(request, tx, "webhook.url_updated",
                           changed ? "the URL was set" : "the secret was rotated", err);
    }
    if (rc == OK) {
        struct json_writer json = render_success(request->arena);
        json_write_str(&json, "webhook_url", input->url);
        json_write_str(&json, "webhook_secret", secret);
        request_answer(request, 200, &json);
        tx->event_due = true; // events that waited for a URL may be sent
    }
    return rc;
}

// The host name is looked up only after the key is known to be allowed to set the URL.
enum errc webhook_put_work(struct request *request, struct tx *tx, struct err *err)
{
    request->then = (struct request_step){.work = put, .queue = STORE_WRITE, .before = check_host};
    return check_mode(request, tx, err);
}
