// Merchants and their provider credentials: modes apart, versions kept as long as an open operation needs
// them.
#include "scratch.h"

#include "store/credentials.h"
#include "store/merchants.h"
#include "store/store.h"

#define NOW_US (INT64_C(1700000000) * 1000000)

static struct uuid new_id(void)
{
    return uuid_new(&random_system, NOW_US);
}

static struct uuid new_merchant(struct db *db, const char *name, bool is_admin)
{
    struct err err = {0};
    const struct merchant merchant = {.id = new_id(),
                                      .name = name,
                                      .is_admin = is_admin,
                                      .is_active = true,
                                      .created_us = NOW_US,
                                      .updated_us = NOW_US};
    assert_int_equal(merchant_insert(db, &merchant, &err), OK);
    return merchant.id;
}

static struct credential new_credential(const struct uuid *merchant_id, bool livemode,
                                        const char *webhook_secret)
{
    return (struct credential){
        .id = new_id(),
        .merchant_id = *merchant_id,
        .provider = "stripe",
        .livemode = livemode,
        .is_active = true,
        .version_id = new_id(),
        .webhook_secret = (const uint8_t *)webhook_secret,
        .webhook_secret_bytes = webhook_secret ? strlen(webhook_secret) : 0,
        .created_us = NOW_US,
        .updated_us = NOW_US,
    };
}

static void put(struct db *db, const struct credential *credential)
{
    struct err err = {0};
    assert_int_equal(credential_put(db, credential, &err), OK);
    assert_int_equal(credential_version_insert(db, &credential->version_id, &credential->id,
                                               (const uint8_t *)"sealed", 6, NOW_US, &err),
                     OK);
}

static bool version_kept(struct db *db, const struct uuid *version_id)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const uint8_t *sealed = NULL;
    size_t bytes = 0;
    enum errc e = credential_version_get(db, version_id, &arena, &sealed, &bytes, NULL);
    assert_true(e == ERR_NOT_FOUND || (e == OK && bytes == 6 && memcmp(sealed, "sealed", 6) == 0));
    return e == OK;
}

static enum errc modes(struct db *db, void *context, struct err *err)
{
    (void)context;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct uuid merchant = new_merchant(db, "shop", false);
    struct credential test = new_credential(&merchant, false, "whsec test");
    put(db, &test);
    struct credential got;
    assert_int_equal(credential_get(db, &merchant, "stripe", true, &arena, &got, err), ERR_NOT_FOUND);
    struct credential live = new_credential(&merchant, true, NULL);
    put(db, &live);
    assert_int_equal(credential_get(db, &merchant, "stripe", false, &arena, &got, err), OK);
    assert_true(uuid_equal(&got.id, &test.id) && uuid_equal(&got.version_id, &test.version_id) &&
                !got.livemode);
    assert_true(got.is_active && got.created_us == NOW_US && got.webhook_secret_bytes == 10);
    assert_memory_equal(got.webhook_secret, "whsec test", 10);

    struct credential both[2];
    size_t count = 0;
    assert_int_equal(credential_list(db, &merchant, &arena, both, &count, err), OK);
    assert_true(count == 2 && both[0].livemode && !both[1].livemode && both[0].webhook_secret == NULL);
    return OK;
}

static enum errc replacing(struct db *db, void *context, struct err *err)
{
    (void)context;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct uuid merchant = new_merchant(db, "shop", false);
    struct credential first = new_credential(&merchant, true, "one");
    put(db, &first);
    assert_int_equal(credential_set_active(db, &first.id, false, NOW_US + 1, err), OK);
    struct credential got;
    assert_int_equal(credential_get(db, &merchant, "stripe", true, &arena, &got, err), OK);
    assert_true(!got.is_active && got.updated_us == NOW_US + 1);

    struct credential second = new_credential(&merchant, true, "two");
    second.updated_us = NOW_US + 2;
    assert_int_equal(credential_put(db, &second, err), OK);
    assert_int_equal(credential_get(db, &merchant, "stripe", true, &arena, &got, err), OK);
    assert_true(uuid_equal(&got.id, &first.id) && uuid_equal(&got.version_id, &second.version_id));
    assert_true(got.is_active && got.created_us == NOW_US && got.updated_us == NOW_US + 2);
    assert_memory_equal(got.webhook_secret, "two", 3);
    assert_int_equal(credential_set_active(db, &second.id, true, NOW_US, err), ERR_NOT_FOUND);
    return OK;
}

static void open_operation(struct db *db, const struct uuid *version_id)
{
    struct err err = {0};
    struct uuid subject = new_id();
    assert_int_equal(
        db_run(db, NULL, &err,
               "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id,"
               " attempts, unresolved, look_up, next_attempt_us, created_us)"
               " VALUES ($1, 'charge', $1, 1, $2, 1, 1, 0, 0, 0)",
               DB_ID(&subject), DB_ID(version_id)),
        OK);
}

static enum errc wiping(struct db *db, void *context, struct err *err)
{
    (void)context;
    struct uuid merchant = new_merchant(db, "shop", false);
    struct credential first = new_credential(&merchant, true, NULL);
    struct credential apart = new_credential(&merchant, false, NULL);
    put(db, &first);
    put(db, &apart);
    struct credential second = first;
    second.version_id = new_id();
    put(db, &second);
    struct credential third = first;
    third.version_id = new_id();
    put(db, &third);
    open_operation(db, &first.version_id);

    assert_int_equal(credential_versions_wipe(db, &first.id, err), OK);
    assert_true(version_kept(db, &first.version_id)); // an open operation may still be sent with it
    assert_false(version_kept(db, &second.version_id));
    assert_true(version_kept(db, &third.version_id));
    assert_true(version_kept(db, &apart.version_id));

    assert_int_equal(db_run(db, NULL, err, "DELETE FROM operations"), OK);
    assert_int_equal(credential_versions_wipe(db, &first.id, err), OK);
    assert_false(version_kept(db, &first.version_id));
    assert_true(version_kept(db, &third.version_id));
    struct uuid unknown = new_id();
    assert_false(version_kept(db, &unknown));
    return OK;
}

struct walk {
    size_t seen;
    size_t stop_at;
    char secrets[64];
};

static bool visit(const struct credential_webhook *webhook, void *context)
{
    struct walk *walk = context;
    walk->seen++;
    strncat(walk->secrets, (const char *)webhook->sealed, webhook->bytes);
    return walk->seen != walk->stop_at;
}

static enum errc webhooks(struct db *db, void *context, struct err *err)
{
    (void)context;
    struct uuid shop = new_merchant(db, "shop", false);
    struct uuid other = new_merchant(db, "other", false);
    struct credential rows[] = {new_credential(&shop, true, "a"), new_credential(&shop, false, "b"),
                                new_credential(&other, true, NULL), new_credential(&other, false, "c")};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(db, &rows[i]);
    }
    bool more = true;
    struct walk all = {0};
    assert_int_equal(credential_webhooks_each(db, NULL, 0, 3, visit, &all, &more, err), OK);
    assert_string_equal(all.secrets, "abc");
    assert_false(more);
    struct walk few = {0};
    assert_int_equal(credential_webhooks_each(db, NULL, 0, 2, visit, &few, &more, err), OK);
    assert_true(more && few.seen == 2);
    struct walk stopped = {.stop_at = 1};
    assert_int_equal(credential_webhooks_each(db, NULL, 0, 9, visit, &stopped, &more, err), OK);
    assert_true(!more && stopped.seen == 1);
    struct walk one = {0};
    assert_int_equal(credential_webhooks_each(db, &other, 0, 9, visit, &one, &more, err), OK);
    assert_string_equal(one.secrets, "c");
    return OK;
}

static enum errc merchants(struct db *db, void *context, struct err *err)
{
    (void)context;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct merchant list[2];
    size_t count = 9;
    bool more = true;
    assert_int_equal(merchant_list(db, false, &arena, list, 2, &count, &more, err), OK);
    assert_true(count == 0 && !more);
    struct uuid shop = new_merchant(db, "shop", false);
    (void)new_merchant(db, "root", true);
    struct uuid twin = new_merchant(db, "shop", false);
    assert_int_equal(merchant_list(db, false, &arena, list, 2, &count, &more, err), OK);
    assert_true(count == 2 && !more && uuid_equal(&list[0].id, &shop) && uuid_equal(&list[1].id, &twin));
    assert_int_equal(merchant_list(db, false, &arena, list, 1, &count, &more, err), OK);
    assert_true(count == 1 && more);
    assert_int_equal(merchant_find_named(db, "root", &arena, list, 2, &count, &more, err), OK);
    assert_true(count == 1 && list[0].is_admin && list[0].is_active);

    struct merchant changed = {.id = shop,
                               .webhook_url = "https://a.example/",
                               .webhook_secret = (const uint8_t *)"new",
                               .webhook_secret_bytes = 3,
                               .webhook_secret_old = (const uint8_t *)"old",
                               .webhook_secret_old_bytes = 3,
                               .webhook_secret_old_until_us = 5,
                               .webhook_stopped = true,
                               .updated_us = NOW_US + 9};
    assert_int_equal(merchant_update_webhook(db, &changed, err), OK);
    struct merchant got;
    assert_int_equal(merchant_get(db, &shop, &arena, &got, err), OK);
    assert_string_equal(got.name, "shop");
    assert_string_equal(got.webhook_url, "https://a.example/");
    assert_memory_equal(got.webhook_secret, "new", 3);
    assert_memory_equal(got.webhook_secret_old, "old", 3);
    assert_true(got.webhook_secret_old_until_us == 5 && got.webhook_stopped && got.updated_us == NOW_US + 9);
    changed.id = new_id();
    assert_int_equal(merchant_update_webhook(db, &changed, err), ERR_NOT_FOUND);
    assert_int_equal(merchant_get(db, &changed.id, &arena, &got, err), ERR_NOT_FOUND);
    return OK;
}

static void run(void **state, enum errc (*job)(struct db *db, void *context, struct err *err))
{
    const struct scratch *scratch = *state;
    struct err err = {0};
    assert_int_equal(store_run_once(scratch->database, job, NULL, &err), OK);
}

static void credentials_of_the_two_modes_are_apart(void **state)
{
    run(state, modes);
}

static void new_credentials_take_the_row_over_and_make_it_active_again(void **state)
{
    run(state, replacing);
}

static void a_version_is_wiped_when_it_is_neither_current_nor_needed(void **state)
{
    run(state, wiping);
}

static void webhook_secrets_are_walked_up_to_a_limit_or_for_one_merchant(void **state)
{
    run(state, webhooks);
}

static void merchants_are_listed_found_by_name_and_given_a_webhook(void **state)
{
    run(state, merchants);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(credentials_of_the_two_modes_are_apart, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(new_credentials_take_the_row_over_and_make_it_active_again,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_version_is_wiped_when_it_is_neither_current_nor_needed,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(webhook_secrets_are_walked_up_to_a_limit_or_for_one_merchant,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(merchants_are_listed_found_by_name_and_given_a_webhook, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
