// See secret.h. Pure; a secret belongs to one thread at a time.
#include "base/secret.h"

#include <string.h>

#include "base/require.h"

#define MASKED_BYTES_MIN 12
#define SHOWN_BYTES 4

void secret_set(struct secret *secret, const void *data, size_t bytes)
{
    REQUIRE(bytes <= SECRET_BYTES_MAX);
    secret_wipe(secret);
    if (bytes > 0) {
        memcpy(secret->data, data, bytes);
    }
    secret->len = bytes;
}

void secret_wipe(struct secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}

void secret_mask(const struct secret *secret, char out[9])
{
    memcpy(out, "****", 5);
    if (secret->len >= MASKED_BYTES_MIN) {
        memcpy(out + 4, secret->data + secret->len - SHOWN_BYTES, SHOWN_BYTES);
        out[8] = '\0';
    }
}
