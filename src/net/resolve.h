// Looks a host's addresses up with the system's resolver, without blocking the loop. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"
#include "net/uv_loop.h"

#define RESOLVE_ADDRESSES_MAX 32

// Calls done exactly once, at once or later (never, if the loop closes first): with the addresses of the host
// (a name or any spelling of an address), or with none if it does not resolve within timeout_ms. `tried` is
// false if the lookup did not even begin in that time, because other lookups took every thread.
void resolve(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
             void (*done)(void *context, const struct address *addresses, size_t count, bool tried),
             void *context);

// The same, and calls over(context) exactly once, when no thread looks the name up any more: after `done`, or
// without it if the loop closes first. A lookup cannot be stopped once begun.
void resolve_until_over(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
                        void (*done)(void *context, const struct address *addresses, size_t count,
                                     bool tried),
                        void (*over)(void *context), void *context);
