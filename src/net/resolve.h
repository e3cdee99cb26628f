// A host's addresses, asked of the system's resolver without stopping the loop. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"
#include "net/uv_loop.h"

#define RESOLVE_ADDRESSES_MAX 32

// Calls done exactly once (never, where the loop closes before), at once or later: with the addresses of the
// host (a name or any spelling of an address), or with none where it does not resolve within timeout_ms.
// `tried` is false where it was not even asked for in that time: other look-ups took every thread.
void resolve(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
             void (*done)(void *context, const struct address *addresses, size_t count, bool tried),
             void *context);

// The same, and calls over(context) exactly once, when no thread looks the name up any more: after `done`, or
// without it where the loop closes before. A look-up cannot be stopped once begun.
void resolve_until_over(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
                        void (*done)(void *context, const struct address *addresses, size_t count,
                                     bool tried),
                        void (*over)(void *context), void *context);
