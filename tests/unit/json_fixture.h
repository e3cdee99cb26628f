// For tests of JSON: parses a text, or expects that it is refused.
#pragma once

#include "unit_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/require.h"

static inline void assert_refused(const char *text, size_t bytes, const char *because)
{
    struct json_object *value = NULL;
    struct err err = {0};
    if (json_parse(text, bytes, &value, &err) != ERR_BAD_REQUEST) {
        fail_msg("'%.60s' is taken", text);
    }
    assert_null(value);
    assert_int_equal(err.code, ERR_BAD_REQUEST);
    if (strstr(err.message, because) == NULL) {
        fail_msg("'%.60s' is refused with '%s', not '%s'", text, err.message, because);
    }
}

static inline struct json_object *parse(const char *text)
{
    struct json_object *value = NULL;
    struct err err = {0};
    if (json_parse(text, strlen(text), &value, &err) != OK) {
        fail_msg("'%s' is refused: %s", text, err.message);
    }
    return value;
}

static inline void assert_reads_as(const char *text, const char *again)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    JSON_CLEANUP struct json_object *value = parse(text);
    assert_string_equal(json_text(&arena, value), again);
}
