// Events: what happened to an object. Each goes to the webhook endpoints that want it (deliveries.h).
#pragma once

#include "sandbox/state.h"

#define EVENT_TYPES_MAX 20 // in one list call

// Records an event with the document as it was last saved, and schedules its deliveries.
void event_emit(const struct context *context, const char *type, const struct document *document);
// The same, with the previous values of the members that changed. Takes previous.
void event_emit_changed(const struct context *context, const char *type, const struct document *document,
                        struct json_object *previous);
// Saves the document first, and finds the previous values by itself.
void event_save_changed(const struct context *context, struct document *document, const char *type);
// Saves the document first.
void event_save(const struct context *context, struct document *document, const char *type);

struct call;
void event_list(struct call *call);
