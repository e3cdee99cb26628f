// Events, and the errands that carry them to the webhook endpoints that want them.
#pragma once

#include "sandbox/state.h"

#define EVENT_TYPES_MAX 20 // in one list call

// Records that something happened to the object (a snapshot of it is taken) and sends it on its way.
void event_emit(const struct moment *at, const char *type, struct json_object *object);

struct call;
void event_retrieve(struct call *call);
void event_list(struct call *call);
