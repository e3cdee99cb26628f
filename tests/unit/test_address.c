// The address policy: every special range at both ends and just outside, and addresses that are hidden
// inside others.
#include "unit_test.h"

#include <netinet/in.h>
#include <string.h>

#include "base/require.h"
#include "net/address.h"

static struct address parse(const char *text)
{
    struct address address;
    if (!address_parse(text, &address)) {
        fail_msg("%s does not parse", text);
    }
    return address;
}

static bool special(const char *text)
{
    struct address address = parse(text);
    return address_is_special(&address);
}

static void an_ipv6_subscriber_is_its_network_and_an_ipv4_one_its_address(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"2001:db8:1:2:a:b:c:d", "2001:db8:1:2::"},
                                           {"::1", "::"},
                                           {"203.0.113.7", "203.0.113.7"},
                                           {"::ffff:203.0.113.7", "203.0.113.7"}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct address address = parse(pairs[i][0]);
        struct address expected = parse(pairs[i][1]);
        struct address subscriber = address_subscriber(&address);
        assert_memory_equal(&subscriber, &expected, sizeof(expected));
    }
}

static void an_address_is_read_with_its_port_and_in_brackets(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"203.0.113.8", "203.0.113.8"},         {"203.0.113.8:51234", "203.0.113.8"},
        {"203.0.113.8:1", "203.0.113.8"},       {"2001:db8::1", "2001:db8::1"},
        {"2001:db8::1:443", "2001:db8::1:443"}, {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},   {"[::ffff:10.0.0.1]:80", "10.0.0.1"},
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        struct address expected = parse(same[i][1]);
        struct address address;
        if (!address_parse_with_port(same[i][0], &address) ||
            memcmp(&address, &expected, sizeof(address)) != 0) {
            fail_msg("%s", same[i][0]);
        }
    }
}

static void text_that_is_no_address_with_a_port_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "[",
        "[]",
        "[]:80",
        "[::1",
        "[::1]80",
        "[::1]:",
        "[::1]:x",
        "[::1]:123456",
        "[::1]:80 ",
        "::1]:80",
        "10.0.0.1:",
        "10.0.0.1:x",
        "10.0.0.1:80:80",
        "10.0.0.1:-1",
        "10.0.0.1 :80",
        "10.0.0:80",
        "unknown",
        "unknown:80",
        "example.com:80",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]:80",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct address address;
        if (address_parse_with_port(texts[i], &address)) {
            fail_msg("\"%s\" is taken for an address", texts[i]);
        }
    }
}

static void each_special_range_is_special_at_both_ends_and_not_beyond(void **state)
{
    (void)state;
    static const struct {
        const char *before; // NULL: the neighbour is special too
        const char *first;
        const char *last;
        const char *after;
    } ranges[] = {
        {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
        {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
        {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
        {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
        {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
        {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
        {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
        {"192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"},
        {"192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"},
        {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
        {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
        {"192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"},
        {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
        {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
        {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
        {"223.255.255.255", "224.0.0.0", "255.255.255.255", NULL},
        {NULL, "::", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "64:ff9b:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
        {"2000:ffff::", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
        {"2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
        {"2620:4f:7fff::", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
        {"3ffe:ffff::", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
        {NULL, "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        bool before = ranges[i].before && special(ranges[i].before);
        bool after = ranges[i].after && special(ranges[i].after);
        if (before || after || !special(ranges[i].first) || !special(ranges[i].last)) {
            fail_msg("the range %s to %s", ranges[i].first, ranges[i].last);
        }
    }
}

static void well_known_public_addresses_are_not_special(void **state)
{
    (void)state;
    static const char *const texts[] = {"1.1.1.1", "8.8.8.8", "3.18.12.63", "2606:4700:4700::1111",
                                        "2a00:1450:4001::200e"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_false(special(texts[i]));
    }
}

static void private_ipv6_addresses_are_special(void **state)
{
    (void)state;
    static const char *const texts[] = {"::1",     "fe80::1", "fec0::1", "fc00::1",
                                        "fdff::1", "ff02::1", "100::1",  "5f00::1"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(special(texts[i]));
    }
}

static void an_embedded_private_address_is_special(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "::ffff:10.0.0.1",   "::ffff:169.254.169.254", "64:ff9b::127.0.0.1",        "64:ff9b::a00:1",
        "2002:a00:1::",      "2002:c0a8:101::1",       "2001:0:808:808::f5ff:fffe", "::127.0.0.1",
        "::ffff:0:10.0.0.1",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (!special(texts[i])) {
            fail_msg("%s", texts[i]);
        }
    }
}

static void an_embedded_public_address_is_not_special(void **state)
{
    (void)state;
    assert_false(special("::ffff:8.8.8.8"));
    assert_false(special("64:ff9b::8.8.8.8"));
    assert_false(special("2002:808:808::1"));
}

static void an_ipv4_address_and_its_mapped_form_are_one(void **state)
{
    (void)state;
    struct address plain = parse("10.0.0.1");
    struct address mapped = parse("::ffff:10.0.0.1");
    assert_memory_equal(plain.bytes, mapped.bytes, sizeof(plain.bytes));
    char text[ADDRESS_TEXT_BYTES];
    address_format(&mapped, text);
    assert_string_equal(text, "10.0.0.1");
}

static void an_ipv6_address_is_written_in_its_short_form(void **state)
{
    (void)state;
    struct address address = parse("2001:0db8:0000:0000:0000:0000:0000:0001");
    char text[ADDRESS_TEXT_BYTES];
    address_format(&address, text);
    assert_string_equal(text, "2001:db8::1");
}

static void other_spellings_are_not_addresses(void **state)
{
    (void)state;
    static const char *const texts[] = {"",          "10.0.0", "10.0.0.1:80", "[::1]",
                                        "::1%eth0",  "0x7f.1", "localhost",   "256.0.0.1",
                                        " 10.0.0.1", "::g",    "1:2:3"};
    struct address address;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_false(address_parse(texts[i], &address));
    }
}

static void a_socket_address_is_read_by_its_family(void **state)
{
    (void)state;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct address address;
    struct address expected = parse("10.0.0.1");
    assert_true(address_from_sockaddr((const struct sockaddr *)&ipv4, &address));
    assert_memory_equal(address.bytes, expected.bytes, sizeof(expected.bytes));
    struct sockaddr unix_family = {.sa_family = AF_UNIX};
    assert_false(address_from_sockaddr(&unix_family, &address));
}

static void a_list_contains_the_addresses_inside_its_networks(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct network_list list;
    struct err err;
    assert_int_equal(
        network_list_parse(" 127.0.0.1, 10.0.0.0/8 ,,fd00::/9,::ffff:192.168.0.0/112", &arena, &list, &err),
        OK);
    assert_int_equal(list.count, 4);
    static const char *const inside[] = {"127.0.0.1", "10.9.8.7", "::ffff:10.0.0.1", "fd7f::1",
                                         "192.168.255.1"};
    static const char *const outside[] = {"127.0.0.2", "11.0.0.0", "fd80::1", "192.169.0.1", "::1"};
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        struct address address = parse(inside[i]);
        assert_true(network_list_has(&list, &address));
    }
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        struct address address = parse(outside[i]);
        assert_false(network_list_has(&list, &address));
    }
}

static void no_text_is_an_empty_list(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct network_list list = {.count = 9};
    assert_int_equal(network_list_parse(NULL, &arena, &list, NULL), OK);
    assert_int_equal(list.count, 0);
    list.count = 9;
    assert_int_equal(network_list_parse("", &arena, &list, NULL), OK);
    assert_int_equal(list.count, 0);
}

static void a_bad_item_is_named(void **state)
{
    (void)state;
    static const char *const items[] = {"10.0.0.0/33", "::/129",      "10.0.0.0/",
                                        "10.0.0.0/-1", "example.org", "10.0.0.0/8/8"};
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        const char *text = arena_printf(&arena, "127.0.0.1,%s", items[i]);
        struct network_list list = {.count = 7};
        struct err err;
        assert_int_equal(network_list_parse(text, &arena, &list, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, items[i]));
        assert_int_equal(list.count, 7);
    }
}

static void a_prefix_of_nothing_holds_everything(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct network_list list;
    struct address address = parse("8.8.8.8");
    assert_int_equal(network_list_parse("0.0.0.0/0", &arena, &list, NULL), OK);
    assert_true(network_list_has(&list, &address));
    address = parse("2606::1");
    assert_false(network_list_has(&list, &address));
    assert_int_equal(network_list_parse("::/0", &arena, &list, NULL), OK);
    assert_true(network_list_has(&list, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_with_its_port_and_in_brackets),
        cmocka_unit_test(text_that_is_no_address_with_a_port_is_refused),
        cmocka_unit_test(each_special_range_is_special_at_both_ends_and_not_beyond),
        cmocka_unit_test(well_known_public_addresses_are_not_special),
        cmocka_unit_test(private_ipv6_addresses_are_special),
        cmocka_unit_test(an_embedded_private_address_is_special),
        cmocka_unit_test(an_embedded_public_address_is_not_special),
        cmocka_unit_test(an_ipv4_address_and_its_mapped_form_are_one),
        cmocka_unit_test(an_ipv6_address_is_written_in_its_short_form),
        cmocka_unit_test(other_spellings_are_not_addresses),
        cmocka_unit_test(a_socket_address_is_read_by_its_family),
        cmocka_unit_test(a_list_contains_the_addresses_inside_its_networks),
        cmocka_unit_test(no_text_is_an_empty_list),
        cmocka_unit_test(a_bad_item_is_named),
        cmocka_unit_test(an_ipv6_subscriber_is_its_network_and_an_ipv4_one_its_address),
        cmocka_unit_test(a_prefix_of_nothing_holds_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
