// A recursive descent. The text is UTF-8, which json_reader.c has checked. Values are found by their index:
// the array moves when it grows.
#include "base/json_scan.h"

#include <string.h>

#include "base/json_names.h"
#include "base/text.h"

// What is reserved at first: Stripe's indented text has a value in some 30 bytes.
#define VALUES_FIRST 16
#define BYTES_OF_A_VALUE 32

static bool refuse(struct json_scan *scan, const char *wrong)
{
    scan->wrong = wrong;
    return false;
}

// The byte at the cursor; at the end NUL, which is part of no token.
static char peek(const struct json_scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct json_scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c) {
        return false;
    }
    scan->at++;
    return true;
}

static void skip_space(struct json_scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    scan->at = at;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_high_surrogate(uint32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(uint32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

// Reads the "uXXXX" at the cursor, without moving it. False where it is none.
static bool peek_unit(const struct json_scan *scan, uint32_t *unit)
{
    *unit = 0;
    if (scan->end - scan->at < 5 || *scan->at != 'u') {
        return false;
    }
    for (int i = 1; i <= 4; i++) {
        int digit = text_hex_value(scan->at[i]);
        if (digit < 0) {
            return false;
        }
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

static void write_utf8(struct json_scan *scan, uint32_t point)
{
    if (point < 0x80) {
        *scan->out++ = (char)point;
        return;
    }
    if (point < 0x800) {
        *scan->out++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *scan->out++ = (char)(0xe0 | point >> 12);
        } else {
            *scan->out++ = (char)(0xf0 | point >> 18);
            *scan->out++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *scan->out++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *scan->out++ = (char)(0x80 | (point & 0x3f));
}

// Half of a surrogate pair alone is no character: it becomes U+FFFD.
static bool read_unit(struct json_scan *scan)
{
    uint32_t point;
    if (!peek_unit(scan, &point)) {
        return refuse(scan, "an escape is expected after the backslash, such as \\n or \\u00e9");
    }
    if (point == 0) {
        return refuse(scan, "\\u0000 is not accepted");
    }
    scan->at += 5;
    if (is_high_surrogate(point) && peek(scan) == '\\') {
        uint32_t low;
        scan->at++;
        if (peek_unit(scan, &low) && is_low_surrogate(low)) {
            scan->at += 5;
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        } else {
            scan->at--;
        }
    }
    write_utf8(scan, is_high_surrogate(point) || is_low_surrogate(point) ? 0xfffd : point);
    return true;
}

static bool read_escape(struct json_scan *scan)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char c = peek(scan);
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    if (letter == NULL) {
        return read_unit(scan);
    }
    scan->at++;
    *scan->out++ = meanings[letter - letters];
    return true;
}

// Copies the bytes that stand for themselves.
static void copy_plain(struct json_scan *scan)
{
    static const bool is_special[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};
    const char *at = scan->at;
    while (at < scan->end && !is_special[(unsigned char)*at]) {
        at++;
    }
    size_t bytes = (size_t)(at - scan->at);
    memcpy(scan->out, scan->at, bytes);
    scan->out += bytes;
    scan->at = at;
}

// *text gets what the string says.
static bool read_string(struct json_scan *scan, const char **text)
{
    if (!take(scan, '"')) {
        return refuse(scan, "a name in double quotes is expected");
    }
    *text = scan->out;
    copy_plain(scan);
    while (take(scan, '\\')) {
        if (!read_escape(scan)) {
            return false;
        }
        copy_plain(scan);
    }
    if (!take(scan, '"')) {
        return refuse(scan, scan->at < scan->end ? "a control character in a string must be escaped"
                                                 : "a closing double quote is expected");
    }
    *scan->out++ = '\0';
    return true;
}

static bool check_digits(struct json_scan *scan)
{
    if (!is_digit(peek(scan))) {
        return refuse(scan, "a digit is expected");
    }
    while (is_digit(peek(scan))) {
        scan->at++;
    }
    return true;
}

static bool check_number(struct json_scan *scan)
{
    (void)take(scan, '-');
    if (take(scan, '0')) {
        if (is_digit(peek(scan))) {
            return refuse(scan, "a number must not begin with a zero");
        }
    } else if (!check_digits(scan)) {
        return false;
    }
    if (take(scan, '.') && !check_digits(scan)) {
        return false;
    }
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+')) {
            (void)take(scan, '-');
        }
        return check_digits(scan);
    }
    return true;
}

// Its index.
static size_t add_value(struct json_scan *scan, enum json_kind kind, const char *text)
{
    if (scan->count == scan->capacity) {
        size_t first = VALUES_FIRST + (size_t)(scan->end - scan->start) / BYTES_OF_A_VALUE;
        size_t capacity = scan->capacity == 0 ? first : 2 * scan->capacity;
        scan->values = arena_resize(scan->arena, scan->values, scan->capacity * sizeof(scan->values[0]),
                                    capacity * sizeof(scan->values[0]));
        scan->capacity = capacity;
    }
    scan->values[scan->count] = (struct json_value){.text = text, .extent = 1, .kind = kind};
    return scan->count++;
}

static bool read_value(struct json_scan *scan);

static bool read_member(struct json_scan *scan, struct json_names *names)
{
    const char *name = NULL;
    size_t name_at = (size_t)(scan->at - scan->start);
    if (!read_string(scan, &name)) {
        return false;
    }
    skip_space(scan);
    if (!take(scan, ':')) {
        return refuse(scan, "a colon is expected after the name");
    }
    json_names_add(names, name);
    size_t index = scan->count;
    if (!read_value(scan)) {
        return false;
    }
    scan->values[index].name = name;
    scan->values[index].name_at = (uint32_t)name_at;
    return true;
}

// The inside of an object or array, after its opening bracket. Space before it is skipped.
static bool read_list(struct json_scan *scan, char close, struct json_names *names, uint32_t *count)
{
    *count = 0;
    if (take(scan, close)) {
        return true;
    }
    bool more = true;
    while (more) {
        if (!(close == '}' ? read_member(scan, names) : read_value(scan))) {
            return false;
        }
        ++*count;
        skip_space(scan);
        more = take(scan, ',');
        skip_space(scan);
        if (more && peek(scan) == close) {
            return refuse(scan, close == '}' ? "a name in double quotes is expected after the comma"
                                             : "a value is expected after the comma");
        }
    }
    if (take(scan, close)) {
        return true;
    }
    return refuse(scan, close == '}' ? "a comma or } is expected" : "a comma or ] is expected");
}

static bool read_nested(struct json_scan *scan, enum json_kind kind)
{
    if (scan->depth_left == 0) {
        return refuse(scan, "it is nested too deep");
    }
    struct json_names names = {0};
    uint32_t count = 0;
    size_t index = add_value(scan, kind, NULL);
    scan->at++;
    skip_space(scan);
    scan->depth_left--;
    bool good = read_list(scan, kind == JSON_OBJECT ? '}' : ']', &names, &count);
    scan->depth_left++;
    scan->values[index].count = count;
    scan->values[index].extent = (uint32_t)(scan->count - index);
    if (good && names.shared) {
        size_t repeat_at = json_names_find_repeat(&scan->values[index]);
        scan->repeat_at = repeat_at < scan->repeat_at ? repeat_at : scan->repeat_at;
    }
    return good;
}

static bool read_text(struct json_scan *scan)
{
    const char *text = NULL;
    if (!read_string(scan, &text)) {
        return false;
    }
    (void)add_value(scan, JSON_STRING, text);
    return true;
}

// The text of a number as it was written.
static bool read_number(struct json_scan *scan)
{
    const char *start = scan->at;
    if (!check_number(scan)) {
        return false;
    }
    size_t bytes = (size_t)(scan->at - start);
    (void)add_value(scan, JSON_NUMBER, scan->out);
    memcpy(scan->out, start, bytes);
    scan->out[bytes] = '\0';
    scan->out += bytes + 1;
    return true;
}

static bool read_word(struct json_scan *scan, enum json_kind kind, const char *word)
{
    size_t bytes = strlen(word);
    if ((size_t)(scan->end - scan->at) < bytes || memcmp(scan->at, word, bytes) != 0) {
        return refuse(scan, "true, false or null is expected");
    }
    scan->at += bytes;
    (void)add_value(scan, kind, word);
    return true;
}

static bool read_value(struct json_scan *scan)
{
    skip_space(scan);
    if (scan->values_left == 0) {
        return refuse(scan, "it has too many values");
    }
    scan->values_left--;
    char c = peek(scan);
    switch (c) {
    case '{':
        return read_nested(scan, JSON_OBJECT);
    case '[':
        return read_nested(scan, JSON_ARRAY);
    case '"':
        return read_text(scan);
    case 't':
        return read_word(scan, JSON_BOOL, "true");
    case 'f':
        return read_word(scan, JSON_BOOL, "false");
    case 'n':
        return read_word(scan, JSON_NULL, "null");
    default:
        return c == '-' || is_digit(c) ? read_number(scan) : refuse(scan, "a value is expected");
    }
}

bool json_scan_value(struct json_scan *scan)
{
    if (!read_value(scan)) {
        return false;
    }
    skip_space(scan);
    return true;
}
