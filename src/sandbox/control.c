// /_sandbox/faults, /_sandbox/ledger, and the way to the 3-D Secure page and to happenings. Pure. See
// control.h.
#include "sandbox/control.h"

#include <string.h>

#include "base/text.h"
#include "sandbox/pages.h"
#include "sandbox/response.h"
#include "sandbox/triggers.h"

#define LEDGER_BYTES_MAX ((size_t)STATE_BYTES_MAX)

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

// Objects are kept as text, so the ledger is those texts joined: nothing is parsed, however many there are.
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
    } else if (text_starts_with(request->path, PAGE_PATH)) {
        page_handle(sandbox, now_us, request, response);
    } else if (!trigger_handle(sandbox, now_us, request, response)) {
        response_refuse(response, 404, "there is nothing of that name here");
    }
}
