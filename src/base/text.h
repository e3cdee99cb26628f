// Small helpers on text that the layers share. Everything here is pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

bool text_equal(const char *a, const char *b); // NULL equals only NULL
bool text_equal_nocase(const char *a, const char *b);
bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);

// Whether text is well-formed UTF-8 (RFC 3629).
bool text_is_utf8(const char *text, size_t bytes);

// The UTF-8 character that text begins with: its length in bytes (1 to 4); 0 where it is malformed or cut.
size_t text_utf8_next(const char *text, size_t bytes, uint32_t *code_point);

// How much of well-formed text fits into bytes_max without cutting a character in half.
size_t text_cut(const char *text, size_t bytes, size_t bytes_max);

// A copy in the arena, ASCII letters in lower or upper case.
char *text_lower(struct arena *arena, const char *text);
char *text_upper(struct arena *arena, const char *text);

// A copy in the arena without white space at both ends.
char *text_trim(struct arena *arena, const char *text);

// Decimal digits only ("0" to "9223372036854775807"); ERR_VALIDATION otherwise. No sign, no spaces.
enum errc text_to_i64(const char *text, int64_t *value, struct err *err) MUST_CHECK;

// Lower-case hex. out holds 2 * bytes + 1.
void text_hex(const void *data, size_t bytes, char *out);
// Reads 2 * bytes lower-case hex digits, and nothing else; false otherwise.
bool text_hex_decode(const char *text, size_t chars, void *out, size_t bytes);

// Standard base64 with padding (RFC 4648 section 4), in the arena.
char *text_base64(struct arena *arena, const void *data, size_t bytes);

// Decodes standard base64 with padding into at most out_max bytes; ERR_VALIDATION when malformed or too long.
enum errc text_base64_decode(const char *text, void *out, size_t out_max, size_t *out_bytes,
                             struct err *err) MUST_CHECK;
