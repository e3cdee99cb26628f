// Errors in Stripe's form ({"error": {...}}), and the fields of a sandbox_response. An intent also keeps such
// an error as its last_payment_error. Pure. https://docs.stripe.com/api/errors
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "sandbox/sandbox.h"

struct refusal {
    int status;
    const char *type; // NULL: invalid_request_error
    const char *code;
    const char *decline_code;
    const char *advice_code;
    const char *message;
    const char *param;
    const char *charge;
    const char *request_log_url;        // NULL: the error belongs to no request
    struct json_object *payment_intent; // borrowed
    struct json_object *payment_method; // borrowed
    struct json_object *setup_intent;   // borrowed
};

// Sets these fields and clears the others. Always returns false, so that a check can return the result.
bool refusal_set(struct refusal *refusal, int status, const char *code, const char *param,
                 const char *message);
// The inner object, with the members that are set.
struct json_object *refusal_json(const struct refusal *refusal);

void response_header(struct sandbox_response *response, const char *name, const char *value);
// Takes value.
void response_json(struct sandbox_response *response, int status, struct json_object *value);
// {"error":{"message":...}}, for requests that are not calls of the API.
void response_refuse(struct sandbox_response *response, int status, const char *message);
void response_text(struct sandbox_response *response, int status, const char *content_type, const char *text);
