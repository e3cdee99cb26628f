// Bytes as text and back: hex, and base64 as RFC 4648 section 4 has it. Pure.
// Decoding takes only what encoding makes: no line breaks, no missing padding, no stray bits at the end.
#include <string.h>

#include "base/require.h"
#include "base/text.h"

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

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_hex_decode(const char *text, size_t chars, void *out, size_t bytes)
{
    uint8_t *to = out;
    if (chars != 2 * bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
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

// The value of a base64 character, or -1. Without a table: secrets are decoded here, and a table's cache
// lines tell.
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

// Decodes one group of four; gives the number of bytes in it (1 to 3), 0 when malformed.
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
            return err_set(err, ERR_VALIDATION, "not base64: malformed behind character %zu", at);
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
