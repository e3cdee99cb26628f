// The 3-D Secure page. It contains no script. Pure. See authentication_page.h.
#include "sandbox/authentication_page.h"

#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "net/form.h"
#include "sandbox/amounts.h"
#include "sandbox/intent_moves.h"
#include "sandbox/intent_shared.h"
#include "sandbox/response.h"
#include "sandbox/setup_intents.h"

#define PAGE_BYTES_MAX ((size_t)64 << 10)

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>3-D Secure "
    "(sandbox)</title><style>"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;background:#eef1f6;color:#1c2434;"
    "font:16px/1.5 system-ui,sans-serif}"
    "main{background:#fff;border-radius:12px;box-shadow:0 8px 30px "
    "rgba(28,36,52,.12);padding:32px;width:min(380px,86vw)}"
    "h1{font-size:20px;margin:0 0 4px}p{margin:0 0 16px;color:#55607a}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:6px 16px;margin:0 0 "
    "24px;padding:16px;background:#f6f8fb;border-radius:8px}"
    "dt{color:#55607a}dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}"
    "button{width:100%;padding:12px;border:0;border-radius:8px;font:inherit;font-weight:600;cursor:pointer;"
    "margin-top:8px}"
    ".complete{background:#2457d6;color:#fff}.fail{background:#fff;color:#b3261e;box-shadow:inset 0 0 0 1px "
    "#e3b5b2}"
    "button:focus-visible{outline:3px solid #9db7f5}small{display:block;margin-top:20px;color:#7a849a}"
    "</style></head><body><main>";
static const char foot[] =
    "<small>A test page of the payments sandbox. No money moves.</small></main></body></html>\n";

static void add_escaped(struct buf *page, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            buf_add_str(page, "&lt;");
            break;
        case '>':
            buf_add_str(page, "&gt;");
            break;
        case '&':
            buf_add_str(page, "&amp;");
            break;
        case '"':
            buf_add_str(page, "&quot;");
            break;
        default:
            buf_add(page, text, 1);
        }
    }
}

static void answer_page(struct sandbox_response *response, int status, const struct buf *page)
{
    response_header(response, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *");
    response_header(response, "Cache-Control", "no-store");
    response_header(response, "Referrer-Policy", "no-referrer");
    response_text(response, status, "text/html; charset=utf-8",
                  arena_strndup(response->arena, page->data, page->len));
}

static void answer_note(struct sandbox_response *response, int status, const char *title, const char *note)
{
    struct buf page BUF_CLEANUP = BUF_MAX(PAGE_BYTES_MAX);
    buf_add_str(&page, head);
    buf_printf(&page, "<h1>%s</h1><p>%s</p>", title, note);
    buf_add_str(&page, foot);
    answer_page(response, status, &page);
}

static void add_row(struct buf *page, const char *name, const char *value)
{
    if (value != NULL) {
        buf_printf(page, "<dt>%s</dt><dd>", name);
        add_escaped(page, value);
        buf_add_str(page, "</dd>");
    }
}

static void answer_question(const struct document *intent, struct sandbox_response *response)
{
    struct buf page BUF_CLEANUP = BUF_MAX(PAGE_BYTES_MAX);
    buf_add_str(&page, head);
    if (intent->kind == OBJECT_SETUP_INTENT) {
        buf_add_str(&page,
                    "<h1>Is this your card?</h1><p>Your bank asks you to confirm that it may be saved and "
                    "charged later.</p><dl>");
    } else {
        buf_add_str(&page,
                    "<h1>Is it you who pays?</h1><p>Your bank asks you to confirm this payment.</p><dl>");
        const char *amount = amount_shown(json_get_i64(intent->json, "amount", 0),
                                          json_get_str(intent->json, "currency"), response->arena);
        add_row(&page, "Amount", text_upper(response->arena, amount));
    }
    add_row(&page, "For", json_get_str(intent->json, "description"));
    add_row(&page, intent->kind == OBJECT_SETUP_INTENT ? "Setup" : "Payment",
            json_get_str(intent->json, "id"));
    // The form is sent to this same address, which includes the key.
    buf_add_str(
        &page,
        "</dl><form method=\"post\">"
        "<button class=\"complete\" name=\"action\" value=\"complete\">Complete authentication</button>"
        "<button class=\"fail\" name=\"action\" value=\"fail\">Fail authentication</button></form>");
    buf_add_str(&page, foot);
    answer_page(response, 200, &page);
}

// Redirects the payer to the caller's return URL, with the parameters that Stripe adds to it.
static void answer_return(const struct document *intent, struct sandbox_response *response)
{
    const char *return_url = json_get_str(intent->hidden, "return_url");
    bool failed = intent_status_is(intent, "requires_payment_method") || intent_status_is(intent, "canceled");
    if (return_url == NULL) {
        answer_note(response, 200, failed ? "Authentication failed" : "Authentication complete",
                    "You can close this page.");
        return;
    }
    const char *hash = return_url + strcspn(return_url, "#");
    const char *kind = object_kind_name(intent->kind);
    const char *url = arena_printf(
        response->arena, "%.*s%c%s=%s&%s_client_secret=%s&redirect_status=%s%s", (int)(hash - return_url),
        return_url, memchr(return_url, '?', (size_t)(hash - return_url)) == NULL ? '?' : '&', kind,
        json_get_str(intent->json, "id"), kind, json_get_str(intent->json, "client_secret"),
        failed ? "failed" : "succeeded", hash);
    response_header(response, "Location", url);
    response_header(response, "Cache-Control", "no-store");
    response_text(response, 303, "text/plain; charset=utf-8", "");
}

// Opens the intent that the address names. False: there is none, or the key is wrong.
static bool open_intent(struct context *context, const struct sandbox_request *request,
                        struct document *intent)
{
    const char *account_id = request->path + strlen(AUTHENTICATION_PAGE_PATH);
    const char *slash = strchr(account_id, '/');
    struct form query = {0};
    if (slash == NULL ||
        form_parse(request->query, strlen(request->query), context->arena, &query, NULL) != OK) {
        return false;
    }
    context->account = account_of_id(context->sandbox,
                                     arena_strndup(context->arena, account_id, (size_t)(slash - account_id)));
    const char *key = form_get(&query, "key");
    if (context->account == NULL || key == NULL ||
        (!document_open(context, OBJECT_INTENT, slash + 1, intent) &&
         !document_open(context, OBJECT_SETUP_INTENT, slash + 1, intent))) {
        return false;
    }
    const char *right = json_get_str(intent->hidden, "action_key");
    return right != NULL && strlen(right) == strlen(key) && crypto_equal(right, key, strlen(key));
}

void authentication_page_handle(struct sandbox *sandbox, int64_t now_us,
                                const struct sandbox_request *request, struct sandbox_response *response)
{
    struct context context = {
        .sandbox = sandbox, .now_us = now_us, .arena = response->arena, .base_url = request->base_url};
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!open_intent(&context, request, &intent)) {
        answer_note(response, 404, "Nothing to confirm",
                    "This address belongs to no payment and no card to be saved.");
        return;
    }
    if (text_equal(request->method, "GET")) {
        if (intent_status_is(&intent, "requires_action")) {
            answer_question(&intent, response);
        } else {
            answer_note(response, 200, "Nothing to confirm",
                        "This was already confirmed, failed or canceled.");
        }
        return;
    }
    struct form form = {0};
    if (!text_equal(request->method, "POST") ||
        form_parse(request->body == NULL ? "" : request->body, request->body_bytes, response->arena, &form,
                   NULL) != OK) {
        answer_note(response, 405, "Nothing to confirm", "This page is read by GET and answered by POST.");
        return;
    }
    const char *action = form_get(&form, "action");
    if (!text_equal(action, "complete") && !text_equal(action, "fail")) {
        answer_note(response, 400, "Nothing to confirm", "action must be complete or fail.");
        return;
    }
    if (intent_status_is(&intent, "requires_action")) { // otherwise the form was sent twice: redirect again
        bool passed = text_equal(action, "complete");
        if (intent.kind == OBJECT_SETUP_INTENT) {
            setup_intent_authenticated(&context, &intent, passed);
        } else {
            intent_authenticated(&context, &intent, passed);
        }
    }
    answer_return(&intent, response);
}
