// The grammar of RFC 8259, held strictly, on bytes from outside. Pure; any thread. Internal to json.c.
#pragma once

#include <stddef.h>

#include "base/err.h"

// Whether the whole text is one JSON value in UTF-8, nested at most depth_max deep, of at most values_max
// values altogether, without \u0000 in a string. ERR_BAD_REQUEST with a sentence that says at which byte not.
// *member_count: "name": value pairs in all objects.
enum errc json_check(const char *text, size_t bytes, int depth_max, size_t values_max, size_t *member_count,
                     struct err *err) MUST_CHECK;
