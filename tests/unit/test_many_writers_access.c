// Two nodes at the same moment: merchants and API keys.
#include "many_writers.h"

#include "domain/scopes.h"
#include "op/state/access_change.h"

#define ENTRIES "SELECT count(*) FROM audit_log"

static struct access_change change_of(struct deed *deed, struct tx *tx)
{
    return (struct access_change){.db = tx->db,
                                  .arena = &deed->arena,
                                  .random = tx->random,
                                  .keyring = tx->keyring,
                                  .now_us = tx->now_us};
}

// --- names

static enum errc create_shop(struct deed *deed, struct tx *tx, struct err *err)
{
    const struct access_change change = change_of(deed, tx);
    struct merchant merchant = {0};
    return access_create_merchant(&change, "corner shop", false, &merchant, err);
}

static enum errc rename_to_shop(struct deed *deed, struct tx *tx, struct err *err)
{
    const struct access_change change = change_of(deed, tx);
    const struct merchant_update update = {.name = "corner shop"};
    struct merchant merchant = {0};
    bool changed = false;
    return access_update_merchant(&change, &deed->f->merchant_id, &update, &merchant, &changed, err);
}

static void assert_one_gets_the_name(struct fixture *f, struct deed *first, struct deed *second)
{
    assert_int_equal(at_once(f, first, second), ERR_EXISTS);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM merchants WHERE name = 'corner shop'"), 1);
    assert_int_equal(sql_number(f, ENTRIES), 1);
    deed_end(first);
    deed_end(second);
}

static void one_of_two_new_merchants_gets_the_name(void **state)
{
    struct deed first = {.run = create_shop};
    struct deed second = {.run = create_shop};
    assert_one_gets_the_name(*state, &first, &second);
}

static void a_new_merchant_does_not_get_a_name_that_another_is_given(void **state)
{
    struct deed first = {.run = rename_to_shop};
    struct deed second = {.run = create_shop};
    assert_one_gets_the_name(*state, &first, &second);
}

// --- changes

static enum errc deactivate(struct deed *deed, struct tx *tx, struct err *err)
{
    static const bool inactive = false;
    const struct access_change change = change_of(deed, tx);
    const struct merchant_update update = {.is_active = &inactive};
    struct merchant merchant = {0};
    bool changed = false;
    return access_update_merchant(&change, &deed->f->merchant_id, &update, &merchant, &changed, err);
}

static void a_merchant_is_deactivated_once_and_keeps_its_new_name(void **state)
{
    struct fixture *f = *state;
    struct deed renames = {.run = rename_to_shop};
    struct deed first = {.run = deactivate};
    struct deed second = {.run = deactivate};
    assert_int_equal(at_once(f, &renames, &first), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM merchants WHERE name = 'corner shop'"
                                   " AND is_active = 0"),
                     1);
    assert_int_equal(deed_alone(&second, f), OK);
    assert_int_equal(sql_number(f, ENTRIES), 2);
    deed_end(&renames);
    deed_end(&first);
    deed_end(&second);
}

static enum errc revoke_key(struct deed *deed, struct tx *tx, struct err *err)
{
    const struct access_change change = change_of(deed, tx);
    struct api_key key = *(const struct api_key *)deed->what;
    bool changed = false;
    return access_revoke_key(&change, &key, &changed, err);
}

static void a_key_is_revoked_once(void **state)
{
    struct fixture *f = *state;
    static const uint8_t hash[32] = {7};
    const struct api_key key = sample_key(&f->merchant_id, hash, START_US);
    transaction_begin(f);
    assert_int_equal(api_key_insert(f->db, &key, &f->err), OK);
    transaction_end(f);
    struct deed first = {.run = revoke_key, .what = &key};
    struct deed second = {.run = revoke_key, .what = &key};
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, ENTRIES), 1);
    deed_end(&first);
    deed_end(&second);
}

// --- a request that is sent twice

static struct deed create_key_deed(struct fixture *f)
{
    char id[UUID_TEXT_BYTES];
    char body[200];
    uuid_format(&f->merchant_id, id);
    (void)snprintf(body, sizeof(body),
                   "{\"merchant_id\":\"%s\",\"scopes\":[\"payments:read\"],\"livemode\":false}", id);
    struct caller *caller = caller_new(f, "once", NULL, body, admin_key_create_read);
    caller->request.principal.scopes = SCOPE_ALL;
    return (struct deed){.caller = caller, .work = admin_key_create_work};
}

static void a_request_that_two_nodes_get_makes_one_key(void **state)
{
    struct fixture *f = *state;
    struct deed first = create_key_deed(f);
    struct deed second = create_key_deed(f);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM api_keys"), 1);
    assert_true(second.caller->request.replayed);
    assert_non_null(strstr(first.caller->request.reply, "\"key\":\"sk_test_"));
    assert_non_null(strstr(second.caller->request.reply, "\"key\":null"));
    deed_end(&first);
    deed_end(&second);
}

int main(void)
{
    SKIP_WITHOUT_NODES();
    const struct CMUnitTest tests[] = {
        TEST(one_of_two_new_merchants_gets_the_name),
        TEST(a_new_merchant_does_not_get_a_name_that_another_is_given),
        TEST(a_merchant_is_deactivated_once_and_keeps_its_new_name),
        TEST(a_key_is_revoked_once),
        TEST(a_request_that_two_nodes_get_makes_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
