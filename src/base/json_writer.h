// Writes JSON as text into an arena, member after member: the API's answers, events for merchants, what the
// commands print. Nothing is built first. The text is compact (RFC 8259); bytes that are not UTF-8 stay as
// they are. json.h reads JSON.
//
//     struct json_writer json = json_writer(arena);
//     json_open_object(&json, NULL);
//     json_write_str(&json, "id", id);
//     json_open_array(&json, "errors");
//     ...
//     const char *text = json_finish(&json);
//
// `name` is the member's name in an object, and NULL for an item of an array or the whole value. It is
// escaped like any string: those of metadata come from outside. A writer belongs to the arena's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"

// How deep a text may be nested; going deeper aborts.
#define JSON_WRITER_DEPTH_MAX 32

struct json_writer {
    struct arena *arena;
    char *text;
    size_t bytes;
    size_t capacity;
    uint32_t arrays; // bit i: what is open at depth i is an array
    unsigned depth;
    bool comma; // before the next value
};

struct json_writer json_writer(struct arena *arena);
// Makes room for so many bytes more at once. A text that grows without it is moved whenever its room is used
// up.
void json_reserve(struct json_writer *json, size_t bytes);

void json_open_object(struct json_writer *json, const char *name);
void json_open_array(struct json_writer *json, const char *name);
void json_close(struct json_writer *json); // what was opened last

void json_write_str(struct json_writer *json, const char *name, const char *text); // NULL: null
void json_write_i64(struct json_writer *json, const char *name, int64_t value);
void json_write_bool(struct json_writer *json, const char *name, bool value);
void json_write_null(struct json_writer *json, const char *name);
void json_write_uuid(struct json_writer *json, const char *name, const struct uuid *id);   // NULL: null
void json_write_time(struct json_writer *json, const char *name, int64_t time_us);         // as time_format
void json_write_time_or_null(struct json_writer *json, const char *name, int64_t time_us); // 0: null
// `text` is JSON already, as this service wrote and stored it.
void json_write_json(struct json_writer *json, const char *name, const char *text);

// Closes all that is open. The text, in the arena.
const char *json_finish(struct json_writer *json);
