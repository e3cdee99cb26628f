// A strict check of the grammar of RFC 8259 on untrusted bytes. Pure; any thread. Internal to json.c.
#pragma once

#include <stddef.h>

#include "base/err.h"

// The position of a byte in the text, as an editor shows it: from 1, columns in characters.
struct json_place {
    size_t line;
    size_t column;
};
struct json_place json_place(const char *text, size_t at);

// Checks that the whole text is one JSON value in UTF-8, nested at most depth_max deep, of at most values_max
// values, without \u0000 in a string. ERR_BAD_REQUEST says where it is not, and what is expected there.
// *member_count gets the number of "name": value pairs in all objects.
enum errc json_check(const char *text, size_t bytes, int depth_max, size_t values_max, size_t *member_count,
                     struct err *err) MUST_CHECK;
