// API keys: their text, and their rows.
#include "scratch.h"

#include "base/crypto.h"
#include "base/text.h"
#include "base/uuid.h"
#include "domain/api_key.h"
#include "store/api_keys.h"
#include "store/merchants.h"
#include "store/store.h"

#define NOW_US (INT64_C(1700000000) * 1000000)

// Hands out a fixed series of bytes.
struct series {
    struct random random;
    const uint8_t *bytes;
    size_t count;
    size_t at;
};

static void fill_series(struct random *self, void *out, unsigned bytes)
{
    struct series *series = (struct series *)self;
    for (unsigned i = 0; i < bytes; i++) {
        ((uint8_t *)out)[i] = series->bytes[series->at++ % series->count];
    }
}

static void a_key_has_its_mode_its_random_part_and_its_check_digits(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 9, 10, 35, 36, 61, 62, 247};
    struct series series = {.random = {fill_series}, .bytes = bytes, .count = sizeof bytes};
    char key[API_KEY_CHARS + 1];
    api_key_make(&series.random, false, key);
    assert_int_equal(strlen(key), API_KEY_CHARS);
    assert_memory_equal(key, "sk_test_09AZaz0z09AZaz0z09AZaz0z09AZaz0z", 40);
    uint32_t crc = crypto_crc32(key, 40);
    uint64_t value = 0;
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (int i = 40; i < API_KEY_CHARS; i++) {
        value = value * 62 + (uint64_t)(strchr(digits, key[i]) - digits);
    }
    assert_int_equal(value, crc);
    api_key_make(&series.random, true, key);
    assert_memory_equal(key, "sk_live_", 8);
}

static void bytes_that_would_favour_some_digits_are_thrown_away(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {248, 255, 1};
    struct series series = {.random = {fill_series}, .bytes = bytes, .count = sizeof bytes};
    char key[API_KEY_CHARS + 1];
    api_key_make(&series.random, true, key);
    assert_memory_equal(key, "sk_live_11111111111111111111111111111111", 40);
    assert_int_equal(series.at, 32 * 3);
}

static void made_keys_are_well_formed_and_differ(void **state)
{
    (void)state;
    char before[API_KEY_CHARS + 1] = "";
    for (int i = 0; i < 1000; i++) {
        char key[API_KEY_CHARS + 1];
        api_key_make(&random_system, i % 2 == 0, key);
        assert_true(api_key_well_formed(key));
        assert_string_not_equal(key, before);
        memcpy(before, key, sizeof key);
    }
}

static void any_one_wrong_character_shows(void **state)
{
    (void)state;
    char key[API_KEY_CHARS + 1];
    api_key_make(&random_system, true, key);
    for (size_t i = 0; i < API_KEY_CHARS; i++) {
        for (int c = 1; c < 256; c++) {
            char wrong[API_KEY_CHARS + 1];
            memcpy(wrong, key, sizeof wrong);
            wrong[i] = (char)c;
            assert_int_equal(api_key_well_formed(wrong), wrong[i] == key[i]);
        }
    }
}

static void texts_of_another_length_are_no_keys(void **state)
{
    (void)state;
    char key[API_KEY_CHARS + 2];
    api_key_make(&random_system, true, key);
    for (size_t i = 0; i < API_KEY_CHARS; i++) {
        char cut[API_KEY_CHARS + 1];
        memcpy(cut, key, i);
        cut[i] = '\0';
        assert_false(api_key_well_formed(cut));
    }
    key[API_KEY_CHARS] = '0';
    key[API_KEY_CHARS + 1] = '\0';
    assert_false(api_key_well_formed(key));
    assert_false(api_key_well_formed(NULL));
}

static void the_hash_is_an_hmac_under_the_pepper(void **state)
{
    (void)state;
    uint8_t pepper[32];
    memset(pepper, 0x0b, sizeof pepper);
    uint8_t hash[32];
    char hex[65];
    api_key_hash(pepper, "Hi There", hash);
    text_hex(hash, sizeof hash, hex);
    assert_string_equal(hex, "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7");
}

// The rows

struct rows_test {
    struct merchant merchant;
    struct merchant admin;
    struct api_key keys[3];
};

static struct api_key key_row(const struct uuid *merchant_id, uint8_t seed, const char *prefix)
{
    struct api_key key = {.id = uuid_new(&random_system, NOW_US + seed * 1000),
                          .merchant_id = *merchant_id,
                          .prefix = prefix,
                          .scopes = 5,
                          .livemode = true,
                          .created_us = NOW_US};
    memset(key.hash, seed, sizeof key.hash);
    return key;
}

static enum errc insert_rows(struct db *db, void *context, struct err *err)
{
    struct rows_test *test = context;
    test->merchant =
        (struct merchant){.id = uuid_new(&random_system, NOW_US), .name = "shop", .is_active = true};
    test->admin = (struct merchant){.id = uuid_new(&random_system, NOW_US), .name = "root", .is_admin = true};
    enum errc e = merchant_insert(db, &test->merchant, err);
    if (e == OK) {
        e = merchant_insert(db, &test->admin, err);
    }
    test->keys[0] = key_row(&test->merchant.id, 1, "sk_live_aaaa");
    test->keys[1] = key_row(&test->merchant.id, 2, "sk_live_aaaa");
    test->keys[1].name = "billing";
    test->keys[1].expires_us = NOW_US + 7;
    test->keys[2] = key_row(&test->admin.id, 3, "sk_live_bbbb");
    for (size_t i = 0; e == OK && i < 3; i++) {
        e = api_key_insert(db, &test->keys[i], err);
    }
    return e;
}

static enum errc check_find(struct db *db, void *context, struct err *err)
{
    struct rows_test *test = context;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct api_key key;
    struct api_key_owner owner;
    assert_int_equal(api_key_find(db, test->keys[1].hash, &arena, &key, &owner, err), OK);
    assert_true(uuid_equal(&key.id, &test->keys[1].id) && uuid_equal(&key.merchant_id, &test->merchant.id));
    assert_memory_equal(key.hash, test->keys[1].hash, sizeof key.hash);
    assert_string_equal(key.prefix, "sk_live_aaaa");
    assert_string_equal(key.name, "billing");
    assert_true(key.livemode && key.scopes == 5 && key.expires_us == NOW_US + 7 && key.revoked_us == 0);
    assert_true(owner.merchant_active && !owner.is_admin);

    assert_int_equal(api_key_find(db, test->keys[2].hash, &arena, &key, &owner, err), OK);
    assert_true(!owner.merchant_active && owner.is_admin);
    assert_null(key.name);
    uint8_t unknown[32] = {9};
    assert_int_equal(api_key_find(db, unknown, &arena, &key, &owner, err), ERR_NOT_FOUND);
    return OK;
}

static enum errc check_search(struct db *db, void *context, struct err *err)
{
    struct rows_test *test = context;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct api_key found[4];
    size_t count;
    assert_int_equal(api_key_search(db, "sk_live_aaaa", &arena, found, 4, &count, err), OK);
    assert_int_equal(count, 2);
    assert_true(uuid_equal(&found[0].id, &test->keys[1].id)); // newest first
    char id[UUID_TEXT_BYTES];
    uuid_format(&test->keys[2].id, id);
    assert_int_equal(api_key_search(db, id, &arena, found, 4, &count, err), OK);
    assert_true(count == 1 && uuid_equal(&found[0].id, &test->keys[2].id));
    assert_int_equal(api_key_search(db, "sk_live_", &arena, found, 4, &count, err), OK);
    assert_int_equal(count, 0);

    static const struct uuid nil;
    assert_int_equal(api_key_list(db, &nil, &arena, found, 2, &count, err), OK);
    assert_true(count == 2 && uuid_equal(&found[0].id, &test->keys[2].id));
    assert_int_equal(api_key_list(db, &test->merchant.id, &arena, found, 4, &count, err), OK);
    assert_int_equal(count, 2);
    return OK;
}

static enum errc check_revoke(struct db *db, void *context, struct err *err)
{
    struct rows_test *test = context;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct api_key key;
    struct api_key_owner owner;
    bool changed = false;
    assert_int_equal(api_key_revoke(db, &test->keys[0].id, NOW_US + 1, &changed, err), OK);
    assert_true(changed);
    assert_int_equal(api_key_revoke(db, &test->keys[0].id, NOW_US + 2, &changed, err), OK);
    assert_false(changed);
    assert_int_equal(api_key_find(db, test->keys[0].hash, &arena, &key, &owner, err), OK);
    assert_int_equal(key.revoked_us, NOW_US + 1);
    return OK;
}

static void run_on_rows(void **state, enum errc (*check)(struct db *db, void *context, struct err *err))
{
    const struct scratch *scratch = *state;
    struct rows_test test;
    struct err err = {0};
    assert_int_equal(store_run_once(scratch->database, insert_rows, &test, &err), OK);
    assert_int_equal(store_run_once(scratch->database, check, &test, &err), OK);
}

static void a_key_is_found_by_its_hash_with_what_its_owner_may(void **state)
{
    run_on_rows(state, check_find);
}

static void keys_are_searched_by_id_or_whole_prefix_and_listed_newest_first(void **state)
{
    run_on_rows(state, check_search);
}

static void a_key_is_revoked_once_and_keeps_the_time(void **state)
{
    run_on_rows(state, check_revoke);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_mode_its_random_part_and_its_check_digits),
        cmocka_unit_test(bytes_that_would_favour_some_digits_are_thrown_away),
        cmocka_unit_test(made_keys_are_well_formed_and_differ),
        cmocka_unit_test(any_one_wrong_character_shows),
        cmocka_unit_test(texts_of_another_length_are_no_keys),
        cmocka_unit_test(the_hash_is_an_hmac_under_the_pepper),
        cmocka_unit_test_setup_teardown(a_key_is_found_by_its_hash_with_what_its_owner_may, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(keys_are_searched_by_id_or_whole_prefix_and_listed_newest_first,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_key_is_revoked_once_and_keeps_the_time, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
