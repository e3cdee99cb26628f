// The exact form that charges a payment. It is stored before it is sent and resent unchanged, so every byte
// of it counts.
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "net/form.h"
#include "provider/stripe/body.h"

#define IDS                                                                                                  \
    "&metadata[payment_id]=018f0000-0000-7000-8000-000000000001"                                             \
    "&metadata[merchant_id]=018f0000-0000-7000-8000-000000000002"
#define METHOD "&payment_method=pm_card_visa&confirm=true&automatic_payment_methods[enabled]=true"
#define NO_REDIRECTS "&automatic_payment_methods[allow_redirects]=never"

struct fixture {
    struct arena arena;
    struct payment payment;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    f->payment = (struct payment){
        .amount_minor = 5000,
        .currency = currency_find("USD"),
        .provider = "stripe",
        .payment_method = "pm_card_visa",
        .idempotency_key = "order-123",
    };
    REQUIRE(uuid_parse("018f0000-0000-7000-8000-000000000001", &f->payment.id));
    REQUIRE(uuid_parse("018f0000-0000-7000-8000-000000000002", &f->payment.merchant_id));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    free(f);
    return 0;
}

static const char *body_of(struct fixture *f)
{
    const char *body = NULL;
    assert_int_equal(stripe_charge_body(&f->payment, NULL, NULL, false, &f->arena, &body, &f->err), OK);
    return body;
}

static void a_charge_is_written_as_stripe_takes_it(void **state)
{
    assert_string_equal(body_of(*state), "amount=5000&currency=usd" METHOD NO_REDIRECTS IDS);
}

static void a_charge_with_a_return_url_allows_redirects(void **state)
{
    struct fixture *f = *state;
    f->payment.return_url = "https://shop.example/done?order=1&x=y z";
    assert_string_equal(body_of(f),
                        "amount=5000&currency=usd" METHOD
                        "&return_url=https%3A%2F%2Fshop.example%2Fdone%3Forder%3D1%26x%3Dy%20z" IDS);
}

static void a_manual_capture_is_asked_for(void **state)
{
    struct fixture *f = *state;
    f->payment.capture_manual = true;
    assert_string_equal(body_of(f),
                        "amount=5000&currency=usd" METHOD NO_REDIRECTS "&capture_method=manual" IDS);
}

static void the_description_of_a_payment_is_passed_on(void **state)
{
    struct fixture *f = *state;
    f->payment.description = "Tea & scones 100%";
    f->payment.customer_email = "a+b@shop.example";
    assert_string_equal(body_of(f),
                        "amount=5000&currency=usd" METHOD NO_REDIRECTS
                        "&description=Tea%20%26%20scones%20100%25&receipt_email=a%2Bb%40shop.example" IDS);
}

static void metadata_of_any_characters_stays_one_field_a_pair(void **state)
{
    struct fixture *f = *state;
    f->payment.metadata_json =
        "{\"a b\":\"\",\"k&amount=1\":\"v&amount=1\",\"order\":\"=[1]\\\"\",\"\u00fc\":\"\u20ac+%41\"}";
    assert_string_equal(body_of(f), "amount=5000&currency=usd" METHOD NO_REDIRECTS IDS
                                    "&metadata[a%20b]=&metadata[k%26amount%3D1]=v%26amount%3D1"
                                    "&metadata[order]=%3D%5B1%5D%22&metadata[%C3%BC]=%E2%82%AC%2B%2541");
}

static void an_empty_metadata_adds_nothing(void **state)
{
    struct fixture *f = *state;
    f->payment.metadata_json = "{}";
    assert_string_equal(body_of(f), "amount=5000&currency=usd" METHOD NO_REDIRECTS IDS);
}

static void amounts_are_in_stripes_own_units(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *currency;
        const char *amount;
        const char *begins;
    } amounts[] = {
        {"USD", "29.99", "amount=2999&currency=usd&"},
        {"EUR", "0.01", "amount=1&currency=eur&"},
        {"JPY", "500", "amount=500&currency=jpy&"},
        {"JPY", "500.00", "amount=500&currency=jpy&"},
        {"ISK", "5", "amount=500&currency=isk&"},
        {"UGX", "5", "amount=500&currency=ugx&"},
        {"KWD", "1.500", "amount=1500&currency=kwd&"},
        {"KWD", "5.12", "amount=5120&currency=kwd&"},
        {"MGA", "100", "amount=100&currency=mga&"},
        {"HUF", "175", "amount=17500&currency=huf&"},
        {"USD", "9999999999.99", "amount=999999999999&currency=usd&"},
    };
    for (size_t i = 0; i < COUNT_OF(amounts); i++) {
        f->payment.currency = currency_find(amounts[i].currency);
        assert_int_equal(
            money_parse(amounts[i].amount, f->payment.currency, &f->payment.amount_minor, &f->err), OK);
        assert_memory_equal(body_of(f), amounts[i].begins, strlen(amounts[i].begins));
    }
}

static void the_same_payment_always_makes_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    f->payment.metadata_json = "{\"b\":\"2\",\"a\":\"1\"}";
    f->payment.description = "Tea";
    const char *first = body_of(f);
    assert_string_equal(body_of(f), first);
}

// What a request of 64 kB can hold at most of bytes that are three each once they are escaped.
static void the_largest_payment_has_room(void **state)
{
    struct fixture *f = *state;
    struct json_object *metadata JSON_CLEANUP = json_new_object();
    for (int i = 0; i < 40; i++) {
        char name[8];
        char value[1601] = "";
        (void)snprintf(name, sizeof(name), "%d", i);
        for (size_t at = 0; at + 4 < sizeof(value); at += 4) {
            memcpy(value + at, "\xf0\x9f\x98\x80", 5); // one character
        }
        json_add_str(metadata, name, value);
    }
    f->payment.metadata_json = json_text(&f->arena, metadata);
    assert_in_range(strlen(f->payment.metadata_json), 64000, 65536);
    struct form form;
    const char *body = body_of(f);
    assert_int_equal(form_parse(body, strlen(body), &f->arena, &form, &f->err), OK);
    assert_string_equal(form_get(&form, "metadata[39]"), json_get_str(metadata, "39"));
}

static void a_payment_beyond_every_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t bytes = 300 * 1024;
    char *text = arena_alloc(&f->arena, bytes + 1);
    memset(text, 'x', bytes);
    f->payment.description = text;
    const char *body = NULL;
    assert_int_equal(stripe_charge_body(&f->payment, NULL, NULL, false, &f->arena, &body, &f->err),
                     ERR_VALIDATION);
    assert_null(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define HASH_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void the_key_and_the_hash_of_the_request_go_with_it(void **state)
{
    struct fixture *f = *state;
    struct request_mark mark = {.key = "ref&1"};
    for (size_t i = 0; i < sizeof(mark.hash); i++) {
        mark.hash[i] = (uint8_t)i;
    }
    f->payment.request_hash = mark.hash;
    assert_string_equal(body_of(f), "amount=5000&currency=usd" METHOD NO_REDIRECTS IDS
                                    "&metadata[paymentsd_key]=order-123&metadata[paymentsd_hash]=" HASH_HEX);
    struct refund refund = {.amount_minor = 400, .currency = f->payment.currency, .mark = &mark};
    const char *body = stripe_refund_body(&refund, "pi_1", &f->arena);
    assert_non_null(strstr(body, "&metadata[paymentsd_key]=ref%261&metadata[paymentsd_hash]=" HASH_HEX));
    refund.mark = NULL;
    assert_null(strstr(stripe_refund_body(&refund, "pi_1", &f->arena), "paymentsd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_charge_is_written_as_stripe_takes_it),
        TEST(a_charge_with_a_return_url_allows_redirects),
        TEST(a_manual_capture_is_asked_for),
        TEST(the_description_of_a_payment_is_passed_on),
        TEST(metadata_of_any_characters_stays_one_field_a_pair),
        TEST(an_empty_metadata_adds_nothing),
        TEST(the_key_and_the_hash_of_the_request_go_with_it),
        TEST(amounts_are_in_stripes_own_units),
        TEST(the_same_payment_always_makes_the_same_bytes),
        TEST(the_largest_payment_has_room),
        TEST(a_payment_beyond_every_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
