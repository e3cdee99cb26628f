// Comparing, changing and reading text. Pure; ASCII rules whatever the locale, for protocols are not
// translated. Hex and base64 are in text_code.c.
#include "base/text.h"

#include <string.h>
#include <strings.h>

bool text_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return strcmp(a, b) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

bool text_equal_nocase(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix)
{
    size_t text_bytes = strlen(text);
    size_t suffix_bytes = strlen(suffix);
    return suffix_bytes <= text_bytes && strcmp(text + text_bytes - suffix_bytes, suffix) == 0;
}

size_t text_utf8_next(const char *text, size_t bytes, uint32_t *code_point)
{
    // By length of sequence: the bits of the first byte that say so, and the least code point it may spell
    // (RFC 3629 refuses longer spellings than needed).
    static const struct {
        uint8_t mask;
        uint8_t lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    if (bytes == 0) {
        return 0;
    }
    const uint8_t *at = (const uint8_t *)text;
    for (size_t extra = 0; extra < 4; extra++) {
        if ((at[0] & forms[extra].mask) != forms[extra].lead) {
            continue;
        }
        if (bytes <= extra) {
            return 0;
        }
        uint32_t value = at[0] & (uint8_t)~forms[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return 0;
            }
            value = value << 6 | (at[i] & 0x3f);
        }
        if (value < forms[extra].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
            return 0;
        }
        *code_point = value;
        return extra + 1;
    }
    return 0;
}

bool text_is_utf8(const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        uint64_t eight;
        if (bytes - at >= sizeof eight) { // most text is ASCII: eight bytes at a time
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        uint32_t code_point;
        size_t length = text_utf8_next(text + at, bytes - at, &code_point);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t text_cut(const char *text, size_t bytes, size_t bytes_max)
{
    size_t cut = bytes < bytes_max ? bytes : bytes_max;
    // Looks at the last sequence begun, at most three bytes back.
    for (size_t back = 1; back <= 3 && back <= cut; back++) {
        uint8_t byte = (uint8_t)text[cut - back];
        if ((byte & 0xc0) == 0x80) {
            continue;
        }
        size_t wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return wanted > back ? cut - back : cut;
    }
    return cut;
}

char *text_lower(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        *at = lower(*at);
    }
    return copy;
}

char *text_upper(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        *at = upper(*at);
    }
    return copy;
}

char *text_trim(struct arena *arena, const char *text)
{
    static const char white[] = " \t\r\n\v\f";
    text += strspn(text, white);
    size_t bytes = strlen(text);
    while (bytes > 0 && strchr(white, text[bytes - 1]) != NULL) {
        bytes--;
    }
    return arena_strndup(arena, text, bytes);
}

enum errc text_to_i64(const char *text, int64_t *value, struct err *err)
{
    if (text == NULL || *text == '\0') {
        return err_set(err, ERR_VALIDATION, "a whole number is needed, in decimal digits");
    }
    int64_t sum = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            return err_set(err, ERR_VALIDATION, "a whole number is needed, in decimal digits");
        }
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *at - '0', &sum)) {
            return err_set(err, ERR_VALIDATION, "the number is larger than 9223372036854775807");
        }
    }
    *value = sum;
    return OK;
}
