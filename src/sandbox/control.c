// /_sandbox/faults, /_sandbox/ledger, the 3-D Secure page, and the triggers. A trigger makes something happen
// that at Stripe happens without a call: a bank replaces a card, a refund or a dispute ends. It finds the
// object in whichever account it is. Pure. See control.h.
#include "sandbox/control.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/authentication_page.h"
#include "sandbox/disputes.h"
#include "sandbox/methods.h"
#include "sandbox/refunds.h"
#include "sandbox/response.h"

#define LEDGER_BYTES_MAX ((size_t)STATE_BYTES_MAX)

static const char *move_refund(const struct context *context, struct document *refund,
                               struct json_object *wanted)
{
    const char *status = json_get_str(wanted, "status");
    return status != NULL && refund_move(context, refund, status) ? NULL
                                                                  : "a refund cannot go from here to there";
}

static const char *move_dispute(const struct context *context, struct document *dispute,
                                struct json_object *wanted)
{
    const char *status = json_get_str(wanted, "status");
    return status != NULL && dispute_move(context, dispute, status)
               ? NULL
               : "a dispute cannot go from here to there";
}

static bool is_card_member(const char *name, struct json_object *value)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    int64_t number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
    if (text_equal(name, "exp_month")) {
        return number >= 1 && number <= 12;
    }
    if (text_equal(name, "exp_year")) {
        return number >= 2000 && number <= 9999;
    }
    if (text_equal(name, "last4")) {
        return strlen(text) == 4 && strspn(text, "0123456789") == 4;
    }
    return text_equal(name, "brand") && text[0] != '\0';
}

static const char *replace_card(const struct context *context, struct document *method,
                                struct json_object *wanted)
{
    json_object_object_foreach(wanted, name, value)
    {
        if (!is_card_member(name, value)) {
            return "a card has exp_month, exp_year, last4 and brand";
        }
    }
    if (json_object_object_length(wanted) == 0) {
        return "nothing is to be replaced";
    }
    saved_method_replace_card(context, method, wanted);
    return NULL;
}

static const struct trigger {
    const char *before; // the id in the path
    const char *after;
    enum object_kind kind;
    // Changes the document. NULL: done; otherwise why not.
    const char *(*change)(const struct context *context, struct document *document,
                          struct json_object *wanted);
} triggers[] = {
    {"/_sandbox/payment_methods/", "/update", OBJECT_METHOD, replace_card},
    {"/_sandbox/refunds/", "", OBJECT_REFUND, move_refund},
    {"/_sandbox/disputes/", "", OBJECT_DISPUTE, move_dispute},
};

static struct account *owner_of(const struct sandbox *sandbox, enum object_kind kind, const char *id)
{
    LIST_EACH_SAFE(&sandbox->accounts, link, after)
    {
        struct account *account = CONTAINER_OF(link, struct account, link);
        if (object_find(account, kind, id) != NULL) {
            return account;
        }
    }
    return NULL;
}

static void pull_trigger(struct sandbox *sandbox, int64_t now_us, const struct trigger *trigger,
                         const char *id, const struct sandbox_request *request,
                         struct sandbox_response *response)
{
    struct context context = {.sandbox = sandbox,
                              .account = owner_of(sandbox, trigger->kind, id),
                              .now_us = now_us,
                              .arena = response->arena};
    struct document document DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct json_object *wanted JSON_CLEANUP = NULL;
    if (!text_equal(request->method, "POST")) {
        response_refuse(response, 405, "this is made to happen by POST");
    } else if (context.account == NULL || !document_open(&context, trigger->kind, id, &document)) {
        response_refuse(response, 404, "no account has an object of that id");
    } else if (json_parse(request->body == NULL ? "" : request->body, request->body_bytes, &wanted, NULL) !=
                   OK ||
               !json_object_is_type(wanted, json_type_object)) {
        response_refuse(response, 400, "the body must be a JSON object");
    } else {
        const char *refusal = trigger->change(&context, &document, wanted);
        if (refusal != NULL) {
            response_refuse(response, 400, refusal);
            return;
        }
        response_json(response, 200, json_object_get(document.json));
    }
}

static bool handle_trigger(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                           struct sandbox_response *response)
{
    for (size_t i = 0; i < COUNT_OF(triggers); i++) {
        const struct trigger *trigger = &triggers[i];
        if (text_starts_with(request->path, trigger->before) &&
            text_ends_with(request->path + strlen(trigger->before), trigger->after)) {
            const char *id = request->path + strlen(trigger->before);
            size_t bytes = strlen(id) - strlen(trigger->after);
            pull_trigger(sandbox, now_us, trigger, arena_strndup(response->arena, id, bytes), request,
                         response);
            return true;
        }
    }
    return false;
}

static void handle_faults(struct sandbox *sandbox, const struct sandbox_request *request,
                          struct sandbox_response *response)
{
    if (text_equal(request->method, "POST")) {
        struct json_object *wanted JSON_CLEANUP = NULL;
        struct err err;
        if (json_parse(request->body == NULL ? "" : request->body, request->body_bytes, &wanted, &err) !=
                OK ||
            faults_change(&sandbox->faults, wanted, &err) != OK) {
            response_refuse(response, 400, err.message);
            return;
        }
    } else if (!text_equal(request->method, "GET")) {
        response_refuse(response, 405, "faults are read by GET and set by POST");
        return;
    }
    response_json(response, 200, faults_json(&sandbox->faults));
}

// Objects are stored as text, so the ledger joins the texts and parses nothing.
static void add_texts(const struct sandbox *sandbox, enum object_kind kind, struct buf *ledger)
{
    const char *separator = "";
    LIST_EACH_SAFE(&sandbox->accounts, account_link, after_account)
    {
        const struct account *account = CONTAINER_OF(account_link, struct account, link);
        LIST_EACH_SAFE(&account->sets[kind].in_order, link, after)
        {
            buf_add_str(ledger, separator);
            buf_add_str(ledger, CONTAINER_OF(link, struct object, link)->text);
            separator = ",";
        }
    }
}

static void handle_ledger(const struct sandbox *sandbox, const struct sandbox_request *request,
                          struct sandbox_response *response)
{
    if (!text_equal(request->method, "GET")) {
        response_refuse(response, 405, "the ledger is read by GET");
        return;
    }
    struct buf ledger BUF_CLEANUP = BUF_MAX(LEDGER_BYTES_MAX);
    buf_add_str(&ledger, "{\"charges\":[");
    add_texts(sandbox, OBJECT_CHARGE, &ledger);
    buf_add_str(&ledger, "],\"refunds\":[");
    add_texts(sandbox, OBJECT_REFUND, &ledger);
    buf_add_str(&ledger, "]}");
    response_text(response, 200, "application/json", arena_strndup(response->arena, ledger.data, ledger.len));
}

void control_handle(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                    struct sandbox_response *response)
{
    if (text_equal(request->path, "/_sandbox/faults")) {
        handle_faults(sandbox, request, response);
    } else if (text_equal(request->path, "/_sandbox/ledger")) {
        handle_ledger(sandbox, request, response);
    } else if (text_starts_with(request->path, AUTHENTICATION_PAGE_PATH)) {
        authentication_page_handle(sandbox, now_us, request, response);
    } else if (!handle_trigger(sandbox, now_us, request, response)) {
        response_refuse(response, 404, "there is nothing of that name here");
    }
}
