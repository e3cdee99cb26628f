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

bool call_refuse(struct call *call, const struct refusal *refusal)
{
    const struct context *context = &call->context;
    struct refusal logged = *refusal;
    // Stripe's dashboard shows the requests of each account there.
    if (context->account != NULL) {
        logged.request_log_url = arena_printf(context->arena, "https://dashboard.stripe.com/%slogs/%s?t=%lld",
                                              context->account->livemode ? "" : "test/", context->request_id,
                                              (long long)context_seconds(context));
    }
    struct json_object *body = json_new_object();
    json_add(body, "error", refusal_json(&logged));
    answer(call, refusal->status, body);
    return false;
}

bool call_refuse_as(struct call *call, int status, const char *code, const char *param, const char *message)
{
    return call_refuse(call,
                       &(struct refusal){.status = status, .code = code, .param = param, .message = message});
}

bool call_refuse_missing(struct call *call, enum object_kind kind, const char *id)
{
    const bool is_intent = kind == OBJECT_INTENT || kind == OBJECT_SETUP_INTENT;
    // Stripe's messages do not use the names of all kinds.
    const char *word = kind == OBJECT_SETUP_INTENT  ? "setupintent"
                       : kind == OBJECT_METHOD      ? "PaymentMethod"
                       : kind == OBJECT_TRANSACTION ? "balance transaction"
                       : kind == OBJECT_ENDPOINT    ? "webhook endpoint"
                                                    : object_kind_name(kind);
    return call_refuse(call, &(struct refusal){.status = 404,
                                               .code = "resource_missing",
                                               .param = is_intent ? "intent" : "id",
                                               .message = arena_printf(call->context.arena,
                                                                       "No such %s: '%.100s'", word, id)});
}

void call_refuse_executed(struct call *call)
{
    call_refuse(
        call, &(struct refusal){.status = 500, .type = "api_error", .message = "An unknown error occurred."});
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

bool call_open(struct call *call, struct document *document)
{
    return document_open(&call->context, call->kind, call->id, document) ||
           call_refuse_missing(call, call->kind, call->id);
}

bool call_set_metadata(struct call *call, struct json_object *metadata)
{
    struct refusal refusal;
    return param_metadata(&call->params, metadata, &refusal) || call_refuse(call, &refusal);
}

void call_retrieve(struct call *call)
{
    struct document document DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (call_open(call, &document)) {
        call_answer_document(call, &document);
    }
}
