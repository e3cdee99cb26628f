// See secret.h. Pure.
#include "base/secret.h"

#include <string.h>

#include "base/require.h"

#define MASKED_BYTES_MIN 12
#define SHOWN_BYTES 4

struct secret secret_of(const char *data, size_t bytes)
{
    REQUIRE(bytes <= SECRET_BYTES_MAX && data[bytes] == '\0');
    return (struct secret){.len = bytes, .data = data};
}

void secret_mask(const struct secret *secret, char out[9])
{
    memcpy(out, "****", 5);
    if (secret->len >= MASKED_BYTES_MIN) {
        memcpy(out + 4, secret->data + secret->len - SHOWN_BYTES, SHOWN_BYTES);
        out[8] = '\0';
    }
}
