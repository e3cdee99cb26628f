// See json_writer.h. The text grows in the arena, in place where nothing else was allocated meanwhile.
#include "base/json_writer.h"

#include <limits.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"

#define CAPACITY_FIRST ((size_t)512)

struct json_writer json_writer(struct arena *arena)
{
    return (struct json_writer){.arena = arena};
}

static void grow(struct json_writer *json, size_t needed)
{
    size_t capacity = json->capacity == 0 ? CAPACITY_FIRST : 2 * json->capacity;
    capacity = capacity < needed ? needed : capacity;
    json->text = arena_resize(json->arena, json->text, json->capacity, capacity);
    json->capacity = capacity;
}

// Room for so many bytes more and a NUL.
static void reserve(struct json_writer *json, size_t bytes)
{
    size_t needed = json->bytes + bytes + 1;
    if (needed > json->capacity) {
        grow(json, needed);
    }
}

void json_reserve(struct json_writer *json, size_t bytes)
{
    reserve(json, bytes);
}

static void add(struct json_writer *json, const char *text, size_t bytes)
{
    reserve(json, bytes);
    memcpy(json->text + json->bytes, text, bytes);
    json->bytes += bytes;
}

static void add_char(struct json_writer *json, char c)
{
    reserve(json, 1);
    json->text[json->bytes++] = c;
}

static void add_escaped(struct json_writer *json, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    unsigned char byte = (unsigned char)c;
    if (byte >= 0x20) {
        add(json, (const char[]){'\\', c}, 2);
    } else if (letters[byte] != '\0') {
        add(json, (const char[]){'\\', letters[byte]}, 2);
    } else {
        add(json, (const char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
    }
}

// Bytes at which the copying of a string stops: those to escape, and its end.
static const bool stops[UCHAR_MAX + 1] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};

static size_t plain_bytes(const char *text)
{
    size_t bytes = 0;
    while (!stops[(unsigned char)text[bytes]]) {
        bytes++;
    }
    return bytes;
}

static void add_string(struct json_writer *json, const char *text)
{
    add_char(json, '"');
    for (;;) {
        const size_t bytes = plain_bytes(text);
        add(json, text, bytes);
        text += bytes;
        if (*text == '\0') {
            break;
        }
        add_escaped(json, *text++);
    }
    add_char(json, '"');
}

// Nearly every name is written as it is, so that costs less than add_string. Those of metadata may be any
// text.
static void add_name(struct json_writer *json, const char *name)
{
    const size_t bytes = plain_bytes(name);
    if (name[bytes] != '\0') {
        add_string(json, name);
        add_char(json, ':');
        return;
    }
    reserve(json, bytes + strlen("\"\":"));
    char *to = json->text + json->bytes;
    *to++ = '"';
    to = mempcpy(to, name, bytes);
    *to++ = '"';
    *to++ = ':';
    json->bytes = (size_t)(to - json->text);
}

// All that comes before a value.
static void begin_value(struct json_writer *json, const char *name)
{
    bool in_object = json->depth > 0 && (json->arrays >> (json->depth - 1) & 1) == 0;
    REQUIRE(in_object == (name != NULL));
    REQUIRE(json->depth > 0 || json->bytes == 0);
    if (json->comma) {
        add_char(json, ',');
    }
    if (name != NULL) {
        add_name(json, name);
    }
    json->comma = true;
}

static void open(struct json_writer *json, const char *name, bool is_array)
{
    begin_value(json, name);
    REQUIRE(json->depth < JSON_WRITER_DEPTH_MAX);
    uint32_t bit = UINT32_C(1) << json->depth;
    json->arrays = is_array ? json->arrays | bit : json->arrays & ~bit;
    json->depth++;
    json->comma = false;
    add_char(json, is_array ? '[' : '{');
}

void json_open_object(struct json_writer *json, const char *name)
{
    open(json, name, false);
}

void json_open_array(struct json_writer *json, const char *name)
{
    open(json, name, true);
}

void json_close(struct json_writer *json)
{
    REQUIRE(json->depth > 0);
    json->depth--;
    json->comma = true;
    add_char(json, (json->arrays >> json->depth & 1) != 0 ? ']' : '}');
}

void json_write_str(struct json_writer *json, const char *name, const char *text)
{
    if (text == NULL) {
        json_write_null(json, name);
        return;
    }
    begin_value(json, name);
    add_string(json, text);
}

void json_write_i64(struct json_writer *json, const char *name, int64_t value)
{
    char digits[TEXT_I64_BYTES];
    size_t bytes = text_from_i64(value, digits);
    begin_value(json, name);
    add(json, digits, bytes);
}

void json_write_bool(struct json_writer *json, const char *name, bool value)
{
    json_write_json(json, name, value ? "true" : "false");
}

void json_write_null(struct json_writer *json, const char *name)
{
    json_write_json(json, name, "null");
}

// A string in which nothing is escaped.
static void write_plain(struct json_writer *json, const char *name, const char *text, size_t bytes)
{
    begin_value(json, name);
    reserve(json, bytes + 2);
    add_char(json, '"');
    add(json, text, bytes);
    add_char(json, '"');
}

void json_write_uuid(struct json_writer *json, const char *name, const struct uuid *id)
{
    if (id == NULL) {
        json_write_null(json, name);
        return;
    }
    char text[UUID_TEXT_BYTES];
    uuid_format(id, text);
    write_plain(json, name, text, sizeof(text) - 1);
}

void json_write_time(struct json_writer *json, const char *name, int64_t time_us)
{
    char text[TIME_TEXT_BYTES];
    write_plain(json, name, text, time_format(time_us, text));
}

void json_write_time_or_null(struct json_writer *json, const char *name, int64_t time_us)
{
    if (time_us != 0) {
        json_write_time(json, name, time_us);
    } else {
        json_write_null(json, name);
    }
}

void json_write_json(struct json_writer *json, const char *name, const char *text)
{
    begin_value(json, name);
    add(json, text, strlen(text));
}

const char *json_finish(struct json_writer *json)
{
    while (json->depth > 0) {
        json_close(json);
    }
    REQUIRE(json->bytes > 0);
    json->text[json->bytes] = '\0';
    return arena_resize(json->arena, json->text, json->capacity, json->bytes + 1);
}
