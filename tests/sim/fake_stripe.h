// Stripe: the sandbox's state machine in this process, on true time, and what happens at Stripe: events,
// payers who authenticate, and people who use its dashboard. One thread.
#pragma once

#include <stdint.h>

#include "net/http_client.h"

struct stripe_request {
    const char *method;
    const char *target; // path and query
    const char *authorization;
    const char *version;
    const char *idempotency_key;
    const char *body;
};

struct stripe_reply {
    int status;
    const struct http_header *headers;
    size_t header_count;
    const char *body;
};

// Registers the service's webhook endpoints.
void fake_stripe_start(void);
// Carries out a request now. The reply's text is in the arena. Returns how long the answer takes, in
// microseconds.
int64_t fake_stripe_handle(const struct stripe_request *request, struct arena *arena,
                           struct stripe_reply *reply);
// Checks a request as it is written: no charge may be written after its charge window, by the service's
// clock.
void fake_stripe_check_window(const char *method, const char *target, const char *idempotency_key);

// Refunds an intent at the dashboard, in the intent's minor units. Returns false if Stripe refuses.
bool fake_stripe_dashboard_refund(int merchant, const char *intent_id, int64_t amount_minor);
// Whether one of the intent's refunds failed.
bool fake_stripe_refund_failed(int merchant, const char *intent_id);
// Deletes every customer with this e-mail at the dashboard.
void fake_stripe_delete_customers(int merchant, const char *email);
// A payer visits the page of an authentication and completes or fails it. Returns whether it succeeded.
bool fake_stripe_visit_page(const char *page_url, bool completes);
// Reads an object from Stripe's API as the merchant. The caller releases it.
struct json_object *fake_stripe_get(int merchant, const char *path, const char *query);
// All charges and refunds so far: {"charges":[...],"refunds":[...]}. The caller releases it.
struct json_object *fake_stripe_ledger(void);
