// See json_reader.h. json_scan.c has the grammar.
#include "base/json_reader.h"

#include <string.h>

#include "base/json_scan.h"
#include "base/text.h"

#define NAME_SHOWN_BYTES_MAX 60

// A position as an editor shows it: from 1, columns in characters.
struct place {
    size_t line;
    size_t column;
};

static struct place place_of(const char *text, size_t at)
{
    struct place place = {1, 1};
    for (size_t i = 0; i < at; i++) {
        bool new_line = text[i] == '\n';
        bool begins_character = (text[i] & 0xc0) != 0x80;
        place.line += new_line;
        place.column = new_line ? 1 : place.column + begins_character;
    }
    return place;
}

static enum errc refuse_repeat(const struct json_scan *scan, struct err *err)
{
    struct place place = place_of(scan->start, scan->repeat_at);
    const struct json_value *member = scan->values;
    while (member->name == NULL || member->name_at != scan->repeat_at) {
        member++;
    }
    size_t shown = text_cut(member->name, strlen(member->name), NAME_SHOWN_BYTES_MAX);
    return err_set(err, ERR_BAD_REQUEST, "the name \"%.*s\" is repeated at line %zu, column %zu", (int)shown,
                   member->name, place.line, place.column);
}

enum errc json_read(struct arena *arena, const char *text, size_t bytes, size_t values_max,
                    const struct json_value **value, struct err *err)
{
    if (bytes > INT32_MAX) {
        return err_set(err, ERR_BAD_REQUEST, "the text is too long");
    }
    if (!text_is_utf8(text, bytes)) {
        return err_set(err, ERR_BAD_REQUEST, "the text is not valid UTF-8");
    }
    struct json_scan scan = {
        .start = text,
        .at = text,
        .end = text + bytes,
        .depth_left = JSON_DEPTH_MAX,
        .values_left = values_max,
        .arena = arena,
        .out = arena_alloc(arena, bytes + 1),
        .repeat_at = SIZE_MAX,
    };
    if (json_scan_value(&scan) && scan.at < scan.end) {
        scan.wrong = "the end is expected, after one value";
    }
    if (scan.wrong != NULL) {
        struct place place = place_of(text, (size_t)(scan.at - scan.start));
        return err_set(err, ERR_BAD_REQUEST, "not valid JSON at line %zu, column %zu: %s", place.line,
                       place.column, scan.wrong);
    }
    if (scan.repeat_at != SIZE_MAX) {
        return refuse_repeat(&scan, err);
    }
    *value = scan.values;
    return OK;
}

bool json_is(const struct json_value *value, enum json_kind kind)
{
    return value != NULL && value->kind == kind;
}

const struct json_value *json_first(const struct json_value *value)
{
    return value != NULL && value->count > 0 ? value + 1 : NULL;
}

const struct json_value *json_next(const struct json_value *value, const struct json_value *each)
{
    const struct json_value *next = each + each->extent;
    return next < value + value->extent ? next : NULL;
}

const struct json_value *json_find(const struct json_value *object, const char *name)
{
    if (!json_is(object, JSON_OBJECT)) {
        return NULL;
    }
    const struct json_value *each = json_first(object);
    // Most names differ in their first letter, and a call costs more than to compare that.
    while (each != NULL && (each->name[0] != name[0] || strcmp(each->name, name) != 0)) {
        each = json_next(object, each);
    }
    return each;
}

const struct json_value *json_read_member(const struct json_value *object, const char *name)
{
    const struct json_value *member = json_find(object, name);
    return json_is(member, JSON_NULL) ? NULL : member;
}

const char *json_read_str(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_read_member(object, name);
    return json_is(value, JSON_STRING) ? value->text : NULL;
}

int64_t json_read_i64(const struct json_value *object, const char *name, int64_t absent)
{
    const struct json_value *value = json_read_member(object, name);
    if (!json_is(value, JSON_NUMBER) || strpbrk(value->text, ".eE") != NULL) {
        return absent;
    }
    bool negative = value->text[0] == '-';
    int64_t number = 0;
    for (const char *digit = value->text + negative; *digit != '\0'; digit++) {
        int64_t step = negative ? '0' - *digit : *digit - '0';
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, step, &number)) {
            return negative ? INT64_MIN : INT64_MAX;
        }
    }
    return number;
}

bool json_read_bool(const struct json_value *object, const char *name, bool absent)
{
    const struct json_value *value = json_read_member(object, name);
    return json_is(value, JSON_BOOL) ? value->text[0] == 't' : absent;
}
