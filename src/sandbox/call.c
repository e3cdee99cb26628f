// Answers of a call. Pure. See call.h.
#include "sandbox/call.h"

#include <string.h>

#include "base/require.h"
#include "sandbox/expand.h"

static void answer(struct call *call, int status, struct json_object *body)
{
    REQUIRE(call->status == 0);
    call->status = status;
    call->body = body;
}

// Where Stripe's dashboard would show the request; NULL for one that belongs to no account.
static const char *request_log_url(const struct context *context)
{
    return context->account == NULL
               ? NULL
               : arena_printf(context->arena, "https://dashboard.stripe.com/%slogs/%s?t=%lld",
                              context->account->livemode ? "" : "test/", context->request_id,
                              (long long)context_seconds(context));
}

void call_refuse(struct call *call, const struct refusal *refusal)
{
    struct refusal logged = *refusal;
    logged.request_log_url = request_log_url(&call->context);
    struct json_object *body = json_new_object();
    json_add(body, "error", refusal_json(&logged));
    answer(call, refusal->status, body);
}

void call_refuse_missing(struct call *call, const char *what, const char *id)
{
    call_refuse(call, &(struct refusal){
                          .status = 404,
                          .code = "resource_missing",
                          .param = "id",
                          .message = arena_printf(call->context.arena, "No such %s: '%.100s'", what, id)});
}

void call_answer(struct call *call, struct json_object *value)
{
    const char *paths[EXPAND_MAX];
    size_t count = param_texts(&call->params, "expand", paths, COUNT_OF(paths));
    if (count == 0) {
        answer(call, 200, value);
        return;
    }
    struct json_object *copy = NULL;
    REQUIRE(json_object_deep_copy(value, &copy, NULL) == 0);
    (void)json_object_put(value);
    for (size_t i = 0; i < count; i++) {
        if (!expand(&call->context, copy, paths[i])) {
            (void)json_object_put(copy);
            call_refuse(call, &(struct refusal){.status = 400,
                                                .param = "expand",
                                                .message = arena_printf(
                                                    call->context.arena,
                                                    "This property cannot be expanded (%.100s).", paths[i])});
            return;
        }
    }
    answer(call, 200, copy);
}

void call_answer_document(struct call *call, const struct document *document)
{
    call_answer(call, json_object_get(document->json));
}

bool call_since(const struct call *call, const char *date)
{
    return strncmp(call->version, date, strlen("2000-01-01")) >= 0;
}
