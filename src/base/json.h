// JSON as trees of json-c, reference counted: for objects that are changed after they were read or before
// they are written, as the sandbox's are. Everything else reads with json_reader.h and writes with
// json_writer.h. Pure; any thread, but a value belongs to one thread at a time.
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_reader.h"

#define JSON_CLEANUP __attribute__((cleanup(json_release)))
void json_release(struct json_object **value); // drops the reference, sets NULL

// Parses what json_read takes, with at most JSON_VALUES_MAX values, and with its errors. The caller releases.
// A value costs up to 2 us and 800 bytes (an empty object), however short its text.
enum errc json_parse(const char *text, size_t bytes, struct json_object **value, struct err *err) MUST_CHECK;
// The same with another limit of values.
enum errc json_parse_bounded(const char *text, size_t bytes, size_t values_max, struct json_object **value,
                             struct err *err) MUST_CHECK;

// A member of the wrong type reads as absent. `object` may be NULL.
struct json_object *json_get(struct json_object *object, const char *name); // NULL if absent or null
const char *json_get_str(struct json_object *object, const char *name);     // NULL if absent; owned by object
int64_t json_get_i64(struct json_object *object, const char *name, int64_t absent); // no doubles
bool json_get_bool(struct json_object *object, const char *name, bool absent);

// Building trees. Members keep the order in which they were added.
struct json_object *json_new_object(void);
// `text` NULL adds null. json_add takes over the reference to `value`; NULL adds null.
void json_add_str(struct json_object *object, const char *name, const char *text);
void json_add_i64(struct json_object *object, const char *name, int64_t value);
void json_add_bool(struct json_object *object, const char *name, bool value);
void json_add(struct json_object *object, const char *name, struct json_object *value);

// Compact text, slashes unescaped, in the arena.
char *json_text(struct arena *arena, struct json_object *value);
