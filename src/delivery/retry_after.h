// How long an endpoint asks us to wait. Pure; any thread.
#pragma once

#include <stdint.h>

// Reads a Retry-After header (RFC 9110, section 10.2.3: seconds, or a date in any of HTTP's three forms) into
// microseconds from now. 0 where it is absent (NULL), not understood or in the past; a year at most.
int64_t retry_after_us(const char *value, int64_t now_us);
