// A secret has its own type: it is wiped on release, and no log or JSON function takes it.
#pragma once

#include <stddef.h>

#define SECRET_BYTES_MAX 512

struct secret {
    size_t len;
    char data[SECRET_BYTES_MAX + 1]; // NUL-terminated, so that text secrets can be handed to C functions
};

#define SECRET_CLEANUP __attribute__((cleanup(secret_wipe)))

// Copies; bytes must be at most SECRET_BYTES_MAX.
void secret_set(struct secret *secret, const void *data, size_t bytes);
void secret_wipe(struct secret *secret);

// "****" and the last 4 characters, for people; only "****" where the secret has fewer than 12. out holds 9.
void secret_mask(const struct secret *secret, char out[9]);
