// Functions on text that the layers share. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text_utf8.h"

bool text_equal(const char *a, const char *b); // NULL equals only NULL
bool text_equal_nocase(const char *a, const char *b);
bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);

// A copy in the arena, ASCII letters in lower or upper case.
char *text_lower(struct arena *arena, const char *text);
char *text_upper(struct arena *arena, const char *text);

// A copy in the arena without white space at both ends.
char *text_trim(struct arena *arena, const char *text);

// Decimal digits only ("0" to "9223372036854775807"); ERR_VALIDATION otherwise. No sign, no spaces.
enum errc text_to_i64(const char *text, int64_t *value, struct err *err) MUST_CHECK;

#define TEXT_I64_BYTES 21 // "-9223372036854775808" and a NUL
// Decimal digits, after a '-' if it is negative. Returns how many characters were written before the NUL.
size_t text_from_i64(int64_t value, char out[TEXT_I64_BYTES]);

// The value of a hex digit in either case, or -1.
int text_hex_value(char c);
// Lower-case hex. out holds 2 * bytes + 1.
void text_hex(const void *data, size_t bytes, char *out);
// Reads 2 * bytes lower-case hex digits, and nothing else; false otherwise.
bool text_hex_decode(const char *text, size_t chars, void *out, size_t bytes);

// Standard base64 with padding (RFC 4648 section 4), in the arena.
char *text_base64(struct arena *arena, const void *data, size_t bytes);

// Decodes standard base64 with padding into at most out_max bytes; ERR_VALIDATION when malformed or too long.
enum errc text_base64_decode(const char *text, void *out, size_t out_max, size_t *out_bytes,
                             struct err *err) MUST_CHECK;
