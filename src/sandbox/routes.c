// Routes and parameters, as tables. A new resource needs rows here and a file of its own. Parameters that are
// not listed are refused as unknown; docs/sandbox.md says which of Stripe's are modelled. Pure. See routes.h.
#include "sandbox/routes.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/customers.h"
#include "sandbox/disputes.h"
#include "sandbox/endpoints.h"
#include "sandbox/events.h"
#include "sandbox/intent_calls.h"
#include "sandbox/intent_shared.h"
#include "sandbox/lists.h"
#include "sandbox/method_calls.h"
#include "sandbox/refunds.h"
#include "sandbox/setup_intents.h"

// The API does not have it since this version: https://docs.stripe.com/changelog
#define METHOD_TYPES                                                                                         \
    {                                                                                                        \
        .name = "payment_method_types", .type = PARAM_TEXTS, .until_version = "2026-09-30"                   \
    }
static const struct param intent_create_params[] = {
    {.name = "amount", .type = PARAM_INTEGER, .required = true},
    {.name = "currency", .type = PARAM_TEXT, .required = true},
    {.name = "automatic_payment_methods[enabled]", .type = PARAM_BOOLEAN},
    {.name = "automatic_payment_methods[allow_redirects]", .type = PARAM_CHOICE, .choices = "always|never"},
    {.name = "capture_method", .type = PARAM_CHOICE, .choices = "automatic|automatic_async|manual"},
    {.name = "confirm", .type = PARAM_BOOLEAN},
    {.name = "confirmation_method", .type = PARAM_CHOICE, .choices = "automatic|manual"},
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "description", .type = PARAM_TEXT, .chars_max = DESCRIPTION_CHARS_MAX},
    {.name = "error_on_requires_action", .type = PARAM_BOOLEAN},
    {.name = "off_session", .type = PARAM_BOOLEAN},
    {.name = "payment_method", .type = PARAM_TEXT},
    {.name = "receipt_email", .type = PARAM_TEXT, .chars_max = EMAIL_CHARS_MAX},
    {.name = "return_url", .type = PARAM_URL},
    {.name = "setup_future_usage", .type = PARAM_CHOICE, .choices = "on_session|off_session"},
    {.name = "statement_descriptor_suffix", .type = PARAM_TEXT, .chars_max = SUFFIX_CHARS_MAX},
    {.name = "use_stripe_sdk", .type = PARAM_BOOLEAN},
    METHOD_TYPES,
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param intent_update_params[] = {
    {.name = "amount", .type = PARAM_INTEGER},
    {.name = "currency", .type = PARAM_TEXT},
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "capture_method", .type = PARAM_CHOICE, .choices = "automatic|automatic_async|manual"},
    {.name = "description", .type = PARAM_TEXT, .chars_max = DESCRIPTION_CHARS_MAX, .unsettable = true},
    {.name = "payment_method", .type = PARAM_TEXT},
    {.name = "receipt_email", .type = PARAM_TEXT, .chars_max = EMAIL_CHARS_MAX, .unsettable = true},
    {.name = "setup_future_usage",
     .type = PARAM_CHOICE,
     .choices = "on_session|off_session",
     .unsettable = true},
    {.name = "statement_descriptor_suffix", .type = PARAM_TEXT, .chars_max = SUFFIX_CHARS_MAX},
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param intent_confirm_params[] = {
    {.name = "capture_method", .type = PARAM_CHOICE, .choices = "automatic|automatic_async|manual"},
    {.name = "error_on_requires_action", .type = PARAM_BOOLEAN},
    {.name = "off_session", .type = PARAM_BOOLEAN},
    {.name = "payment_method", .type = PARAM_TEXT},
    {.name = "receipt_email", .type = PARAM_TEXT, .chars_max = EMAIL_CHARS_MAX, .unsettable = true},
    {.name = "return_url", .type = PARAM_URL},
    {.name = "setup_future_usage",
     .type = PARAM_CHOICE,
     .choices = "on_session|off_session",
     .unsettable = true},
    {.name = "use_stripe_sdk", .type = PARAM_BOOLEAN},
    METHOD_TYPES,
    EXPAND,
    PARAMS_END,
};

static const struct param intent_capture_params[] = {
    {.name = "amount_to_capture", .type = PARAM_INTEGER},
    EXPAND,
    PARAMS_END,
};

static const struct param intent_cancel_params[] = {
    {.name = "cancellation_reason",
     .type = PARAM_CHOICE,
     .choices = "duplicate|fraudulent|requested_by_customer|abandoned"},
    EXPAND,
    PARAMS_END,
};

static const struct param retrieve_params[] = {EXPAND, PARAMS_END};

static const struct param intent_retrieve_params[] = {
    {.name = "client_secret", .type = PARAM_TEXT},
    EXPAND,
    PARAMS_END,
};

static const struct param intent_list_params[] = {
    {.name = "customer", .type = PARAM_TEXT},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param search_params[] = {
    {.name = "query", .type = PARAM_TEXT, .required = true},
    {.name = "limit", .type = PARAM_INTEGER},
    {.name = "page", .type = PARAM_TEXT},
    EXPAND,
    PARAMS_END,
};

static const struct param setup_create_params[] = {
    {.name = "automatic_payment_methods[enabled]", .type = PARAM_BOOLEAN},
    {.name = "automatic_payment_methods[allow_redirects]", .type = PARAM_CHOICE, .choices = "always|never"},
    {.name = "confirm", .type = PARAM_BOOLEAN},
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "description", .type = PARAM_TEXT, .chars_max = DESCRIPTION_CHARS_MAX},
    {.name = "payment_method", .type = PARAM_TEXT},
    {.name = "return_url", .type = PARAM_URL},
    {.name = "usage", .type = PARAM_CHOICE, .choices = "on_session|off_session"},
    {.name = "use_stripe_sdk", .type = PARAM_BOOLEAN},
    METHOD_TYPES,
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param setup_update_params[] = {
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "description", .type = PARAM_TEXT, .chars_max = DESCRIPTION_CHARS_MAX, .unsettable = true},
    {.name = "payment_method", .type = PARAM_TEXT},
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param setup_confirm_params[] = {
    {.name = "payment_method", .type = PARAM_TEXT},
    {.name = "return_url", .type = PARAM_URL},
    {.name = "use_stripe_sdk", .type = PARAM_BOOLEAN},
    EXPAND,
    PARAMS_END,
};

static const struct param setup_cancel_params[] = {
    {.name = "cancellation_reason",
     .type = PARAM_CHOICE,
     .choices = "duplicate|requested_by_customer|abandoned"},
    EXPAND,
    PARAMS_END,
};

static const struct param setup_list_params[] = {
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "payment_method", .type = PARAM_TEXT},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param setup_attempt_list_params[] = {
    {.name = "setup_intent", .type = PARAM_TEXT, .required = true},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param charge_list_params[] = {
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "payment_intent", .type = PARAM_TEXT},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param transaction_list_params[] = {
    {.name = "currency", .type = PARAM_TEXT},
    {.name = "source", .type = PARAM_TEXT},
    {.name = "type", .type = PARAM_TEXT},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param customer_list_params[] = {
    {.name = "email", .type = PARAM_TEXT, .chars_max = EMAIL_CHARS_MAX},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param method_attach_params[] = {
    {.name = "customer", .type = PARAM_TEXT, .required = true},
    EXPAND,
    PARAMS_END,
};

static const struct param method_list_params[] = {
    {.name = "customer", .type = PARAM_TEXT},
    {.name = "type", .type = PARAM_CHOICE, .choices = "card"},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param customer_method_list_params[] = {
    {.name = "type", .type = PARAM_CHOICE, .choices = "card"},
    CURSORS,
    EXPAND,
    PARAMS_END,
};

static const struct param refund_create_params[] = {
    {.name = "amount", .type = PARAM_INTEGER},
    {.name = "charge", .type = PARAM_TEXT},
    {.name = "payment_intent", .type = PARAM_TEXT},
    {.name = "reason", .type = PARAM_CHOICE, .choices = "duplicate|fraudulent|requested_by_customer"},
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param refund_update_params[] = {METADATA, EXPAND, PARAMS_END};

// For refunds and disputes, which both belong to a charge.
static const struct param of_charge_list_params[] = {
    {.name = "charge", .type = PARAM_TEXT},
    {.name = "payment_intent", .type = PARAM_TEXT},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param charge_refund_list_params[] = {CURSORS, EXPAND, PARAMS_END};

static const struct param event_list_params[] = {
    {.name = "type", .type = PARAM_TEXT},
    {.name = "types", .type = PARAM_TEXTS},
    {.name = "delivery_success", .type = PARAM_BOOLEAN},
    PAGING,
    EXPAND,
    PARAMS_END,
};

static const struct param endpoint_create_params[] = {
    {.name = "url", .type = PARAM_URL, .required = true},
    {.name = "enabled_events", .type = PARAM_TEXTS, .required = true},
    {.name = "api_version", .type = PARAM_TEXT},
    {.name = "description", .type = PARAM_TEXT},
    {.name = "secret",
     .type = PARAM_TEXT,
     .chars_max = 500}, // Stripe does not have it: the caller's own secret
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param endpoint_update_params[] = {
    {.name = "url", .type = PARAM_URL},
    {.name = "enabled_events", .type = PARAM_TEXTS},
    {.name = "description", .type = PARAM_TEXT, .unsettable = true},
    {.name = "disabled", .type = PARAM_BOOLEAN},
    METADATA,
    EXPAND,
    PARAMS_END,
};

static const struct param endpoint_list_params[] = {PAGING, EXPAND, PARAMS_END};

static const struct route routes[] = {
    {"POST", "/v1/payment_intents", intent_create_params, intent_create, OBJECT_INTENT},
    {"GET", "/v1/payment_intents", intent_list_params, list_filtered, OBJECT_INTENT},
    {"GET", "/v1/payment_intents/search", search_params, intent_search, OBJECT_INTENT},
    {"GET", "/v1/payment_intents/:id", intent_retrieve_params, intent_retrieve, OBJECT_INTENT,
     .publishable = true},
    {"POST", "/v1/payment_intents/:id", intent_update_params, intent_update, OBJECT_INTENT},
    {"POST", "/v1/payment_intents/:id/confirm", intent_confirm_params, intent_confirm, OBJECT_INTENT},
    {"POST", "/v1/payment_intents/:id/capture", intent_capture_params, intent_capture, OBJECT_INTENT},
    {"POST", "/v1/payment_intents/:id/cancel", intent_cancel_params, intent_cancel, OBJECT_INTENT},
    {"POST", "/v1/setup_intents", setup_create_params, setup_intent_create, OBJECT_SETUP_INTENT},
    {"GET", "/v1/setup_intents", setup_list_params, list_filtered, OBJECT_SETUP_INTENT},
    {"GET", "/v1/setup_intents/:id", intent_retrieve_params, intent_retrieve, OBJECT_SETUP_INTENT,
     .publishable = true},
    {"POST", "/v1/setup_intents/:id", setup_update_params, setup_intent_update, OBJECT_SETUP_INTENT},
    {"POST", "/v1/setup_intents/:id/confirm", setup_confirm_params, setup_intent_confirm,
     OBJECT_SETUP_INTENT},
    {"POST", "/v1/setup_intents/:id/cancel", setup_cancel_params, setup_intent_cancel, OBJECT_SETUP_INTENT},
    {"GET", "/v1/setup_attempts", setup_attempt_list_params, list_filtered, OBJECT_SETUP_ATTEMPT},
    {"GET", "/v1/charges", charge_list_params, list_filtered, OBJECT_CHARGE},
    {"GET", "/v1/charges/:id", retrieve_params, call_retrieve, OBJECT_CHARGE},
    {"GET", "/v1/charges/:id/refunds", charge_refund_list_params, charge_refund_list, OBJECT_REFUND},
    {"GET", "/v1/balance_transactions", transaction_list_params, list_filtered, OBJECT_TRANSACTION},
    {"GET", "/v1/balance_transactions/:id", retrieve_params, call_retrieve, OBJECT_TRANSACTION},
    {"POST", "/v1/payment_methods", method_create_params, method_create, OBJECT_METHOD},
    {"GET", "/v1/payment_methods", method_list_params, method_list, OBJECT_METHOD},
    {"GET", "/v1/payment_methods/:id", retrieve_params, call_retrieve, OBJECT_METHOD},
    {"POST", "/v1/payment_methods/:id", method_update_params, method_update, OBJECT_METHOD},
    {"POST", "/v1/payment_methods/:id/attach", method_attach_params, method_attach, OBJECT_METHOD},
    {"POST", "/v1/payment_methods/:id/detach", retrieve_params, method_detach, OBJECT_METHOD},
    {"POST", "/v1/customers", customer_create_params, customer_create, OBJECT_CUSTOMER},
    {"GET", "/v1/customers", customer_list_params, customer_list, OBJECT_CUSTOMER},
    {"GET", "/v1/customers/search", search_params, customer_search, OBJECT_CUSTOMER},
    {"GET", "/v1/customers/:id", retrieve_params, call_retrieve, OBJECT_CUSTOMER},
    {"POST", "/v1/customers/:id", customer_update_params, customer_update, OBJECT_CUSTOMER},
    {"DELETE", "/v1/customers/:id", retrieve_params, customer_delete, OBJECT_CUSTOMER},
    {"GET", "/v1/customers/:id/payment_methods", customer_method_list_params, customer_method_list,
     OBJECT_METHOD},
    {"GET", "/v1/customers/:id/payment_methods/:inner_id", retrieve_params, customer_method_retrieve,
     OBJECT_METHOD},
    {"POST", "/v1/refunds", refund_create_params, refund_create, OBJECT_REFUND},
    {"GET", "/v1/refunds", of_charge_list_params, list_filtered, OBJECT_REFUND},
    {"GET", "/v1/refunds/:id", retrieve_params, call_retrieve, OBJECT_REFUND},
    {"POST", "/v1/refunds/:id", refund_update_params, refund_call_update, OBJECT_REFUND},
    {"POST", "/v1/refunds/:id/cancel", retrieve_params, refund_cancel, OBJECT_REFUND},
    {"GET", "/v1/disputes", of_charge_list_params, list_filtered, OBJECT_DISPUTE},
    {"GET", "/v1/disputes/:id", retrieve_params, call_retrieve, OBJECT_DISPUTE},
    {"POST", "/v1/disputes/:id/close", retrieve_params, dispute_close, OBJECT_DISPUTE},
    {"GET", "/v1/events", event_list_params, event_list, OBJECT_EVENT},
    {"GET", "/v1/events/:id", retrieve_params, call_retrieve, OBJECT_EVENT},
    {"POST", "/v1/webhook_endpoints", endpoint_create_params, endpoint_create, OBJECT_ENDPOINT},
    {"GET", "/v1/webhook_endpoints", endpoint_list_params, list_filtered, OBJECT_ENDPOINT},
    {"GET", "/v1/webhook_endpoints/:id", retrieve_params, call_retrieve, OBJECT_ENDPOINT},
    {"POST", "/v1/webhook_endpoints/:id", endpoint_update_params, endpoint_update, OBJECT_ENDPOINT},
    {"DELETE", "/v1/webhook_endpoints/:id", retrieve_params, endpoint_delete, OBJECT_ENDPOINT},
};

#define IDS_MAX 2

struct segment {
    const char *text;
    size_t bytes;
};

// Whether the path matches the pattern. ids: the segments for the names in the pattern, in order.
static bool matches(const char *pattern, const char *path, struct segment ids[IDS_MAX])
{
    size_t count = 0;
    while (*pattern != '\0') {
        if (*pattern != ':') {
            if (*pattern++ != *path++) {
                return false;
            }
            continue;
        }
        size_t bytes = strcspn(path, "/");
        if (bytes == 0) {
            return false;
        }
        REQUIRE(count < IDS_MAX);
        ids[count++] = (struct segment){path, bytes};
        path += bytes;
        pattern += strcspn(pattern, "/");
    }
    return *path == '\0';
}

const struct route *route_find(const char *method, const char *path, struct arena *arena, const char **id,
                               const char **inner_id)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        struct segment ids[IDS_MAX] = {0};
        if (text_equal(routes[i].method, method) && matches(routes[i].path, path, ids)) {
            *id = ids[0].text == NULL ? NULL : arena_strndup(arena, ids[0].text, ids[0].bytes);
            *inner_id = ids[1].text == NULL ? NULL : arena_strndup(arena, ids[1].text, ids[1].bytes);
            return &routes[i];
        }
    }
    return NULL;
}
