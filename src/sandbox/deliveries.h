// The way of an event to an endpoint: an errand for each pair, repeated a few times while it is not accepted.
#pragma once

#include <stdint.h>

#include "sandbox/state.h"

// How many endpoints of the account want events of this type.
int64_t deliveries_wanting(const struct context *context, const char *type);
// Makes their errands.
void deliveries_begin(const struct context *context, const char *type, const char *event_id);
// What to send for a delivery errand that is due; false: its event or endpoint is gone, so is the errand.
bool delivery_prepare(const struct context *context, struct document *job, struct sandbox_delivery *delivery);
