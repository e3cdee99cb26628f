// Every cryptographic primitive that the service uses. All but the CRC are OpenSSL's; its failure aborts. Any
// thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define SHA256_BYTES 32
#define SEAL_KEY_BYTES 32
#define SEAL_OVERHEAD_BYTES (1 + 8 + 12 + 16) // version, key id, nonce, tag

// HMAC-SHA256 (RFC 2104) of the given parts in order, as if joined.
struct crypto_part {
    const void *data;
    size_t bytes;
};
void crypto_hmac(const void *key, size_t key_bytes, const struct crypto_part *parts, size_t part_count,
                 uint8_t out[SHA256_BYTES]);

void crypto_sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES]);

// Takes the same time wherever the bytes differ.
bool crypto_equal(const void *a, const void *b, size_t bytes);

// Each thread makes them in blocks, and wipes what it hands out. A forked child has other bytes than its
// parent.
void crypto_random(void *out, size_t bytes);
void crypto_wipe(void *data, size_t bytes);

// CRC-32 (IEEE 802.3, reflected, as zlib's).
uint32_t crypto_crc32(const void *data, size_t bytes);

// A key that seals: 32 bytes, and the id stored with every ciphertext (first 8 bytes of the key's SHA-256).
struct seal_key {
    uint8_t bytes[SEAL_KEY_BYTES];
    uint8_t id[8];
};
void seal_key_set(struct seal_key *key, const uint8_t bytes[SEAL_KEY_BYTES]);

// AES-256-GCM with a random nonce. The result is SEAL_OVERHEAD_BYTES longer than the plain text, in the
// arena. `context` is associated data: the value opens only with the same text, so a ciphertext that was
// moved to another row or column does not open.
struct sealed {
    const uint8_t *data;
    size_t bytes;
};
struct sealed seal(const struct seal_key *key, struct arena *arena, const char *context, const void *plain,
                   size_t plain_bytes);

bool seal_is_of(const struct seal_key *key, struct sealed sealed); // whether it was sealed with this key

// Opens into the arena, with a NUL at the end. ERR_CRYPTO: another key (says so), another context, or
// damaged.
enum errc seal_open(const struct seal_key *key, struct arena *arena, const char *context,
                    struct sealed sealed, char **plain, size_t *plain_bytes, struct err *err) MUST_CHECK;
