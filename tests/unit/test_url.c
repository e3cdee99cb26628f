// URLs: what is taken apart, what is refused, and that no spelling of an address passes for a name.
#include "unit_test.h"

#include <string.h>

#include "base/require.h"
#include "net/url.h"

static void a_url_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *scheme;
        const char *host;
        uint16_t port;
        const char *path_and_query;
        bool host_is_address;
    } cases[] = {
        {"https://Example.ORG", "https", "example.org", 443, "/", false},
        {"HTTP://example.org:8080/a/b?c=d&e=%20", "http", "example.org", 8080, "/a/b?c=d&e=%20", false},
        {"https://example.org?x", "https", "example.org", 443, "/?x", false},
        {"https://example.org/?", "https", "example.org", 443, "/?", false},
        {"https://xn--bcher-kva.example/", "https", "xn--bcher-kva.example", 443, "/", false},
        {"http://10.0.0.1/", "http", "10.0.0.1", 80, "/", true},
        {"http://[2001:DB8::1]:81/x", "http", "2001:db8::1", 81, "/x", true},
        {"http://0x7f.1/", "http", "127.0.0.1", 80, "/", true},
        {"http://2130706433/", "http", "127.0.0.1", 80, "/", true},
        {"http://0177.0.0.01/", "http", "127.0.0.1", 80, "/", true},
        {"http://127.1/", "http", "127.0.0.1", 80, "/", true},
        {"http://0/", "http", "0.0.0.0", 80, "/", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        struct url url;
        struct err err;
        if (url_parse(cases[i].text, &arena, &url, &err) != OK) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        assert_string_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_string_equal(url.path_and_query, cases[i].path_and_query);
        assert_int_equal(url.host_is_address, cases[i].host_is_address);
    }
}

static void text_that_is_no_plain_web_address_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "example.org",
        "//example.org/",
        "/path",
        "https://",
        "https:///path",
        "https:////example.org/",
        "https:/example.org/",
        "https:/example.org/://",
        "https:example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "javascript:alert(1)",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://:@example.org/",
        "https://example.org/#fragment",
        "https://example.org/#",
        "https://example.org/a b",
        " https://example.org/",
        "https://example.org/\r\nHost: other",
        "https://example.org/\x7f",
        "https://example.org\\@other/",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org:port/",
        "https://example.org:-1/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://exa%00mple.org/",
        "https://ex%61mple.org/",
        "http://%333/",
        "https://example.org/caf\xc3\xa9",
        "https://caf\xc3\xa9.example/",
        "https://example.org/\xff",
        "https://exam ple.org/",
        "https://example.org./",
        "https://localhost./",
        "http://127.0.0.1./",
        "http://127.0.0.1.:80/",
        "http://2130706433./",
        "http://./",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        struct url url = {.port = 7};
        struct err err = {0};
        if (url_parse(texts[i], &arena, &url, &err) != ERR_VALIDATION) {
            fail_msg("\"%s\" is taken, host %s", texts[i], url.host);
        }
        assert_true(strlen(err.message) > 0);
        assert_int_equal(url.port, 7);
    }
}

static void a_url_of_2048_bytes_is_the_longest(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    char text[2050];
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://example.org/", 20);
    struct url url;
    struct err err;
    text[2048] = '\0';
    assert_int_equal(url_parse(text, &arena, &url, &err), OK);
    text[2048] = 'a';
    text[2049] = '\0';
    assert_int_equal(url_parse(text, &arena, &url, &err), ERR_VALIDATION);
}

static void a_proxy_is_http_with_a_host_and_a_port(void **state)
{
    (void)state;
    static const char *const proxies[] = {"http://proxy:3128", "http://10.0.0.1:80", "http://[::1]:8080"};
    static const char *const others[] = {"https://proxy:3128",
                                         "http://proxy",
                                         "http://proxy:3128/",
                                         "http://proxy:3128/x",
                                         "http://proxy:080",
                                         "http://proxy:3128?a=:3128",
                                         "http://u:p@proxy:3128",
                                         "proxy:3128",
                                         "http://:3128",
                                         "socks5://proxy:1080",
                                         ""};
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct url url;
    struct err err;
    for (size_t i = 0; i < COUNT_OF(proxies); i++) {
        if (proxy_parse(proxies[i], &arena, &url, &err) != OK) {
            fail_msg("%s: %s", proxies[i], err.message);
        }
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (proxy_parse(others[i], &arena, &url, &err) != ERR_VALIDATION) {
            fail_msg("%s", others[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(text_that_is_no_plain_web_address_is_refused),
        cmocka_unit_test(a_url_of_2048_bytes_is_the_longest),
        cmocka_unit_test(a_proxy_is_http_with_a_host_and_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
