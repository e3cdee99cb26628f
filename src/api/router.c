// See router.h. To add an endpoint, add a row here, and its functions to the file of its resource.
#include "api/router.h"

#include <string.h>

#include "api/handlers.h"
#include "base/text.h"
#include "domain/scopes.h"

#define JSON_BODY_MAX (64 * 1024)
#define EVENT_BODY_MAX (1024 * 1024)

static const struct route routes[] = {
    {"GET", "/healthz", ROUTE_OPERATOR, .answer = healthz_answer},
    {"GET", "/readyz", ROUTE_OPERATOR, .answer = readyz_answer},
    {"GET", "/metrics", ROUTE_OPERATOR, .answer = metrics_answer},
    {"GET", "/openapi.json", ROUTE_OPERATOR, .answer = openapi_answer},

    {"POST", "/v1/webhooks/stripe", ROUTE_PROVIDER, 0, STORE_READ, EVENT_BODY_MAX, provider_event_read,
     provider_event_work, .check_head = provider_event_check_head, .provider = "stripe"},
    {"POST", "/v1/webhooks/stripe/{id}", ROUTE_PROVIDER, 0, STORE_READ, EVENT_BODY_MAX, provider_event_read,
     provider_event_work, .check_head = provider_event_check_head, .provider = "stripe"},

    {"POST", "/v1/payments", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, JSON_BODY_MAX, payment_create_read,
     payment_create_work, .ahead = payment_create_ahead},
    {"GET", "/v1/payments", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, payment_list_read,
     payment_list_work},
    {"GET", "/v1/payments/cards", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, card_list_read,
     card_list_work},
    {"GET", "/v1/payments/{id}", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, NULL, payment_get_work,
     .ahead = payment_get_ahead},
    {"POST", "/v1/payments/{id}/capture", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, JSON_BODY_MAX,
     payment_capture_read, payment_capture_work, .body_optional = true},
    {"POST", "/v1/payments/{id}/cancel", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, 0, payment_cancel_read,
     payment_cancel_work},
    {"POST", "/v1/payments/{id}/authenticate", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, JSON_BODY_MAX,
     payment_authenticate_read, payment_authenticate_work},

    {"GET", "/v1/payments/cards/{id}", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, NULL, card_get_work},
    {"POST", "/v1/payments/cards", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, JSON_BODY_MAX,
     card_create_read, card_create_work},
    {"DELETE", "/v1/payments/cards/{id}", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, 0, NULL,
     card_delete_work},
    {"POST", "/v1/payments/cards/{id}/default", ROUTE_KEY, SCOPE_PAYMENTS_WRITE, STORE_WRITE, 0, NULL,
     card_default_work},

    {"POST", "/v1/refunds", ROUTE_KEY, SCOPE_REFUNDS_WRITE | SCOPE_PAYMENTS_WRITE, STORE_WRITE, JSON_BODY_MAX,
     refund_create_read, refund_create_work},
    {"GET", "/v1/refunds", ROUTE_KEY, SCOPE_REFUNDS_READ | SCOPE_PAYMENTS_READ, STORE_READ, 0,
     refund_list_read, refund_list_work},
    {"GET", "/v1/refunds/{id}", ROUTE_KEY, SCOPE_REFUNDS_READ | SCOPE_PAYMENTS_READ, STORE_READ, 0, NULL,
     refund_get_work},
    {"GET", "/v1/payments/{id}/events", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, payment_events_read,
     payment_events_work},

    {"GET", "/v1/customers", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, customer_list_read,
     customer_list_work},
    {"GET", "/v1/customers/{id}", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, NULL, customer_get_work},

    {"GET", "/v1/disputes", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, dispute_list_read,
     dispute_list_work},
    {"GET", "/v1/disputes/{id}", ROUTE_KEY, SCOPE_PAYMENTS_READ, STORE_READ, 0, NULL, dispute_get_work},

    {"GET", "/v1/events/inbound", ROUTE_KEY, SCOPE_WEBHOOKS_READ, STORE_READ, 0, inbound_events_read,
     inbound_events_work},

    {"GET", "/v1/webhooks/logs", ROUTE_KEY, SCOPE_WEBHOOKS_READ, STORE_READ, 0, webhook_logs_read,
     webhook_logs_work},
    {"POST", "/v1/webhooks/logs/{id}/redeliver", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, 0,
     webhook_redeliver_read, webhook_redeliver_work},
    {"POST", "/v1/merchant/webhook/test", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, 0, webhook_test_read,
     webhook_test_work},

    {"GET", "/v1/audit/logs", ROUTE_KEY, SCOPE_AUDIT_READ, STORE_READ, 0, audit_logs_read, audit_logs_work,
     .any_merchant = true},

    {"GET", "/v1/admin/api-keys", ROUTE_KEY, SCOPE_MERCHANT_READ, STORE_READ, 0, admin_keys_read,
     admin_keys_work, .admins_only = true},
    {"POST", "/v1/admin/api-keys", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, JSON_BODY_MAX,
     admin_key_create_read, admin_key_create_work, .admins_only = true},
    {"POST", "/v1/admin/api-keys/{id}/revoke", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, 0,
     admin_key_revoke_read, admin_key_revoke_work, .admins_only = true},
    {"GET", "/v1/admin/merchants", ROUTE_KEY, SCOPE_MERCHANT_READ, STORE_READ, 0, admin_merchants_read,
     admin_merchants_work, .admins_only = true},
    {"POST", "/v1/admin/merchants", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, JSON_BODY_MAX,
     admin_merchant_create_read, admin_merchant_create_work, .admins_only = true},
    {"PUT", "/v1/admin/merchants/{id}", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, JSON_BODY_MAX,
     admin_merchant_update_read, admin_merchant_update_work, .admins_only = true},

    {"GET", "/v1/merchant/me", ROUTE_KEY, SCOPE_MERCHANT_READ, STORE_READ, 0, NULL, merchant_me_work},
    {"PUT", "/v1/merchant/webhook", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_READ, JSON_BODY_MAX,
     webhook_put_read, webhook_put_work},
    {"GET", "/v1/merchant/providers", ROUTE_KEY, SCOPE_MERCHANT_READ, STORE_READ, 0, NULL,
     providers_list_work},
    {"PUT", "/v1/merchant/providers", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, JSON_BODY_MAX,
     providers_put_read, providers_put_work},
    {"DELETE", "/v1/merchant/providers/{id}", ROUTE_KEY, SCOPE_MERCHANT_WRITE, STORE_WRITE, 0, NULL,
     providers_delete_work},
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

// Whether the path matches the pattern. *param is the text in place of {id}: one segment, never empty.
static bool path_matches(const char *pattern, const char *path, struct arena *arena, const char **param)
{
    const char *brace = strchr(pattern, '{');
    if (brace == NULL) {
        return text_equal(pattern, path);
    }
    size_t before = (size_t)(brace - pattern);
    const char *after = strchr(brace, '}') + 1;
    if (strncmp(pattern, path, before) != 0) {
        return false;
    }
    size_t segment = strcspn(path + before, "/");
    if (segment == 0 || !text_equal(path + before + segment, after)) {
        return false;
    }
    *param = arena_strndup(arena, path + before, segment);
    return true;
}

enum errc router_find(const char *method, const char *path, struct arena *arena, const struct route **route,
                      const char **param, const char **allow, struct err *err)
{
    // HEAD is answered as GET is, without the body (RFC 9110 section 9.3.2).
    const char *routed = text_equal(method, "HEAD") ? "GET" : method;
    const char *methods = NULL;
    *param = NULL;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!path_matches(routes[i].path, path, arena, param)) {
            continue;
        }
        if (text_equal(routes[i].method, routed)) {
            *route = &routes[i];
            return OK;
        }
        const char *more = text_equal(routes[i].method, "GET") ? "GET, HEAD" : routes[i].method;
        methods = methods == NULL ? more : arena_printf(arena, "%s, %s", methods, more);
    }
    if (methods == NULL) {
        return err_set(err, ERR_NOT_FOUND, "there is no such path");
    }
    *allow = methods;
    return err_set(err, ERR_METHOD_NOT_ALLOWED, "this path supports only %s", methods);
}
