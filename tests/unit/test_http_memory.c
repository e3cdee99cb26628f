// The memory of bodies and answers: its bound, and the share of an address.
#include "unit_test.h"

#include <stdbool.h>

#include "net/http_memory.h"

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, &address));
    return address;
}

static void all_together_stay_within_the_bound(void **state)
{
    (void)state;
    struct http_memory *memory = http_memory_open(1000, 400);
    const struct address addresses[] = {address_of("192.0.2.1"), address_of("192.0.2.2"),
                                        address_of("192.0.2.3")};
    struct http_reservation uses[3] = {{0}};
    assert_true(http_memory_reserve(memory, &addresses[0], 400, &uses[0]));
    assert_true(http_memory_reserve(memory, &addresses[1], 400, &uses[1]));
    assert_false(http_memory_reserve(memory, &addresses[2], 201, &uses[2]));
    assert_true(http_memory_reserve(memory, &addresses[2], 100, &uses[2]));
    assert_true(http_memory_reserve(memory, &addresses[2], 200, &uses[2])); // it grows
    assert_false(http_memory_reserve(memory, &addresses[2], 201, &uses[2]));
    assert_int_equal(uses[2].bytes, 200);
    http_memory_release(memory, &uses[0]);
    assert_true(http_memory_reserve(memory, &addresses[2], 600, &uses[2]));
    http_memory_release(memory, &uses[1]);
    http_memory_release(memory, &uses[2]);
    http_memory_release(memory, &uses[2]); // nothing is left to give
    http_memory_free(memory);
}

static void an_address_has_its_share_and_a_subscriber_is_one(void **state)
{
    (void)state;
    struct http_memory *memory = http_memory_open(1000, 100);
    const struct address one = address_of("2001:db8::1");
    const struct address same = address_of("2001:db8::2");
    const struct address other = address_of("2001:db8:0:1::1");
    struct http_reservation uses[3] = {{0}};
    assert_true(http_memory_reserve(memory, &one, 60, &uses[0]));
    assert_false(http_memory_reserve(memory, &same, 41, &uses[1]));
    assert_true(http_memory_reserve(memory, &same, 40, &uses[1]));
    assert_true(http_memory_reserve(memory, &other, 100, &uses[2]));
    for (size_t i = 0; i < 3; i++) {
        http_memory_release(memory, &uses[i]);
    }
    http_memory_free(memory);
}

static void a_lone_request_may_be_larger_than_a_share(void **state)
{
    (void)state;
    struct http_memory *memory = http_memory_open(1000, 100);
    const struct address address = address_of("192.0.2.1");
    struct http_reservation large = {0};
    struct http_reservation small = {0};
    assert_true(http_memory_reserve(memory, &address, 500, &large));
    assert_true(http_memory_reserve(memory, &address, 600, &large));
    assert_false(http_memory_reserve(memory, &address, 1, &small));
    assert_false(http_memory_reserve(memory, &address, 1001, &large));
    http_memory_release(memory, &large);
    assert_true(http_memory_reserve(memory, &address, 1, &small));
    http_memory_release(memory, &small);
    http_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_together_stay_within_the_bound),
        cmocka_unit_test(an_address_has_its_share_and_a_subscriber_is_one),
        cmocka_unit_test(a_lone_request_may_be_larger_than_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
