// Times as text: ISO 8601, UTC with `Z`, to the second in answers. Inside, they are microseconds since 1970.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TIME_TEXT_BYTES 32

// "2025-01-01T12:00:00Z": the second that the time is in. Returns how many characters were written before the
// NUL.
size_t time_format(int64_t time_us, char out[TIME_TEXT_BYTES]);
// "2025-01-01T12:00:00.123456Z", for the log.
void time_format_exact(int64_t time_us, char out[TIME_TEXT_BYTES]);

// The month (UTC) as a number that grows by one each month: year * 12 + month (1 to 12).
int time_month(int64_t time_us);

// RFC 3339 with `Z` or a numeric offset and an optional fraction of up to 9 digits; also a date alone
// (midnight UTC). Years 1970 to 9999. ERR_VALIDATION with a sentence that says the expected form.
enum errc time_parse(const char *text, int64_t *time_us, struct err *err) MUST_CHECK;

// The form of a date that HTTP servers write (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". The
// weekday is not checked. ERR_VALIDATION.
enum errc time_parse_http(const char *text, int64_t *time_us, struct err *err) MUST_CHECK;

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
