// Reading Stripe's events. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json_reader.h"
#include "provider/event.h"

// Reads an event object. ERR_BAD_REQUEST where it is not one. Text in the arena.
enum errc stripe_event_of_json(const struct json_value *root, struct arena *arena,
                               struct provider_event *event, struct err *err) MUST_CHECK;
// Adds the types that we act on to a query of events.
void stripe_event_add_types(struct buf *query);
// Reads an event from the raw body. ERR_BAD_REQUEST where it is not an event object. Text in the arena.
enum errc stripe_event_parse(const char *body, size_t bytes, struct arena *arena,
                             struct provider_event *event, struct err *err) MUST_CHECK;
