// url_parse: the parts are plain ASCII within their limits. Joined, they parse to the same URL, so a client
// connects to exactly the address that was checked.
#include "net/url.h"

#include "base/text.h"
#include "fuzz.h"
#include "net/address.h"

static void check_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        REQUIRE(*text > ' ' && *text < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    FUZZ_CLEANUP char *text = fuzz_text(data, bytes);
    struct url url = {.port = 7};
    struct err err = {0};
    if (url_parse(text, &arena, &url, &err) != OK) {
        REQUIRE(err.code == ERR_VALIDATION && err.message[0] != '\0' && url.port == 7);
        return 0;
    }
    REQUIRE(strlen(text) <= 2048 && strchr(text, '#') == NULL);
    REQUIRE(text_equal(url.scheme, "http") || text_equal(url.scheme, "https"));
    REQUIRE(url.port > 0 && url.host[0] != '\0' && url.path_and_query[0] == '/');
    REQUIRE(strpbrk(url.host, "/@?#[]\\") == NULL && text_equal(url.host, text_lower(&arena, url.host)));
    check_plain(url.host);
    check_plain(url.path_and_query);
    struct address address;
    bool ipv6 = strchr(url.host, ':') != NULL;
    REQUIRE(!ipv6 || address_parse(url.host, &address));
    REQUIRE(!address_parse(url.host, &address) || url.host_is_address);

    const char *written = arena_printf(&arena, ipv6 ? "%s://[%s]:%u%s" : "%s://%s:%u%s", url.scheme, url.host,
                                       (unsigned)url.port, url.path_and_query);
    struct url again = {.port = 7};
    if (url_parse(written, &arena, &again, &err) != OK) {
        REQUIRE(strlen(written) > 2048); // the port and the slash were added
        return 0;
    }
    REQUIRE(text_equal(again.scheme, url.scheme) && text_equal(again.host, url.host) &&
            again.port == url.port);
    REQUIRE(text_equal(again.path_and_query, url.path_and_query));
    REQUIRE(again.host_is_address == url.host_is_address);
    return 0;
}
