// Cryptography against the vectors of its standards, and what a sealed value withstands.
#include "unit_test.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/secret.h"
#include "base/text.h"

static void assert_hex(const uint8_t digest[SHA256_BYTES], const char *hex)
{
    char out[2 * SHA256_BYTES + 1];
    text_hex(digest, SHA256_BYTES, out);
    assert_string_equal(out, hex);
}

// RFC 4231 sections 4.2 to 4.8; 4.6 states a truncated code, so the whole one begins with it.
static const struct {
    size_t key_bytes;
    const char *key; // NULL: key_byte, repeated
    size_t data_bytes;
    const char *data; // NULL: data_byte, repeated
    const char *hex;
    uint8_t key_byte;
    uint8_t data_byte;
} hmac_vectors[] = {
    {20, NULL, 8, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 0x0b, 0},
    {4, "Jefe", 28, "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 0, 0},
    {20, NULL, 50, NULL, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", 0xaa, 0xdd},
    {25,
     "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19",
     50, NULL, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b", 0, 0xcd},
    {20, NULL, 20, "Test With Truncation", "a3b6167473100ee06e0c796c2955552bfa6f7c0a6a8aef8b93f860aab0cd20c5",
     0x0c, 0},
    {131, NULL, 54, "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 0xaa, 0},
    {131, NULL, 152,
     "This is a test using a larger than block-size key and a larger than block-size data. "
     "The key needs to be hashed before being used by the HMAC algorithm.",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", 0xaa, 0},
};

static void assert_hmac_vectors(void)
{
    for (size_t i = 0; i < COUNT_OF(hmac_vectors); i++) {
        uint8_t key[160];
        uint8_t data[160];
        memset(key, hmac_vectors[i].key_byte, sizeof key);
        memset(data, hmac_vectors[i].data_byte, sizeof data);
        if (hmac_vectors[i].key != NULL) {
            memcpy(key, hmac_vectors[i].key, hmac_vectors[i].key_bytes);
        }
        if (hmac_vectors[i].data != NULL) {
            memcpy(data, hmac_vectors[i].data, hmac_vectors[i].data_bytes);
        }
        for (size_t cut = 0; cut <= hmac_vectors[i].data_bytes; cut++) {
            const struct crypto_part parts[] = {
                {data, cut},
                {NULL, 0},
                {data + cut, hmac_vectors[i].data_bytes - cut},
            };
            uint8_t out[SHA256_BYTES];
            crypto_hmac(key, hmac_vectors[i].key_bytes, parts, COUNT_OF(parts), out);
            assert_hex(out, hmac_vectors[i].hex);
        }
    }
}

static void hmac_agrees_with_its_rfc_however_the_data_is_cut(void **state)
{
    (void)state;
    assert_hmac_vectors();
}

static void *check_hmac(void *unused)
{
    for (int i = 0; i < 20; i++) {
        assert_hmac_vectors();
    }
    return unused;
}

static void threads_do_not_mix_their_keys(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, check_hmac, NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void an_empty_key_is_a_key_and_not_the_one_before(void **state)
{
    (void)state;
    uint8_t out[SHA256_BYTES];
    crypto_hmac("before", 6, NULL, 0, out);
    crypto_hmac("", 0, NULL, 0, out);
    assert_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

// FIPS 180-2, appendix B, and the empty message.
static void sha_256_agrees_with_its_standard(void **state)
{
    (void)state;
    uint8_t out[SHA256_BYTES];
    crypto_sha256("abc", 3, out);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256("", 0, out);
    assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, out);
    assert_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void crc_32_has_its_check_value(void **state)
{
    (void)state;
    assert_int_equal(crypto_crc32("123456789", 9), 0xCBF43926);
    assert_int_equal(crypto_crc32("", 0), 0);
    assert_int_equal(crypto_crc32("The quick brown fox jumps over the lazy dog", 43), 0x414FA339);
}

static void equality_sees_every_byte(void **state)
{
    (void)state;
    uint8_t a[40] = {0};
    uint8_t b[40] = {0};
    assert_true(crypto_equal(a, b, sizeof a));
    assert_true(crypto_equal(a, b, 0));
    for (size_t i = 0; i < sizeof b; i++) {
        b[i] = 0x80;
        assert_false(crypto_equal(a, b, sizeof a));
        assert_true(crypto_equal(a, b, i));
        b[i] = 0;
    }
}

static void random_bytes_fill_the_whole_and_do_not_repeat(void **state)
{
    (void)state;
    static uint8_t first[10000];
    static uint8_t second[10000];
    crypto_random(first, sizeof first);
    crypto_random(second, sizeof second);
    for (size_t at = 0; at + 16 <= sizeof first; at += 16) {
        static const uint8_t zeros[16];
        assert_memory_not_equal(first + at, zeros, 16);
        assert_memory_not_equal(first + at, second + at, 16);
    }
    crypto_wipe(first, sizeof first);
    assert_int_equal(first[0] | first[sizeof first - 1], 0);
}

#define DRAWS 500
#define DRAW_BYTES 13 // so that some of them straddle what is made at once

static void small_random_draws_do_not_repeat(void **state)
{
    (void)state;
    static uint8_t draws[DRAWS][DRAW_BYTES];
    for (size_t i = 0; i < DRAWS; i++) {
        crypto_random(draws[i], DRAW_BYTES);
        for (size_t before = 0; before < i; before++) {
            assert_memory_not_equal(draws[i], draws[before], DRAW_BYTES);
        }
    }
}

static void a_forked_child_draws_other_random_bytes(void **state)
{
    (void)state;
    uint8_t own[16];
    uint8_t of_child[16];
    int ends[2];
    crypto_random(own, sizeof own);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    crypto_random(own, sizeof own);
    if (child == 0) {
        _exit(write(ends[1], own, sizeof own) == sizeof own ? 0 : 1);
    }
    assert_int_equal(read(ends[0], of_child, sizeof of_child), sizeof of_child);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_memory_not_equal(own, of_child, sizeof own);
    close(ends[0]);
    close(ends[1]);
}

static struct seal_key key_of(uint8_t byte)
{
    uint8_t bytes[SEAL_KEY_BYTES];
    memset(bytes, byte, sizeof bytes);
    struct seal_key key;
    seal_key_set(&key, bytes);
    return key;
}

static enum errc try_open(const struct seal_key *key, const char *context, struct sealed sealed,
                          struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    char *plain = NULL;
    size_t plain_bytes = 99;
    enum errc code = seal_open(key, &arena, context, sealed, &plain, &plain_bytes, err);
    if (code != OK) {
        assert_null(plain);
        assert_int_equal(plain_bytes, 99);
    }
    return code;
}

static void a_sealed_value_opens_under_its_key_and_context(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct seal_key key = key_of(7);
    static const char secret[] = "sk_test_placeholder\0with a NUL";
    for (size_t bytes = 0; bytes <= sizeof secret; bytes++) {
        struct sealed sealed = seal(&key, &arena, "provider:1", secret, bytes);
        char *plain = NULL;
        size_t plain_bytes = 99;
        assert_int_equal(sealed.bytes, bytes + SEAL_OVERHEAD_BYTES);
        assert_int_equal(seal_open(&key, &arena, "provider:1", sealed, &plain, &plain_bytes, NULL), OK);
        assert_int_equal(plain_bytes, bytes);
        assert_memory_equal(plain, secret, bytes);
        assert_int_equal(plain[bytes], '\0');
    }
}

// The key of the call before is kept.
static void keys_may_be_used_in_turn(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct seal_key keys[] = {key_of(0), key_of(7), key_of(7), key_of(0)};
    struct sealed sealed[COUNT_OF(keys)];
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        sealed[i] = seal(&keys[i], &arena, "provider:1", "secret", 6);
    }
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_int_equal(try_open(&keys[i], "provider:1", sealed[i], NULL), OK);
        assert_int_equal(try_open(&keys[i], "provider:2", sealed[i], NULL), ERR_CRYPTO);
    }
}

static void another_key_or_context_does_not_open_it(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct seal_key key = key_of(7);
    struct seal_key other = key_of(8);
    struct err err = {0};
    struct sealed sealed = seal(&key, &arena, "provider:1", "secret", 6);
    assert_int_equal(try_open(&key, "provider:1", sealed, &err), OK);
    assert_int_equal(try_open(&key, "provider:2", sealed, &err), ERR_CRYPTO);
    assert_int_equal(try_open(&key, "", sealed, &err), ERR_CRYPTO);
    assert_int_equal(try_open(&other, "provider:1", sealed, &err), ERR_CRYPTO);
    assert_non_null(strstr(err.message, "another master key"));

    memcpy(other.id, key.id, sizeof other.id); // even where the ids were the same
    assert_int_equal(try_open(&other, "provider:1", sealed, &err), ERR_CRYPTO);
}

static void a_flipped_bit_anywhere_is_noticed(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct seal_key key = key_of(7);
    struct sealed sealed = seal(&key, &arena, "provider:1", "secret", 6);
    for (size_t at = 0; at < sealed.bytes; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *copy = arena_memdup(&arena, sealed.data, sealed.bytes);
            copy[at] ^= (uint8_t)(1 << bit);
            struct err err = {0};
            assert_int_equal(try_open(&key, "provider:1", (struct sealed){copy, sealed.bytes}, &err),
                             ERR_CRYPTO);
            assert_true(err.message[0] != '\0');
        }
    }
}

static void a_shortened_or_lengthened_value_does_not_open(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct seal_key key = key_of(7);
    struct sealed sealed = seal(&key, &arena, "c", "secret", 6);
    for (size_t bytes = 0; bytes < sealed.bytes; bytes++) {
        uint8_t *copy = arena_memdup(&arena, sealed.data, bytes);
        assert_int_equal(try_open(&key, "c", (struct sealed){copy, bytes}, NULL), ERR_CRYPTO);
    }
    uint8_t *longer = arena_alloc(&arena, sealed.bytes + 1);
    memcpy(longer, sealed.data, sealed.bytes);
    assert_int_equal(try_open(&key, "c", (struct sealed){longer, sealed.bytes + 1}, NULL), ERR_CRYPTO);
    assert_int_equal(try_open(&key, "c", (struct sealed){NULL, 0}, NULL), ERR_CRYPTO);
}

static void the_same_text_never_seals_the_same(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct seal_key key = key_of(7);
    struct sealed a = seal(&key, &arena, "c", "secret", 6);
    struct sealed b = seal(&key, &arena, "c", "secret", 6);
    assert_memory_not_equal(a.data + 9, b.data + 9, 12); // the nonces
    assert_memory_not_equal(a.data + 21, b.data + 21, 6);
}

static void a_secret_shows_its_last_four_characters_if_long_enough(void **state)
{
    (void)state;
    char out[9];
    struct secret secret = secret_of("whsec_123456", 12);
    secret_mask(&secret, out);
    assert_string_equal(out, "****3456");
    secret = secret_of("whsec_12345", 11);
    secret_mask(&secret, out);
    assert_string_equal(out, "****");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_agrees_with_its_rfc_however_the_data_is_cut),
        cmocka_unit_test(threads_do_not_mix_their_keys),
        cmocka_unit_test(an_empty_key_is_a_key_and_not_the_one_before),
        cmocka_unit_test(sha_256_agrees_with_its_standard),
        cmocka_unit_test(crc_32_has_its_check_value),
        cmocka_unit_test(equality_sees_every_byte),
        cmocka_unit_test(random_bytes_fill_the_whole_and_do_not_repeat),
        cmocka_unit_test(small_random_draws_do_not_repeat),
        cmocka_unit_test(a_forked_child_draws_other_random_bytes),
        cmocka_unit_test(a_sealed_value_opens_under_its_key_and_context),
        cmocka_unit_test(keys_may_be_used_in_turn),
        cmocka_unit_test(another_key_or_context_does_not_open_it),
        cmocka_unit_test(a_flipped_bit_anywhere_is_noticed),
        cmocka_unit_test(a_shortened_or_lengthened_value_does_not_open),
        cmocka_unit_test(the_same_text_never_seals_the_same),
        cmocka_unit_test(a_secret_shows_its_last_four_characters_if_long_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
