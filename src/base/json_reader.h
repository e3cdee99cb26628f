// Reads JSON without trusting it: strict RFC 8259, and within limits. A text becomes one array of values in
// an arena, in the order of the text: an object or array comes right before what is in it. Reading it makes
// a handful of allocations, whatever is in it. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 32
// A value costs 32 bytes, however short its text. An object of a provider has some 60 to 300 values; pages of
// them have a limit of their own.
#define JSON_VALUES_MAX 20000

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

// All text in it is in the arena and ends with a NUL.
struct json_value {
    const char *name; // of a member; NULL: an item of an array, or the whole
    const char *text; // of a string what it says, of another plain value as it was written ("10.00", "true")
    uint32_t count;   // of an object or array: its members or items
    uint32_t extent;  // with all values in it: the next one is so many after this
    uint32_t name_at; // of a member: where its name is in the text, in bytes
    enum json_kind kind;
};

// Reads the whole text: UTF-8, depth at most JSON_DEPTH_MAX, at most values_max values, no repeated name in
// an object, no \u0000 in a string. ERR_BAD_REQUEST says what is expected, or which name is repeated, at
// which line and column. The values live as long as the arena.
enum errc json_read(struct arena *arena, const char *text, size_t bytes, size_t values_max,
                    const struct json_value **value, struct err *err) MUST_CHECK;

// A member of the wrong type reads as absent. `object` may be NULL or another kind of value.
const struct json_value *json_find(const struct json_value *object, const char *name); // NULL if absent
const struct json_value *json_read_member(const struct json_value *object, const char *name); // or if null
const char *json_read_str(const struct json_value *object, const char *name); // NULL if absent
// An integer; one beyond 64 bits is clamped to them, which is above every limit there is.
int64_t json_read_i64(const struct json_value *object, const char *name, int64_t absent);
bool json_read_bool(const struct json_value *object, const char *name, bool absent);

// Whether it is there and of this kind. `value` may be NULL.
bool json_is(const struct json_value *value, enum json_kind kind);

// The members of an object, the items of an array: for (each = json_first(value); each != NULL; each =
// json_next(value, each)). `value` may be NULL or plain: there is none.
const struct json_value *json_first(const struct json_value *value);
const struct json_value *json_next(const struct json_value *value, const struct json_value *each);
