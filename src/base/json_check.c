// A recursive-descent check of RFC 8259. json-c is lenient even in its strict mode (NaN, raw control
// characters, numbers like 1.), so only a text that passes here reaches it.
#include "base/json_check.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

struct cursor {
    const char *start;
    const char *at;
    const char *end;
    int depth_left;
    size_t values_left;
    size_t member_count;
    const char *wrong; // why the text is refused at `at`; NULL: it is not
};

static bool refuse(struct cursor *cursor, const char *wrong)
{
    cursor->wrong = wrong;
    return false;
}

// The byte at the cursor; at the end NUL, which is part of no token.
static char peek(const struct cursor *cursor)
{
    return cursor->at < cursor->end ? *cursor->at : '\0';
}

static bool take(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c) {
        return false;
    }
    cursor->at++;
    return true;
}

static void skip_space(struct cursor *cursor)
{
    while (peek(cursor) == ' ' || peek(cursor) == '\n' || peek(cursor) == '\r' || peek(cursor) == '\t') {
        cursor->at++;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool check_escape(struct cursor *cursor)
{
    char c = peek(cursor);
    if (c != '\0' && strchr("\"\\/bfnrt", c) != NULL) {
        cursor->at++;
        return true;
    }
    if (c != 'u' || cursor->end - cursor->at < 5) {
        return refuse(cursor, "an escape is expected after the backslash, such as \\n or \\u00e9");
    }
    for (int i = 1; i <= 4; i++) {
        if (text_hex_value(cursor->at[i]) < 0) {
            return refuse(cursor, "an escape is expected after the backslash, such as \\n or \\u00e9");
        }
    }
    if (memcmp(cursor->at, "u0000", 5) == 0) {
        return refuse(cursor, "\\u0000 is not accepted");
    }
    cursor->at += 5;
    return true;
}

static bool check_string(struct cursor *cursor)
{
    if (!take(cursor, '"')) {
        return refuse(cursor, "a name in double quotes is expected");
    }
    while (cursor->at < cursor->end) {
        unsigned char c = (unsigned char)*cursor->at;
        if (c == '"') {
            cursor->at++;
            return true;
        }
        if (c < 0x20) {
            return refuse(cursor, "a control character in a string must be escaped");
        }
        cursor->at++;
        if (c == '\\' && !check_escape(cursor)) {
            return false;
        }
    }
    return refuse(cursor, "a closing double quote is expected");
}

static bool check_digits(struct cursor *cursor)
{
    if (!is_digit(peek(cursor))) {
        return refuse(cursor, "a digit is expected");
    }
    while (is_digit(peek(cursor))) {
        cursor->at++;
    }
    return true;
}

static bool check_number(struct cursor *cursor)
{
    (void)take(cursor, '-');
    if (take(cursor, '0')) {
        if (is_digit(peek(cursor))) {
            return refuse(cursor, "a number must not begin with a zero");
        }
    } else if (!check_digits(cursor)) {
        return false;
    }
    if (take(cursor, '.') && !check_digits(cursor)) {
        return false;
    }
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '+')) {
            (void)take(cursor, '-');
        }
        return check_digits(cursor);
    }
    return true;
}

static bool check_word(struct cursor *cursor, const char *word)
{
    size_t bytes = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < bytes || memcmp(cursor->at, word, bytes) != 0) {
        return refuse(cursor, "true, false or null is expected");
    }
    cursor->at += bytes;
    return true;
}

static bool check_value(struct cursor *cursor);

static bool check_member(struct cursor *cursor)
{
    skip_space(cursor);
    if (!check_string(cursor)) {
        return false;
    }
    skip_space(cursor);
    if (!take(cursor, ':')) {
        return refuse(cursor, "a colon is expected after the name");
    }
    cursor->member_count++;
    return check_value(cursor);
}

// The inside of an object or array, after its opening bracket.
static bool check_list(struct cursor *cursor, bool (*check_item)(struct cursor *cursor), char close)
{
    skip_space(cursor);
    if (take(cursor, close)) {
        return true;
    }
    bool more = true;
    while (more) {
        if (!check_item(cursor)) {
            return false;
        }
        skip_space(cursor);
        more = take(cursor, ',');
        skip_space(cursor);
        if (more && peek(cursor) == close) {
            return refuse(cursor, close == '}' ? "a name in double quotes is expected after the comma"
                                               : "a value is expected after the comma");
        }
    }
    if (take(cursor, close)) {
        return true;
    }
    return refuse(cursor, close == '}' ? "a comma or } is expected" : "a comma or ] is expected");
}

static bool check_nested(struct cursor *cursor, char open)
{
    if (cursor->depth_left == 0) {
        return refuse(cursor, "it is nested too deep");
    }
    cursor->at++;
    cursor->depth_left--;
    bool good = open == '{' ? check_list(cursor, check_member, '}') : check_list(cursor, check_value, ']');
    cursor->depth_left++;
    return good;
}

static bool check_value(struct cursor *cursor)
{
    skip_space(cursor);
    if (cursor->values_left == 0) {
        return refuse(cursor, "it has too many values");
    }
    cursor->values_left--;
    char c = peek(cursor);
    switch (c) {
    case '{':
    case '[':
        return check_nested(cursor, c);
    case '"':
        return check_string(cursor);
    case 't':
        return check_word(cursor, "true");
    case 'f':
        return check_word(cursor, "false");
    case 'n':
        return check_word(cursor, "null");
    default:
        return c == '-' || is_digit(c) ? check_number(cursor) : refuse(cursor, "a value is expected");
    }
}

struct json_place json_place(const char *text, size_t at)
{
    struct json_place place = {1, 1};
    for (size_t i = 0; i < at; i++) {
        bool new_line = text[i] == '\n';
        bool begins_character = (text[i] & 0xc0) != 0x80;
        place.line += new_line;
        place.column = new_line ? 1 : place.column + begins_character;
    }
    return place;
}

enum errc json_check(const char *text, size_t bytes, int depth_max, size_t values_max, size_t *member_count,
                     struct err *err)
{
    if (!text_is_utf8(text, bytes)) {
        return err_set(err, ERR_BAD_REQUEST, "the text is not valid UTF-8");
    }
    struct cursor cursor = {
        .start = text,
        .at = text,
        .end = text + bytes,
        .depth_left = depth_max,
        .values_left = values_max,
    };
    if (check_value(&cursor)) {
        skip_space(&cursor);
        if (cursor.at < cursor.end) {
            (void)refuse(&cursor, "the end is expected, after one value");
        }
    }
    if (cursor.wrong != NULL) {
        struct json_place place = json_place(text, (size_t)(cursor.at - cursor.start));
        return err_set(err, ERR_BAD_REQUEST, "not valid JSON at line %zu, column %zu: %s", place.line,
                       place.column, cursor.wrong);
    }
    *member_count = cursor.member_count;
    return OK;
}
