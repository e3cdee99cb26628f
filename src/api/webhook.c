// PUT /v1/merchant/webhook: where a merchant's events go, and the secret that signs them.
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/pipeline.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/resolve.h"
#include "net/url.h"
#include "store/audit.h"
#include "store/credentials.h"
#include "store/merchants.h"
#include "store/outbox.h"
#include "store/sealed.h"

// A replaced secret signs beside the new one for so long.
#define SECRET_BYTES 32
// A name that does not resolve by then may still be accepted: it is looked up again before each delivery.
#define RESOLVE_TIMEOUT_MS 3000

struct webhook_input {
    const char *url;
    const char *host;
    bool rotate;
};

static void problem(struct request *request, const char *message)
{
    problem_add(&request->problems, request->arena, ERR_VALIDATION, "webhook_url", "%s", message);
}

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
        problem(request, err.message);
    } else if (text_equal(url.scheme, "http") && !api_options(request->api)->config->webhook_allow_http) {
        problem(request, "must be https");
    } else {
        input->host = url.host;
    }
}

// Holds its slot for as long as a thread looks the name up, which may be longer than the request waits.
struct look_up {
    struct slot slot;
    struct request *request;
};

static void host_resolved(void *context, const struct address *addresses, size_t count, bool tried)
{
    const struct look_up *look_up = context;
    struct request *request = look_up->request;
    if (!tried) {
        (void)err_set(&request->refusal, ERR_OVERLOADED, "too many host names are being resolved; try again");
    }
    for (size_t i = 0; i < count; i++) {
        if (address_is_special(&addresses[i]) &&
            !network_list_has(api_webhook_allow(request->api), &addresses[i])) {
            problem(request, "its host has a private, loopback, link-local or other special address");
            break;
        }
    }
    request_go_on(request);
}

static void look_up_over(void *context)
{
    struct look_up *look_up = context;
    slot_give_back(&look_up->slot);
    free(look_up);
}

static void check_host(struct request *request)
{
    const struct webhook_input *input = request->input;
    struct look_up *look_up = calloc(1, sizeof(*look_up));
    REQUIRE(look_up != NULL);
    look_up->request = request;
    if (!slot_take(api_look_ups(request->api), request->principal.merchant_id.bytes, &look_up->slot)) {
        free(look_up);
        (void)err_set(&request->refusal, ERR_OVERLOADED,
                      "too many host names are being resolved, in total or for this merchant; try again");
        request_go_on(request);
        return;
    }
    resolve_until_over(api_options(request->api)->uv_loop, input->host, RESOLVE_TIMEOUT_MS, host_resolved,
                       look_up_over, look_up);
}

// A new secret for the merchant, sealed into the row; its text for the answer.
static const char *make_secret(struct request *request, struct merchant *merchant)
{
    uint8_t bytes[SECRET_BYTES];
    struct random *random = api_options(request->api)->random;
    random->fill(random, bytes, sizeof(bytes));
    const char *text =
        arena_printf(request->arena, "whsec_%s", text_base64(request->arena, bytes, sizeof(bytes)));
    crypto_wipe(bytes, sizeof(bytes));
    merchant->webhook_secret_old = merchant->webhook_secret;
    merchant->webhook_secret_old_bytes = merchant->webhook_secret_bytes;
    merchant->webhook_secret_old_until_us =
        merchant->webhook_secret != NULL ? request->now_us + WEBHOOK_SECRETS_OVERLAP_US : 0;
    struct sealed sealed =
        seal(&api_options(request->api)->keyring->master, request->arena,
             sealed_context(request->arena, SEALED_WEBHOOK, &merchant->id), text, strlen(text));
    merchant->webhook_secret = sealed.data;
    merchant->webhook_secret_bytes = sealed.bytes;
    return text;
}

static enum errc audit(struct request *request, struct tx *tx, const char *detail, struct err *err)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(&request->client, address);
    struct audit_entry entry = {
        .event_type = "webhook.url_updated",
        .severity = "info",
        .actor_ip = address,
        .merchant_id = &request->principal.merchant_id,
        .key_prefix = request->principal.prefix,
        .detail = detail,
    };
    return audit_append(tx->db, api_options(request->api)->keyring->pepper, &entry, request->now_us, err);
}

// There is one URL for both modes: what could redirect the events of live payments is not a test key's to
// set.
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
    enum errc rc = check_mode(request, tx, err);
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
        secret = make_secret(request, &merchant);
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
        rc = audit(request, tx, changed ? "the URL was set" : "the secret was rotated", err);
    }
    if (rc == OK) {
        struct json_object *json = json_new_object();
        json_add_str(json, "webhook_url", input->url);
        json_add_str(json, "webhook_secret", secret);
        request_answer(request, 200, json);
        tx->event_written = true; // what waited for a URL may go now
    }
    return rc;
}

// Whoever may set it is known by now; only then is the name looked up.
enum errc webhook_put_work(struct request *request, struct tx *tx, struct err *err)
{
    request->then = (struct request_step){.work = put, .queue = STORE_WRITE, .before = check_host};
    return check_mode(request, tx, err);
}
