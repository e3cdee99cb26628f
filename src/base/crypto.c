// Hashes, MACs, random bytes and constant-time comparison. Sealing is in crypto_seal.c.
// OpenSSL's algorithms are fetched once a process: a fetch takes a lock and about a microsecond.
#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "base/require.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC_CTX *hmac_pattern; // HMAC-SHA256 without a key, to be duplicated
static pthread_key_t hmac_of_thread;

static void free_hmac(void *context)
{
    EVP_MAC_CTX_free(context);
}

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    REQUIRE(sha256 != NULL && mac != NULL);
    hmac_pattern = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); // the context keeps its own reference
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    REQUIRE(hmac_pattern != NULL && EVP_MAC_CTX_set_params(hmac_pattern, params) == 1);
    REQUIRE(pthread_key_create(&hmac_of_thread, free_hmac) == 0);
}

// Each thread keeps one context and keys it anew for each call: making one costs more than the HMAC.
static EVP_MAC_CTX *hmac_context(void)
{
    REQUIRE(pthread_once(&once, fetch) == 0);
    EVP_MAC_CTX *context = pthread_getspecific(hmac_of_thread);
    if (context == NULL) {
        context = EVP_MAC_CTX_dup(hmac_pattern);
        REQUIRE(context != NULL && pthread_setspecific(hmac_of_thread, context) == 0);
    }
    return context;
}

void crypto_hmac(const void *key, size_t key_bytes, const struct crypto_part *parts, size_t part_count,
                 uint8_t out[SHA256_BYTES])
{
    REQUIRE(key != NULL); // NULL would mean the key of the call before
    EVP_MAC_CTX *context = hmac_context();
    REQUIRE(EVP_MAC_init(context, key, key_bytes, NULL) == 1);
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].bytes > 0) {
            REQUIRE(EVP_MAC_update(context, parts[i].data, parts[i].bytes) == 1);
        }
    }
    size_t bytes = 0;
    REQUIRE(EVP_MAC_final(context, out, &bytes, SHA256_BYTES) == 1 && bytes == SHA256_BYTES);
}

void crypto_sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES])
{
    REQUIRE(pthread_once(&once, fetch) == 0);
    REQUIRE(EVP_Digest(data, bytes, out, NULL, sha256, NULL) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void crypto_random(void *out, size_t bytes)
{
    uint8_t *at = out;
    while (bytes > 0) {
        int chunk = bytes > 4096 ? 4096 : (int)bytes; // RAND_bytes counts in int
        REQUIRE(RAND_bytes(at, chunk) == 1);
        at += chunk;
        bytes -= (size_t)chunk;
    }
}

void crypto_wipe(void *data, size_t bytes)
{
    OPENSSL_cleanse(data, bytes);
}

uint32_t crypto_crc32(const void *data, size_t bytes)
{
    // The remainders of the 16 half-bytes by the reflected polynomial 0xedb88320; it is used on short texts
    // only.
    static const uint32_t remainders[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *at = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ remainders[crc & 15];
        crc = crc >> 4 ^ remainders[crc & 15];
    }
    return ~crc;
}
