// See attempt.h. Each attempt at an event signs and sends the outbox's body, byte for byte.
#include "delivery/attempt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "delivery/retry_after.h"
#include "delivery/signature.h"
#include "net/url.h"
#include "store/sealed.h"

// The answer's body is not used. Reading this much of it keeps the connection to a talkative endpoint open.
#define RESPONSE_BYTES_MAX ((size_t)16 * 1024)
#define STATUS_GONE 410
#define LEASE_BEYOND_US (30 * US_PER_S) // what recording may take

struct secrets {
    struct secret items[2]; // the new one, then the replaced one while it is valid
    size_t count;
};

struct attempt *attempt_new(struct send_slots *slots, const struct uuid *merchant_id)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    REQUIRE(attempt);
    list_init(&attempt->link);
    attempt->slots = slots;
    attempt->event.merchant_id = *merchant_id;
    return attempt;
}

void attempt_copy(struct attempt *attempt, const struct outbox_event *event, const struct merchant *merchant)
{
    struct arena *arena = &attempt->arena;
    struct merchant *copy = &attempt->merchant;
    attempt->event = *event;
    attempt->event.type = arena_strdup(arena, event->type);
    attempt->event.body = arena_strdup(arena, event->body);
    *copy = *merchant;
    copy->name = arena_strdup(arena, merchant->name);
    copy->webhook_url = arena_strdup(arena, merchant->webhook_url);
    copy->webhook_secret = arena_memdup(arena, merchant->webhook_secret, merchant->webhook_secret_bytes);
    if (merchant->webhook_secret_old != NULL) {
        copy->webhook_secret_old =
            arena_memdup(arena, merchant->webhook_secret_old, merchant->webhook_secret_old_bytes);
    }
}

static enum errc set_aside(struct attempt *attempt, struct db *db, int64_t now_us, struct err *err)
{
    const struct outbox_event *event = &attempt->event;
    return outbox_set_aside(db, event, now_us + retry_aside_delay_us(now_us, event->created_us), err);
}

enum errc attempt_claim(struct attempt *attempt, struct tx *tx, int64_t now_us, int64_t lease_us,
                        struct err *err)
{
    struct db *db = tx->db;
    const struct uuid merchant_id = attempt->event.merchant_id;
    bool has = false;
    bool damaged = false;
    enum errc rc = outbox_claim(db, &merchant_id, &tx->node_id, now_us, now_us + lease_us, &attempt->arena,
                                &attempt->event, &has, &damaged, err);
    if (rc == OK && has && !damaged) {
        rc = merchant_get(db, &merchant_id, &attempt->arena, &attempt->merchant, err);
    }
    if (db_take_damage(db) || damaged) {
        attempt->claim = ATTEMPT_SET_ASIDE;
        return set_aside(attempt, db, now_us, err);
    }
    attempt->claim = has ? ATTEMPT_CLAIMED : ATTEMPT_NOTHING_DUE;
    return rc;
}

int64_t attempt_lease_us(const struct config *config)
{
    return config->webhook_timeout_ms * US_PER_MS + LEASE_BEYOND_US;
}

bool attempt_release_slot(struct attempt *attempt)
{
    struct send_slots *slots = attempt->slots;
    attempt->slots = NULL;
    return send_slots_release(slots, &attempt->event.merchant_id);
}

void attempt_free(struct attempt *attempt)
{
    REQUIRE(!list_linked(&attempt->link));
    if (attempt->next != NULL) {
        attempt_free(attempt->next);
    }
    if (attempt->slots != NULL) {
        (void)attempt_release_slot(attempt);
    }
    http_call_release(&attempt->call);
    arena_release(&attempt->arena);
    free(attempt);
}

void attempt_free_all(struct list *attempts)
{
    while (!list_empty(attempts)) {
        attempt_free(CONTAINER_OF(list_take_first(attempts), struct attempt, link));
    }
}

static enum errc open_secret(struct attempt *attempt, const struct keyring *keyring, struct sealed sealed,
                             struct secrets *secrets, struct err *err)
{
    char *plain = NULL;
    size_t plain_bytes = 0;
    enum errc rc = seal_open(&keyring->master, &attempt->arena,
                             sealed_context(&attempt->arena, SEALED_WEBHOOK, &attempt->merchant.id), sealed,
                             &plain, &plain_bytes, err);
    if (rc == OK) {
        secrets->items[secrets->count++] = secret_of(plain, plain_bytes);
    }
    return rc;
}

static enum errc sign(struct attempt *attempt, const struct keyring *keyring, int64_t now_us,
                      const char *event_id, struct signature *signature, struct err *err)
{
    const struct signature_input input = {
        .event_id = event_id,
        .timestamp_s = now_us / US_PER_S,
        .body = attempt->event.body,
        .body_bytes = strlen(attempt->event.body),
    };
    struct secrets secrets = {.count = 0};
    const struct merchant *merchant = &attempt->merchant;
    struct sealed present = {merchant->webhook_secret, merchant->webhook_secret_bytes};
    struct sealed replaced = {merchant->webhook_secret_old, merchant->webhook_secret_old_bytes};
    enum errc rc = open_secret(attempt, keyring, present, &secrets, err);
    if (rc == OK && replaced.data && now_us < merchant->webhook_secret_old_until_us) {
        rc = open_secret(attempt, keyring, replaced, &secrets, err);
    }
    return rc == OK ? signature_make(&input, secrets.items, secrets.count, &attempt->arena, signature, err)
                    : rc;
}

static size_t fill_headers(struct attempt *attempt, const char *event_id, int64_t now_us,
                           const struct signature *signature)
{
    const char *timestamp = arena_printf(&attempt->arena, "%" PRId64, now_us / US_PER_S);
    const struct http_header headers[] = {
        {"Content-Type", "application/json"},
        {"X-Event-Id", event_id},
        {"X-Event-Type", attempt->event.type},
        {"X-Payments-Timestamp", timestamp},
        {"X-Payments-Signature", signature->payments},
        {"webhook-id", event_id},
        {"webhook-timestamp", timestamp},
        {"webhook-signature", signature->standard},
    };
    _Static_assert(COUNT_OF(headers) <= ATTEMPT_HEADERS_MAX, "they have room");
    memcpy(attempt->headers, headers, sizeof(headers));
    return COUNT_OF(headers);
}

enum errc attempt_prepare(struct attempt *attempt, const struct keyring *keyring, const struct config *config,
                          int64_t now_us, struct err *err)
{
    struct url url;
    enum errc rc = url_parse(attempt->merchant.webhook_url, &attempt->arena, &url, err);
    if (rc == OK && !config->webhook_allow_http && !text_equal(url.scheme, "https")) {
        rc = err_set(err, ERR_FORBIDDEN, "http is not allowed");
    }
    if (rc != OK) {
        return rc;
    }
    char id[UUID_TEXT_BYTES];
    uuid_format(&attempt->event.id, id);
    const char *event_id = arena_strdup(&attempt->arena, id);
    struct signature signature;
    rc = sign(attempt, keyring, now_us, event_id, &signature, err);
    if (rc != OK) {
        return rc;
    }
    attempt->call = (struct http_call){
        .method = "POST",
        .url = attempt->merchant.webhook_url,
        .target = url.path_and_query,
        .headers = attempt->headers,
        .header_count = fill_headers(attempt, event_id, now_us, &signature),
        .body = attempt->event.body,
        .body_bytes = strlen(attempt->event.body),
        .timeout_ms = config->webhook_timeout_ms,
        .response_bytes_max = RESPONSE_BYTES_MAX,
        .status_decides = true,
        .public_only = true,
    };
    return OK;
}

// Endless headers are an answer too: only the status matters.
bool attempt_answered(const struct http_call *call)
{
    return call->status > 0 && (call->result == HTTP_DONE || call->result == HTTP_TOO_LARGE);
}

static struct outbox_attempt failed(struct attempt *attempt, const struct retry_schedule *schedule,
                                    int64_t asked_us, int64_t now_us, uint32_t random32)
{
    int64_t delay_us = 0;
    bool again = retry_webhook_delay_us(schedule, attempt->event.attempts + 1, asked_us, random32, &delay_us);
    return (struct outbox_attempt){
        .outcome = again ? OUTBOX_RETRY : OUTBOX_DEAD,
        .at_us = now_us,
        .retry_us = now_us + delay_us,
    };
}

static const char *describe(struct attempt *attempt)
{
    const struct http_call *call = &attempt->call;
    if (!attempt_answered(call)) {
        return call->result == HTTP_FORBIDDEN ? "address not allowed"
                                              : arena_strdup(&attempt->arena, call->error);
    }
    bool redirect = call->status >= 300 && call->status < 400;
    return arena_printf(&attempt->arena, "the endpoint answered %d%s", call->status,
                        redirect ? "; redirects are not followed" : "");
}

struct outbox_attempt attempt_read(struct attempt *attempt, const struct retry_schedule *schedule,
                                   int64_t now_us, uint32_t random32)
{
    const struct http_call *call = &attempt->call;
    bool answered = attempt_answered(call);
    struct outbox_attempt result;
    if (answered && call->status >= 200 && call->status < 300) {
        return (struct outbox_attempt){
            .outcome = OUTBOX_DELIVERED, .at_us = now_us, .status_code = call->status};
    }
    if (answered && call->status == STATUS_GONE) {
        result = (struct outbox_attempt){
            .outcome = OUTBOX_GONE, .at_us = now_us, .merchant_updated_us = attempt->merchant.updated_us};
    } else {
        int64_t asked_us = answered ? retry_after_us(http_call_header(call, "Retry-After"), now_us) : 0;
        result = failed(attempt, schedule, asked_us, now_us, random32);
    }
    result.status_code = answered ? call->status : 0;
    result.error = describe(attempt);
    return result;
}

struct outbox_attempt attempt_fail(struct attempt *attempt, const struct retry_schedule *schedule,
                                   const char *why, int64_t now_us, uint32_t random32)
{
    struct outbox_attempt result = failed(attempt, schedule, 0, now_us, random32);
    result.error = arena_strdup(&attempt->arena, why);
    return result;
}
