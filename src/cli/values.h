// Parses and checks names, modes and times that an operator gives.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// 1 to 100 bytes of UTF-8 without control characters. `flag` names it in the message. ERR_VALIDATION.
enum errc value_check_name(const char *flag, const char *text, struct err *err) MUST_CHECK;

// Checks for prompts (prompt.h): each parses the text and drops the result.
enum errc value_check_merchant_name(const char *text, void *unused, struct err *err) MUST_CHECK;
enum errc value_check_key_name(const char *text, void *unused, struct err *err) MUST_CHECK; // empty: none
enum errc value_check_scopes(const char *text, void *unused, struct err *err) MUST_CHECK;
enum errc value_check_mode(const char *text, void *unused, struct err *err) MUST_CHECK;
enum errc value_check_active(const char *text, void *unused, struct err *err) MUST_CHECK;
enum errc value_check_expiry(const char *text, void *unused, struct err *err) MUST_CHECK;

// "test" or "live". ERR_VALIDATION.
enum errc value_parse_mode(const char *text, bool *livemode, struct err *err) MUST_CHECK;

// "true" or "false". ERR_VALIDATION.
enum errc value_parse_active(const char *text, bool *active, struct err *err) MUST_CHECK;

// "never" (0), a time (base/timefmt.h) or a duration from now in seconds, minutes, hours or days ("90d",
// "12h"), which must lie in the future. ERR_VALIDATION.
enum errc value_parse_expiry(const char *text, int64_t now_us, int64_t *expires_us,
                             struct err *err) MUST_CHECK;
