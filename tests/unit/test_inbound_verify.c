// To whom an event belongs: the body only says which secrets are tried first, and nothing is believed before
// one has matched.
#include "engine_fixture.h"
#include "samples.h"

#include "base/text.h"
#include "op/state/inbound.h"
#include "store/credentials.h"
#include "store/merchants.h"
#include "store/sealed.h"

#define FIRST_SECRET "whsec_of_the_first_shop"
#define SECOND_SECRET "whsec_of_the_second_shop"
#define LIVE_SECRET "whsec_of_the_first_shop_live"

static const struct uuid first_shop = {.bytes = {0x01, [15] = 1}};
static const struct uuid second_shop = {.bytes = {0x01, [15] = 2}};

static void put_secret(struct fixture *f, const struct uuid *merchant_id, bool livemode, const char *secret)
{
    struct credential credential = {
        .id = {.bytes = {0x02, [14] = livemode, [15] = merchant_id->bytes[15]}},
        .merchant_id = *merchant_id,
        .provider = "stripe",
        .livemode = livemode,
        .is_active = true,
        .version_id = f->version_id,
        .created_us = START_US,
        .updated_us = START_US,
    };
    struct sealed sealed =
        seal(&f->keyring.master, &f->arena,
             sealed_context(&f->arena, SEALED_PROVIDER_WEBHOOK, &credential.id), secret, strlen(secret));
    credential.webhook_secret = sealed.data;
    credential.webhook_secret_bytes = sealed.bytes;
    assert_int_equal(credential_put(f->db, &credential, &f->err), OK);
}

static int setup(void **state)
{
    int rc = transaction_setup(state);
    struct fixture *f = *state;
    const struct merchant second = sample_merchant(&second_shop, START_US);
    assert_int_equal(merchant_insert(f->db, &second, &f->err), OK);
    put_secret(f, &first_shop, false, FIRST_SECRET);
    put_secret(f, &second_shop, false, SECOND_SECRET);
    return rc;
}

static const char *id_text(struct fixture *f, const struct uuid *id)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(id, text);
    return arena_strdup(&f->arena, text);
}

static struct uuid insert_payment(struct fixture *f, const struct uuid *merchant_id, const char *provider_ref)
{
    struct payment payment = sample_payment(merchant_id, &f->version_id, START_US);
    payment.provider_ref = provider_ref;
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    return payment.id;
}

struct delivery {
    const char *signed_with;
    const struct uuid *path; // NULL: names none
    bool livemode;
    const char *metadata; // members
    int spaces;           // that make it longer
};

struct verdict {
    enum errc rc;
    bool ours;
    struct uuid merchant_id;
};

static struct verdict verify(struct fixture *f, struct delivery delivery)
{
    struct inbound inbound = {.provider = provider_default(), .path_merchant_id = delivery.path};
    inbound.body = arena_printf(&f->arena,
                                "{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"livemode\":%s,"
                                "\"data\":{\"object\":{\"id\":\"pi_1\","
                                "\"metadata\":{%s}}}%*s}",
                                delivery.livemode ? "true" : "false",
                                delivery.metadata != NULL ? delivery.metadata : "", delivery.spaces, "");
    inbound.body_bytes = strlen(inbound.body);
    const struct crypto_part parts[] = {{"1700000000", 10}, {".", 1}, {inbound.body, inbound.body_bytes}};
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_hmac(delivery.signed_with, strlen(delivery.signed_with), parts, COUNT_OF(parts), mac);
    text_hex(mac, sizeof(mac), hex);
    const char *header = arena_printf(&f->arena, "t=1700000000,v1=%s", hex);
    assert_int_equal(
        inbound.provider->signature_parse(header, 1700000000, &f->arena, &inbound.signature, &f->err), OK);
    assert_int_equal(
        inbound.provider->event_parse(inbound.body, inbound.body_bytes, &f->arena, &inbound.event, &f->err),
        OK);
    struct tx tx = tx_for(f, "event", NULL);
    struct verdict verdict = {.rc = OK};
    enum inbound_verdict said = INBOUND_UNKNOWN;
    verdict.rc = inbound_verify(&tx, &inbound, &said, &f->err);
    if (verdict.rc == OK && said == INBOUND_UNKNOWN) {
        verdict.rc = inbound_search(&tx, &inbound, &said, &f->err);
    }
    verdict.ours = said == INBOUND_OURS;
    verdict.merchant_id = inbound.merchant_id;
    return verdict;
}

static void assert_ours(struct verdict verdict, const struct uuid *merchant_id)
{
    assert_int_equal(verdict.rc, OK);
    assert_true(verdict.ours);
    assert_true(uuid_equal(&verdict.merchant_id, merchant_id));
}

static void assert_genuine_but_not_ours(struct verdict verdict)
{
    assert_int_equal(verdict.rc, OK);
    assert_false(verdict.ours);
}

static void the_merchant_of_the_path_is_the_only_one_tried(void **state)
{
    struct fixture *f = *state;
    assert_ours(verify(f, (struct delivery){FIRST_SECRET, &first_shop, false, NULL}), &first_shop);
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, &second_shop, false, NULL}), &second_shop);
    assert_int_equal(verify(f, (struct delivery){FIRST_SECRET, &second_shop, false, NULL}).rc,
                     ERR_SIGNATURE_INVALID);
    const struct uuid nobody = {.bytes = {0x01, [15] = 9}};
    assert_int_equal(verify(f, (struct delivery){FIRST_SECRET, &nobody, false, NULL}).rc,
                     ERR_SIGNATURE_INVALID);
}

static void a_merchant_is_found_by_what_the_object_names(void **state)
{
    struct fixture *f = *state;
    struct uuid payment = insert_payment(f, &second_shop, NULL);
    const char *by_merchant = arena_printf(&f->arena, "\"merchant_id\":\"%s\"", id_text(f, &second_shop));
    const char *by_payment = arena_printf(&f->arena, "\"payment_id\":\"%s\"", id_text(f, &payment));
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, by_merchant}), &second_shop);
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, by_payment}), &second_shop);
    insert_payment(f, &second_shop, "pi_1");
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, NULL}), &second_shop);
}

static void an_intent_id_that_several_merchants_hold_is_tried_with_each(void **state)
{
    struct fixture *f = *state;
    insert_payment(f, &first_shop, "pi_1");
    insert_payment(f, &second_shop, "pi_1");
    assert_ours(verify(f, (struct delivery){FIRST_SECRET, NULL, false, NULL}), &first_shop);
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, NULL}), &second_shop);
}

// What a body claims chooses whose secret is tried first. Two shops with one account at Stripe each get every
// event, signed with a secret of their own.
static void a_body_that_names_another_merchant_belongs_to_its_signer(void **state)
{
    struct fixture *f = *state;
    const char *names_first = arena_printf(&f->arena, "\"merchant_id\":\"%s\"", id_text(f, &first_shop));
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, names_first}), &second_shop);
    insert_payment(f, &first_shop, "pi_1");
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, NULL}), &second_shop);
    assert_int_equal(verify(f, (struct delivery){"whsec_forged", NULL, false, names_first}).rc,
                     ERR_SIGNATURE_INVALID);
}

static void many_others_who_hold_the_same_intent_do_not_push_its_merchant_out(void **state)
{
    struct fixture *f = *state;
    for (uint8_t number = 10; number < 30; number++) {
        insert_payment(f, &(struct uuid){.bytes = {0x00, [15] = number}}, "pi_1");
    }
    insert_payment(f, &second_shop, "pi_1");
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, NULL}), &second_shop);
}

static void a_genuine_event_that_names_nothing_of_ours_belongs_to_its_signer(void **state)
{
    struct fixture *f = *state;
    assert_ours(verify(f, (struct delivery){FIRST_SECRET, NULL, false, NULL}), &first_shop);
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, "\"order\":\"7\""}), &second_shop);
    assert_int_equal(verify(f, (struct delivery){"whsec_forged", NULL, false, NULL}).rc,
                     ERR_SIGNATURE_INVALID);
}

// Another system of the merchant's may use our names in its own metadata.
static void an_id_that_is_not_ours_names_nobody(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"\"merchant_id\":\"018f0000-0000-7000-8000-00000000000f\"",
                                        "\"payment_id\":\"018f0000-0000-7000-8000-00000000000f\"",
                                        "\"merchant_id\":\"shop 7\""};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_ours(verify(f, (struct delivery){FIRST_SECRET, NULL, false, names[i]}), &first_shop);
    }
}

static void each_mode_has_its_own_secret(void **state)
{
    struct fixture *f = *state;
    put_secret(f, &first_shop, true, LIVE_SECRET);
    assert_ours(verify(f, (struct delivery){LIVE_SECRET, &first_shop, true, NULL}), &first_shop);
    assert_ours(verify(f, (struct delivery){FIRST_SECRET, &first_shop, false, NULL}), &first_shop);
    assert_genuine_but_not_ours(verify(f, (struct delivery){FIRST_SECRET, &first_shop, true, NULL}));
    assert_genuine_but_not_ours(verify(f, (struct delivery){LIVE_SECRET, &first_shop, false, NULL}));
}

static void one_secret_for_both_modes_serves_each(void **state)
{
    struct fixture *f = *state;
    put_secret(f, &first_shop, true, FIRST_SECRET);
    assert_ours(verify(f, (struct delivery){FIRST_SECRET, &first_shop, true, NULL}), &first_shop);
    assert_ours(verify(f, (struct delivery){FIRST_SECRET, &first_shop, false, NULL}), &first_shop);
}

static void a_secret_that_does_not_open_is_skipped(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "UPDATE credentials SET webhook_secret = x'00' WHERE merchant_id = (SELECT min(merchant_id) "
               "FROM credentials)");
    assert_int_equal(verify(f, (struct delivery){FIRST_SECRET, &first_shop, false, NULL}).rc,
                     ERR_SIGNATURE_INVALID);
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, NULL}), &second_shop);
}

static void a_body_of_any_size_is_tried_with_every_secret(void **state)
{
    struct fixture *f = *state;
    enum { LARGE = 1024 * 1024 - 200 };
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, NULL, false, NULL, LARGE}), &second_shop);
}

static void beyond_a_thousand_secrets_the_path_must_name_the_merchant(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO "
               "credentials"
               " (id, merchant_id, provider, livemode, is_active, version_id, webhook_secret, created_us, "
               "updated_us)"
               " SELECT CAST('!' || printf('%015d', i) AS BLOB), (SELECT min(id) FROM merchants), 'p' || i, "
               "0, 1, x'00',"
               " x'00', 0, 0 FROM n");
    struct verdict verdict = verify(f, (struct delivery){"whsec_of_one_beyond", NULL, false, NULL});
    assert_int_equal(verdict.rc, ERR_SIGNATURE_INVALID);
    assert_non_null(strstr(f->err.message, "in the path"));
    assert_ours(verify(f, (struct delivery){SECOND_SECRET, &second_shop, false, NULL}), &second_shop);
}

#define TWO_SHOPS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, transaction_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO_SHOPS_TEST(the_merchant_of_the_path_is_the_only_one_tried),
        TWO_SHOPS_TEST(a_merchant_is_found_by_what_the_object_names),
        TWO_SHOPS_TEST(an_intent_id_that_several_merchants_hold_is_tried_with_each),
        TWO_SHOPS_TEST(a_body_that_names_another_merchant_belongs_to_its_signer),
        TWO_SHOPS_TEST(many_others_who_hold_the_same_intent_do_not_push_its_merchant_out),
        TWO_SHOPS_TEST(a_genuine_event_that_names_nothing_of_ours_belongs_to_its_signer),
        TWO_SHOPS_TEST(an_id_that_is_not_ours_names_nobody),
        TWO_SHOPS_TEST(each_mode_has_its_own_secret),
        TWO_SHOPS_TEST(one_secret_for_both_modes_serves_each),
        TWO_SHOPS_TEST(a_secret_that_does_not_open_is_skipped),
        TWO_SHOPS_TEST(a_body_of_any_size_is_tried_with_every_secret),
        TWO_SHOPS_TEST(beyond_a_thousand_secrets_the_path_must_name_the_merchant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
