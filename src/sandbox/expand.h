// expand[]=latest_charge replaces an id in an answer by the object.
// https://docs.stripe.com/api/expanding_objects
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "sandbox/state.h"

#define EXPAND_MAX 20
#define EXPAND_DEPTH_MAX 4

// Expands one path ("latest_charge", "data.latest_charge", "latest_charge.payment_method") in place. An id
// that is null stays null. False: nothing of that name can be expanded there.
bool expand(const struct context *context, struct json_object *value, const char *path);
