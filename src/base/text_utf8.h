// UTF-8 (RFC 3629). Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether text is well-formed UTF-8.
bool text_is_utf8(const char *text, size_t bytes);

// The character that text begins with: its length in bytes (1 to 4); 0 where it is malformed or cut.
size_t text_utf8_next(const char *text, size_t bytes, uint32_t *code_point);

// How much of well-formed text fits into bytes_max without cutting a character in half.
size_t text_cut(const char *text, size_t bytes, size_t bytes_max);
