// Kept answers, 24 hours each. Pure. See idempotency.h.
// An answer is an object. Its text is the body, byte for byte; its hidden part describes the request. A call
// executes when it arrives. If it answers later (the latency fault), its key is in use until then.
#include "sandbox/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"

#define KEPT_US (24 * 3600 * US_PER_S)

static int by_name_and_value(const void *a, const void *b)
{
    const struct form_field *one = a;
    const struct form_field *other = b;
    int order = strcmp(one->name, other->name);
    return order != 0 ? order : strcmp(one->value, other->value);
}

// What all requests with one key must share: the endpoint and the parameters, in any order.
static const char *digest(const struct call *call, const struct sandbox_request *request)
{
    struct buf text BUF_CLEANUP = BUF_MAX((size_t)4 << 20);
    struct form form = {0};
    buf_printf(&text, "%s\n", request->path);
    if (form_parse(request->body, request->body_bytes, call->context.arena, &form, NULL) == OK) {
        qsort(form.fields, form.count, sizeof(form.fields[0]), by_name_and_value);
        for (size_t i = 0; i < form.count; i++) {
            form_add(&text, form.fields[i].name, form.fields[i].value);
        }
    } else {
        buf_add(&text, request->body, request->body_bytes);
    }
    uint8_t sum[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_sha256(buf_str(&text), text.len, sum);
    text_hex(sum, sizeof(sum), hex);
    return arena_strdup(call->context.arena, hex);
}

// Removes expired answers. The oldest are first in the list.
static void forget_old(const struct context *context)
{
    struct list *answers = &context->account->sets[OBJECT_ANSWER].in_order;
    while (!list_empty(answers)) {
        struct object *oldest = CONTAINER_OF(answers->next, struct object, link);
        if (oldest->created_us + KEPT_US > context->now_us) {
            return;
        }
        object_remove(context->sandbox, context->account, oldest);
    }
}

enum idempotency idempotency_look_up(struct call *call, const struct sandbox_request *request,
                                     struct kept_answer *kept)
{
    const char *key = request->idempotency_key;
    struct arena *arena = call->context.arena;
    if (key == NULL || key[0] == '\0' || !text_equal(request->method, "POST")) {
        return IDEMPOTENCY_NONE;
    }
    if (strlen(key) > IDEMPOTENCY_KEY_CHARS_MAX || !text_is_utf8(key, strlen(key))) {
        call_refuse(call, &(struct refusal){.status = 400,
                                            .type = "idempotency_error",
                                            .message = "An idempotency key can have up to 255 characters."});
        return IDEMPOTENCY_REFUSED;
    }
    forget_old(&call->context);
    const struct object *found = object_find(call->context.account, OBJECT_ANSWER, key);
    if (found == NULL) {
        return IDEMPOTENCY_FIRST;
    }
    struct json_object *about JSON_CLEANUP = NULL;
    REQUIRE(json_parse(found->hidden, strlen(found->hidden), &about, NULL) == OK);
    if (!text_equal(json_get_str(about, "digest"), digest(call, request))) {
        call_refuse(call, &(struct refusal){.status = 400,
                                            .type = "idempotency_error",
                                            .message = arena_printf(
                                                arena,
                                                "Keys for idempotent requests can only be used with the same "
                                                "endpoint and parameters as the first time. Use another key "
                                                "than '%s' for another request.",
                                                key)});
        return IDEMPOTENCY_REFUSED;
    }
    if (call->context.now_us < json_get_i64(about, "busy_until_us", 0)) {
        call_refuse(call, &(struct refusal){.status = 409,
                                            .code = "idempotency_key_in_use",
                                            .message = arena_printf(
                                                arena,
                                                "Another request under the idempotency key '%s' is still in "
                                                "progress. Try again later.",
                                                key)});
        return IDEMPOTENCY_REFUSED;
    }
    *kept = (struct kept_answer){.status = (int)json_get_i64(about, "status", 500),
                                 .body = arena_strdup(arena, found->text),
                                 .request_id = arena_strdup(arena, json_get_str(about, "request"))};
    return IDEMPOTENCY_REPLAY;
}

void idempotency_keep(const struct call *call, const struct sandbox_request *request,
                      const struct kept_answer *answer, int64_t busy_until_us)
{
    struct json_object *about JSON_CLEANUP = json_new_object();
    json_add_str(about, "digest", digest(call, request));
    json_add_i64(about, "status", answer->status);
    json_add_str(about, "request", answer->request_id);
    json_add_i64(about, "busy_until_us", busy_until_us);
    object_put(&call->context, OBJECT_ANSWER, request->idempotency_key, call->context.now_us, answer->body,
               json_text(call->context.arena, about));
}
