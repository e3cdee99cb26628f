// Deliveries of events to endpoints: one job for each pair. It is retried a few times until the endpoint
// accepts the event.
#pragma once

#include <stdint.h>

#include "sandbox/state.h"

// The number of the account's endpoints that want events of this type.
int64_t deliveries_wanting(const struct context *context, const char *type);
// Schedules a delivery to each of them.
void deliveries_begin(const struct context *context, const char *type, const char *event_id);
// Fills in what to send for a job that is due. False: its event or endpoint is gone, and the job was removed.
bool delivery_prepare(const struct context *context, struct document *job, struct sandbox_delivery *delivery);
