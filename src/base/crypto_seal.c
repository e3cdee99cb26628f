// Sealed values: AES-256-GCM, laid out as version | key id | nonce | ciphertext | tag. Any thread.
// A nonce is 96 random bits: fine for 2^32 values under one key (NIST SP 800-38D, 8.3), far beyond any table
// here.
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/crypto.h"
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
static EVP_CIPHER *aes_256_gcm;

static void fetch(void)
{
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    REQUIRE(aes_256_gcm != NULL);
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
