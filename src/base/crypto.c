// Hashes, MACs, random bytes, constant-time comparison, and sealing. OpenSSL's algorithms are fetched once a
// process: a fetch takes a lock and about a microsecond. Any thread; each keeps what is costly to make anew.
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
#include <stdlib.h>
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
static pthread_key_t of_thread;

#define KEPT_KEY_BYTES_MAX 64
// RAND_bytes costs about a microsecond, however few bytes it makes.
#define RANDOM_BYTES 512

// A cipher with the key that it was given last, for the next call is nearly always with the same.
struct kept_cipher {
    EVP_CIPHER_CTX *context; // NULL: it has no key
    uint8_t key[SEAL_KEY_BYTES];
};

// What one thread keeps between calls.
struct kept {
    struct kept_cipher sealing;
    struct kept_cipher opening;
    EVP_MAC_CTX *hmac;
    uint8_t key[KEPT_KEY_BYTES_MAX]; // that `hmac` was given last, for the next call may be with the same
    size_t key_bytes;                // 0: none, or a longer one
    EVP_MD_CTX *sha256;
    uint8_t random[RANDOM_BYTES]; // the last random_bytes of it are unused; all others are wiped
    size_t random_bytes;
    unsigned forks; // when it was filled
};

// How often this process was forked from another: parent and child must not use the same random bytes.
static unsigned forks;

static void count_fork(void)
{
    forks++;
}

static void free_kept(void *of_ended)
{
    struct kept *kept = of_ended;
    EVP_CIPHER_CTX_free(kept->sealing.context); // wipes the key schedule
    EVP_CIPHER_CTX_free(kept->opening.context);
    EVP_MAC_CTX_free(kept->hmac);
    EVP_MD_CTX_free(kept->sha256);
    OPENSSL_cleanse(kept, sizeof(*kept));
    free(kept);
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
    REQUIRE(pthread_key_create(&of_thread, free_kept) == 0);
    REQUIRE(pthread_atfork(NULL, NULL, count_fork) == 0);
}

static struct kept *kept_by_thread(void)
{
    REQUIRE(pthread_once(&once, fetch) == 0);
    struct kept *kept = pthread_getspecific(of_thread);
    if (kept == NULL) {
        kept = calloc(1, sizeof(*kept));
        REQUIRE(kept != NULL && pthread_setspecific(of_thread, kept) == 0);
        kept->hmac = EVP_MAC_CTX_dup(hmac_pattern);
        kept->sha256 = EVP_MD_CTX_new();
        REQUIRE(kept->hmac != NULL && kept->sha256 != NULL);
    }
    return kept;
}

// Begins an HMAC. The thread's last key need not be hashed again.
static void hmac_begin(struct kept *kept, const void *key, size_t key_bytes)
{
    if (key_bytes > 0 && key_bytes == kept->key_bytes && CRYPTO_memcmp(key, kept->key, key_bytes) == 0) {
        REQUIRE(EVP_MAC_init(kept->hmac, NULL, 0, NULL) == 1);
        return;
    }
    REQUIRE(EVP_MAC_init(kept->hmac, key, key_bytes, NULL) == 1);
    OPENSSL_cleanse(kept->key, kept->key_bytes);
    kept->key_bytes = key_bytes <= KEPT_KEY_BYTES_MAX ? key_bytes : 0;
    memcpy(kept->key, key, kept->key_bytes);
}

void crypto_hmac(const void *key, size_t key_bytes, const struct crypto_part *parts, size_t part_count,
                 uint8_t out[SHA256_BYTES])
{
    REQUIRE(key != NULL); // to OpenSSL, NULL means the key of the call before
    struct kept *kept = kept_by_thread();
    hmac_begin(kept, key, key_bytes);
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].bytes > 0) {
            REQUIRE(EVP_MAC_update(kept->hmac, parts[i].data, parts[i].bytes) == 1);
        }
    }
    size_t bytes = 0;
    REQUIRE(EVP_MAC_final(kept->hmac, out, &bytes, SHA256_BYTES) == 1 && bytes == SHA256_BYTES);
}

void crypto_sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *context = kept_by_thread()->sha256;
    REQUIRE(EVP_DigestInit_ex2(context, sha256, NULL) == 1 && EVP_DigestUpdate(context, data, bytes) == 1 &&
            EVP_DigestFinal_ex(context, out, NULL) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void crypto_random(void *out, size_t bytes)
{
    struct kept *kept = kept_by_thread();
    if (kept->forks != forks) {
        kept->random_bytes = 0;
    }
    for (uint8_t *at = out; bytes > 0;) {
        if (kept->random_bytes == 0) {
            REQUIRE(RAND_bytes(kept->random, RANDOM_BYTES) == 1);
            kept->random_bytes = RANDOM_BYTES;
            kept->forks = forks;
        }
        size_t taken = bytes < kept->random_bytes ? bytes : kept->random_bytes;
        uint8_t *from = kept->random + RANDOM_BYTES - kept->random_bytes;
        memcpy(at, from, taken);
        OPENSSL_cleanse(from, taken);
        kept->random_bytes -= taken;
        at += taken;
        bytes -= taken;
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

void seal_key_set(struct seal_key *key, const uint8_t bytes[SEAL_KEY_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    crypto_sha256(bytes, SEAL_KEY_BYTES, digest);
    memcpy(key->bytes, bytes, sizeof key->bytes);
    memcpy(key->id, digest, sizeof key->id);
}

// Begins with a nonce. Expanding the key costs more than most values.
static EVP_CIPHER_CTX *cipher_begin(struct kept_cipher *kept, const struct seal_key *key,
                                    const uint8_t nonce[NONCE_BYTES], bool seals)
{
    bool has_key = kept->context != NULL && crypto_equal(kept->key, key->bytes, SEAL_KEY_BYTES);
    if (kept->context == NULL) {
        kept->context = EVP_CIPHER_CTX_new();
        REQUIRE(kept->context != NULL);
    }
    REQUIRE(EVP_CipherInit_ex2(kept->context, has_key ? NULL : aes_256_gcm, has_key ? NULL : key->bytes,
                               nonce, seals, NULL) == 1);
    if (!has_key) {
        memcpy(kept->key, key->bytes, SEAL_KEY_BYTES);
    }
    return kept->context;
}

struct sealed seal(const struct seal_key *key, struct arena *arena, const char *context, const void *plain,
                   size_t plain_bytes)
{
    REQUIRE(plain_bytes <= INT_MAX - SEAL_OVERHEAD_BYTES && strlen(context) <= INT_MAX);
    uint8_t *out = arena_alloc(arena, plain_bytes + SEAL_OVERHEAD_BYTES);
    out[0] = VERSION;
    memcpy(out + KEY_ID_AT, key->id, KEY_ID_BYTES);
    crypto_random(out + NONCE_AT, NONCE_BYTES);

    EVP_CIPHER_CTX *cipher = cipher_begin(&kept_by_thread()->sealing, key, out + NONCE_AT, true);
    int bytes = 0;
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

    EVP_CIPHER_CTX *cipher = cipher_begin(&kept_by_thread()->opening, key, in + NONCE_AT, false);
    int bytes = 0;
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
