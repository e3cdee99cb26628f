// Events, and the errands that carry them to the webhook endpoints that want them.
#pragma once

#include "sandbox/state.h"

#define EVENT_TYPES_MAX 20 // in one list call

// Records that something happened to the document, as it was last saved, and sends it on its way.
void event_emit(const struct context *context, const char *type, const struct document *document);
// The same, with the values that its changed members had before. Takes previous.
void event_emit_changed(const struct context *context, const char *type, const struct document *document,
                        struct json_object *previous);
// Saves the document first, and says what its members were that this changes.
void event_save_changed(const struct context *context, struct document *document, const char *type);
// Saves the document first.
void event_save(const struct context *context, struct document *document, const char *type);

struct call;
void event_list(struct call *call);
