// Comparing, changing and reading text; hex and base64 (RFC 4648 section 4). ASCII rules whatever the locale,
// because protocols are not translated. Decoding accepts only what encoding makes: no line breaks, no missing
// padding, no stray bits at the end. Pure; any thread.
#include "base/text.h"

#include <string.h>
#include <strings.h>

#include "base/require.h"

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
        if (*at >= 'a' && *at <= 'z') {
            *at = (char)(*at - ('a' - 'A'));
        }
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

void text_hex(const void *data, size_t bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * bytes] = '\0';
}

size_t text_from_i64(int64_t value, char out[TEXT_I64_BYTES])
{
    char digits[TEXT_I64_BYTES];
    size_t first = sizeof(digits);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        digits[--first] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        digits[--first] = '-';
    }
    size_t chars = sizeof(digits) - first;
    memcpy(out, digits + first, chars);
    out[chars] = '\0';
    return chars;
}

int text_hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_hex_decode(const char *text, size_t chars, void *out, size_t bytes)
{
    uint8_t *to = out;
    if (chars != 2 * bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        const char *pair = text + 2 * i;
        int high = text_hex_value(pair[0]);
        int low = text_hex_value(pair[1]);
        bool upper_case = (pair[0] >= 'A' && pair[0] <= 'F') || (pair[1] >= 'A' && pair[1] <= 'F');
        if (high < 0 || low < 0 || upper_case) {
            return false;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *text_base64(struct arena *arena, const void *data, size_t bytes)
{
    REQUIRE(bytes < SIZE_MAX / 8);
    const uint8_t *in = data;
    char *text = arena_alloc(arena, (bytes + 2) / 3 * 4 + 1);
    char *out = text;
    for (size_t at = 0; at < bytes; at += 3) {
        size_t left = bytes - at;
        uint32_t bits = (uint32_t)in[at] << 16;
        bits |= left > 1 ? (uint32_t)in[at + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)in[at + 2] : 0;
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    return text;
}

// The value of a base64 character, or -1. Without a table: the text may be a secret, and a table's cache
// lines would leak it.
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Decodes one group of four. Returns the number of bytes in it (1 to 3); 0 where it is malformed.
static size_t decode_group(const char *group, bool last, uint8_t out[3])
{
    size_t padding = 0;
    if (last && group[3] == '=') {
        padding = group[2] == '=' ? 2 : 1;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i >= 4 - padding ? 0 : base64_value(group[i]);
        if (value < 0) {
            return 0;
        }
        bits = bits << 6 | (uint32_t)value;
    }
    uint32_t unused = padding == 2 ? 0xffff : padding == 1 ? 0xff : 0;
    if ((bits & unused) != 0) {
        return 0;
    }
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return 3 - padding;
}

enum errc text_base64_decode(const char *text, void *out, size_t out_max, size_t *out_bytes, struct err *err)
{
    size_t bytes = strlen(text);
    if (bytes % 4 != 0) {
        return err_set(err, ERR_VALIDATION, "not base64: its length is not a multiple of 4");
    }
    size_t used = 0;
    for (size_t at = 0; at < bytes; at += 4) {
        uint8_t group[3];
        size_t count = decode_group(text + at, at + 4 == bytes, group);
        if (count == 0) {
            return err_set(err, ERR_VALIDATION, "not base64: malformed after character %zu", at);
        }
        if (count > out_max - used) {
            return err_set(err, ERR_VALIDATION, "the base64 text holds more than %zu bytes", out_max);
        }
        memcpy((uint8_t *)out + used, group, count);
        used += count;
    }
    *out_bytes = used;
    return OK;
}
