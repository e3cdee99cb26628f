// Stripe: the sandbox's machine, run in this process on the true time, and what comes from its side: events,
// payers who authenticate, and people who refund at its dashboard. One thread.
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

void fake_stripe_start(void);
// Carries it out now. Returns how long the answer takes; its text is in the arena.
int64_t fake_stripe_handle(const struct stripe_request *request, struct arena *arena,
                           struct stripe_reply *reply);
// Sees a request as it is written: by the service's clock, none may be written that charges after the charge
// window.
void fake_stripe_watch(const char *method, const char *target, const char *idempotency_key);

// A person at the dashboard refunds this much of an intent (in its own minor units). False: it is refused.
bool fake_stripe_dashboard_refund(int merchant, const char *intent_id, int64_t amount_minor);
// Whether one of the intent's refunds failed.
bool fake_stripe_refund_failed(int merchant, const char *intent_id);
// Deletes every customer of this e-mail there.
void fake_stripe_dashboard_forget(int merchant, const char *email);
// The payer decides on the page that he was sent to. Returns whether he is told that all is well.
bool fake_stripe_payer(const char *page_url, bool completes);
// What Stripe tells the merchant of it. The caller releases.
struct json_object *fake_stripe_get(int merchant, const char *path, const char *query);
// Every charge and refund there ever was: {"charges":[...],"refunds":[...]}. The caller releases.
struct json_object *fake_stripe_ledger(void);
