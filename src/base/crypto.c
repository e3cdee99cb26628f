// Hashes, MACs, random bytes, constant-time comparison, and sealing. OpenSSL's algorithms are fetched once a
// process: a fetch takes a lock and about a microsecond. Any thread.
//
// A sealed value is version | key id | nonce | ciphertext | tag. Its nonce is 96 random bits, which is good
// for 2^32 values under one key (NIST SP 800-38D, 8.3), far beyond any table here.
#include "base/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "base/require.h"

#define VERSION 1
#define KEY_ID_BYTES 8
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define KEY_ID_AT 1
#define NONCE_AT (KEY_ID_AT + KEY_ID_BYTES)
#define TEXT_AT (NONCE_AT + NONCE_BYTES)
_Static_assert(TEXT_AT + TAG_BYTES == SEAL_OVERHEAD_BYTES, "the header states the layout's size");

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_CIPHER *aes_256_gcm;
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
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    REQUIRE(sha256 != NULL && mac != NULL && aes_256_gcm != NULL);
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

void crypto_hmac(const void *key, size_t key_bytes, const struct crypto_part *parts, size_t part_count,
                 uint8_t out[SHA256_BYTES])
{
    REQUIRE(key != NULL); // to OpenSSL, NULL means the key of the call before
    REQUIRE(pthread_once(&once, fetch) == 0);
    // Each thread keeps one context and gives it a key at each call: to make one costs more than the HMAC.
    EVP_MAC_CTX *context = pthread_getspecific(hmac_of_thread);
    if (context == NULL) {
        context = EVP_MAC_CTX_dup(hmac_pattern);
        REQUIRE(context != NULL && pthread_setspecific(hmac_of_thread, context) == 0);
    }
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
    // The remainders of the 16 half-bytes by the reflected polynomial 0xedb88320. Only short texts come here.
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

static void free_cipher(EVP_CIPHER_CTX **context)
{
    EVP_CIPHER_CTX_free(*context); // wipes the key schedule
}

void seal_key_set(struct seal_key *key, const uint8_t bytes[SEAL_KEY_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    crypto_sha256(bytes, SEAL_KEY_BYTES, digest);
    memcpy(key->bytes, bytes, sizeof key->bytes);
    memcpy(key->id, digest, sizeof key->id);
}

struct sealed seal(const struct seal_key *key, struct arena *arena, const char *context, const void *plain,
                   size_t plain_bytes)
{
    REQUIRE(pthread_once(&once, fetch) == 0);
    REQUIRE(plain_bytes <= INT_MAX - SEAL_OVERHEAD_BYTES && strlen(context) <= INT_MAX);
    uint8_t *out = arena_alloc(arena, plain_bytes + SEAL_OVERHEAD_BYTES);
    out[0] = VERSION;
    memcpy(out + KEY_ID_AT, key->id, KEY_ID_BYTES);
    crypto_random(out + NONCE_AT, NONCE_BYTES);

    __attribute__((cleanup(free_cipher))) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int bytes = 0;
    REQUIRE(cipher != NULL &&
            EVP_EncryptInit_ex2(cipher, aes_256_gcm, key->bytes, out + NONCE_AT, NULL) == 1);
    REQUIRE(EVP_EncryptUpdate(cipher, NULL, &bytes, (const uint8_t *)context, (int)strlen(context)) == 1);
    if (plain_bytes > 0) {
        REQUIRE(EVP_EncryptUpdate(cipher, out + TEXT_AT, &bytes, plain, (int)plain_bytes) == 1);
        REQUIRE((size_t)bytes == plain_bytes);
    }
    REQUIRE(EVP_EncryptFinal_ex(cipher, out + TEXT_AT + plain_bytes, &bytes) == 1 && bytes == 0);
    REQUIRE(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + TEXT_AT + plain_bytes) == 1);
    return (struct sealed){.data = out, .bytes = plain_bytes + SEAL_OVERHEAD_BYTES};
}

static bool has_known_form(struct sealed sealed)
{
    return sealed.bytes >= SEAL_OVERHEAD_BYTES && sealed.bytes <= INT_MAX && sealed.data[0] == VERSION;
}

bool seal_is_of(const struct seal_key *key, struct sealed sealed)
{
    return has_known_form(sealed) && memcmp(sealed.data + KEY_ID_AT, key->id, KEY_ID_BYTES) == 0;
}

enum errc seal_open(const struct seal_key *key, struct arena *arena, const char *context,
                    struct sealed sealed, char **plain, size_t *plain_bytes, struct err *err)
{
    REQUIRE(pthread_once(&once, fetch) == 0);
    REQUIRE(strlen(context) <= INT_MAX);
    const uint8_t *in = sealed.data;
    if (!has_known_form(sealed)) {
        return err_set(err, ERR_CRYPTO, "the sealed value is damaged: it is not of a known form");
    }
    if (!seal_is_of(key, sealed)) {
        return err_set(err, ERR_CRYPTO, "the value was sealed with another master key");
    }
    size_t text_bytes = sealed.bytes - SEAL_OVERHEAD_BYTES;
    char *text = arena_alloc(arena, text_bytes + 1);
    uint8_t tag[TAG_BYTES]; // OpenSSL takes it through a pointer to non-const
    memcpy(tag, in + TEXT_AT + text_bytes, TAG_BYTES);

    __attribute__((cleanup(free_cipher))) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int bytes = 0;
    REQUIRE(cipher != NULL && EVP_DecryptInit_ex2(cipher, aes_256_gcm, key->bytes, in + NONCE_AT, NULL) == 1);
    REQUIRE(EVP_DecryptUpdate(cipher, NULL, &bytes, (const uint8_t *)context, (int)strlen(context)) == 1);
    if (text_bytes > 0) {
        REQUIRE(EVP_DecryptUpdate(cipher, (uint8_t *)text, &bytes, in + TEXT_AT, (int)text_bytes) == 1);
    }
    REQUIRE(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1);
    if (EVP_DecryptFinal_ex(cipher, (uint8_t *)text + text_bytes, &bytes) != 1) {
        crypto_wipe(text, text_bytes); // nobody may read what was not authenticated
        return err_set(err, ERR_CRYPTO, "the sealed value is damaged or belongs to another place");
    }
    *plain = text;
    *plain_bytes = text_bytes;
    return OK;
}
