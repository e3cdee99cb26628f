// An error as Stripe words it: {"error": {...}}. Also what an intent keeps as its last_payment_error. Pure.
// https://docs.stripe.com/api/errors
#pragma once

#include "base/arena.h"
#include "base/json.h"

struct refusal {
    int status;
    const char *type; // NULL: invalid_request_error
    const char *code;
    const char *decline_code;
    const char *advice_code;
    const char *message;
    const char *param;
    const char *charge;
    const char *request_log_url;        // NULL: the error is not of one request
    struct json_object *payment_intent; // borrowed
    struct json_object *payment_method; // borrowed
    struct json_object *setup_intent;   // borrowed
};

// The inner object, with the fields that are set.
struct json_object *refusal_json(const struct refusal *refusal);
