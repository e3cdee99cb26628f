// A secret has its own type, which no log or JSON function takes. Its text is in an arena, which wipes it.
#pragma once

#include <stddef.h>

#define SECRET_BYTES_MAX 512

struct secret {
    size_t len;
    const char *data; // NUL-terminated, so that text secrets can be handed to C functions; NULL: none
};

// Copies nothing; bytes must be at most SECRET_BYTES_MAX, and a NUL follows them.
struct secret secret_of(const char *data, size_t bytes);

// "****" and the last 4 characters, for people; only "****" where the secret has fewer than 12. out holds 9.
void secret_mask(const struct secret *secret, char out[9]);
