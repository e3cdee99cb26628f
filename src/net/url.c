// See url.h. The HTTP client hands the same text to the same parser, so nothing can be read in two ways.
// Pure; any thread.
#include "net/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/address.h"

#define URL_BYTES_MAX 2048

static void handle_cleanup(CURLU **handle)
{
    curl_url_cleanup(*handle);
}

// A copy of a part in the arena; NULL where the URL does not have it, or where it is a malformed
// international name.
static char *part(CURLU *handle, CURLUPart what, unsigned flags, struct arena *arena)
{
    char *text = NULL;
    if (curl_url_get(handle, what, &text, flags) != CURLUE_OK) {
        return NULL;
    }
    char *copy = arena_strdup(arena, text);
    curl_free(text);
    return copy;
}

// International names must come in their ASCII form (xn--...): curl 7.88 leaks each that it cannot convert.
static bool has_plain_characters(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '\\') {
            return false;
        }
    }
    return true;
}

static void host_take(struct url *url, char *host, struct arena *arena)
{
    size_t length = strlen(host);
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        host++;
    }
    url->host = text_lower(arena, host);
    // curl rewrites the numeric spellings it knows to dotted form; inet_aton knows what the C library's
    // resolver would take.
    struct address address;
    struct in_addr ipv4;
    url->host_is_address = address_parse(url->host, &address) || inet_aton(url->host, &ipv4) != 0;
}

enum errc url_parse(const char *text, struct arena *arena, struct url *url, struct err *err)
{
    if (strnlen(text, URL_BYTES_MAX + 1) > URL_BYTES_MAX) {
        return err_set(err, ERR_VALIDATION, "a URL is at most %d bytes long", URL_BYTES_MAX);
    }
    if (!has_plain_characters(text)) {
        return err_set(err, ERR_VALIDATION,
                       "a URL holds only ASCII, no spaces, backslashes or control characters");
    }
    __attribute__((cleanup(handle_cleanup))) CURLU *handle = curl_url();
    REQUIRE(handle != NULL);
    CURLUcode code =
        curl_url_set(handle, CURLUPART_URL, text, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_USER_NOT_ALLOWED) {
        return err_set(err, ERR_VALIDATION, "a URL may not hold a user name or password");
    }
    if (code != CURLUE_OK) {
        return err_set(err, ERR_VALIDATION, "not an absolute URL: %s", curl_url_strerror(code));
    }
    struct url parsed = {.scheme = part(handle, CURLUPART_SCHEME, 0, arena)};
    if (!parsed.scheme || (!text_equal(parsed.scheme, "http") && !text_equal(parsed.scheme, "https"))) {
        return err_set(err, ERR_VALIDATION, "the URL's scheme is neither http nor https");
    }
    const char *slashes = text + strlen(parsed.scheme); // curl also takes one slash, or three
    if (!text_starts_with(slashes, "://") || slashes[3] == '/') {
        return err_set(err, ERR_VALIDATION, "a URL begins with http:// or https:// and a host");
    }
    const char *authority = slashes + 3;
    if (strchr(text, '#')) {
        return err_set(err, ERR_VALIDATION, "a URL may not hold a fragment");
    }
    // curl decodes escapes after it has looked for addresses: %333 would pass as a name and lead to 0.0.0.33.
    if (memchr(authority, '%', strcspn(authority, "/?"))) {
        return err_set(err, ERR_VALIDATION, "a URL's host may hold neither escapes nor an IPv6 zone");
    }
    char *host = part(handle, CURLUPART_HOST, 0, arena);
    if (!host || *host == '\0') {
        return err_set(err, ERR_VALIDATION, "the URL's host is not a valid name");
    }
    if (host[strlen(host) - 1] == '.') { // 127.0.0.1. is an address to some and a name to others
        return err_set(err, ERR_VALIDATION, "a URL's host may not end with a dot");
    }
    host_take(&parsed, host, arena);
    int64_t port = 0;
    const char *port_text = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, arena);
    if (!port_text || text_to_i64(port_text, &port, NULL) != OK || port < 1 || port > UINT16_MAX) {
        return err_set(err, ERR_VALIDATION, "the URL's port is not between 1 and 65535");
    }
    parsed.port = (uint16_t)port;
    const char *path = part(handle, CURLUPART_PATH, 0, arena);
    const char *query = part(handle, CURLUPART_QUERY, 0, arena);
    const char *mark = strchr(text, '?') ? "?" : ""; // newer versions of curl do not report an empty query
    parsed.path_and_query = arena_printf(arena, "%s%s%s", path ? path : "/", mark, query ? query : "");
    *url = parsed;
    return OK;
}

enum errc proxy_parse(const char *text, struct arena *arena, struct url *url, struct err *err)
{
    struct url parsed = {0};
    enum errc rc = url_parse(text, arena, &parsed, err);
    if (rc != OK) {
        return rc;
    }
    size_t length = strlen(text);
    const char *port = arena_printf(arena, ":%u", parsed.port);
    bool bare = text[length - 1] != '/' && text_ends_with(text, port);
    if (!text_equal(parsed.scheme, "http") || !text_equal(parsed.path_and_query, "/") || !bare) {
        return err_set(err, ERR_VALIDATION, "a proxy must be http://host:port");
    }
    *url = parsed;
    return OK;
}
