// One call on libcurl: how its easy handle is set up, what its callbacks keep, and what its end means. Loop
// thread. Invariant: a call ends HTTP_NOT_SENT or HTTP_TOO_LATE only if libcurl never began to write the
// request, or was stopped before it had written all of it. All that is doubtful is HTTP_CUT.
//
// In one case libcurl sends a request again by itself: a kept connection turns out to be dead before a single
// byte of the answer. That is the same request with the same idempotency key, so it is carried out once.
// libcurl calls on_write again before each attempt.
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_client_private.h"
#include "net/url.h"

#define CONNECT_TIMEOUT_MS_MAX 10000
// After this long without an acknowledgement the connection counts as dead, and its call ends before its own
// time-out.
#define UNACKNOWLEDGED_MS_MAX 10000
#define TRANSFER_BUFFER_BYTES 16384L // the least curl takes for uploads; a connection has one of each
#define HEADER_BYTES_MAX (64 * 1024)
// How long to wait for a body that nobody reads, so that its connection can be kept.
#define UNREAD_BODY_US US_PER_S

#if LIBCURL_VERSION_NUM < 0x080600
#define CURLE_TOO_LARGE CURLE_OUT_OF_MEMORY // its code for a header of over 100 kB
#endif

// libcurl may refuse any option on a handle that has served a call before.
#define EASY_SET(transfer, option, value)                                                                    \
    ((transfer)->refused |= curl_easy_setopt((transfer)->easy, (option), (value)) != CURLE_OK)

struct transfer *transfer_new(struct curl_client *client, struct http_call *call)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    REQUIRE(transfer != NULL);
    list_init(&transfer->link);
    list_init(&transfer->entry.link);
    transfer->client = client;
    transfer->pool = call->public_only ? &client->public_only : &client->open;
    transfer->call = call;
    transfer->deadline_us = loop_mono_us(client->loop) + call->timeout_ms * US_PER_MS;
    call->transfer = transfer;
    http_call_reset(call);
    return transfer;
}

void transfer_drop_easy(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
}

void transfer_free(struct transfer *transfer)
{
    transfer_drop_easy(transfer);
    free(transfer);
}

bool transfer_is_too_late(const struct transfer *transfer)
{
    const struct http_call *call = transfer->call;
    if (!http_call_is_too_late(call, loop_wall_us(transfer->client->loop)) || transfer->resent) {
        return false;
    }
    if (!transfer->writing) {
        return true;
    }
    curl_off_t sent_bytes = 0;
    REQUIRE(curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent_bytes) == CURLE_OK);
    return (size_t)sent_bytes < call->body_bytes;
}

// libcurl has a connection and is about to write the request.
static int on_write(void *cls, char *peer, char *own, int peer_port, int own_port)
{
    (void)peer, (void)own, (void)peer_port, (void)own_port;
    struct transfer *transfer = cls;
    transfer->resent |= transfer->writing;
    if (http_call_is_too_late(transfer->call, loop_wall_us(transfer->client->loop))) {
        transfer->too_late = true;
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->writing = true;
    return CURL_PREREQFUNC_OK;
}

static bool is_forbidden(const struct transfer *transfer, const struct address *address)
{
    return address_is_special(address) && !network_list_has(&transfer->client->options.allow, address);
}

bool transfer_names_forbidden_address(const struct transfer *transfer)
{
    struct url url;
    struct address address;
    if (url_parse(transfer->call->url, &transfer->call->arena, &url, NULL) != OK) {
        return true;
    }
    return url.host_is_address && (!address_parse(url.host, &address) || is_forbidden(transfer, &address));
}

// libcurl shows the very address that it is about to connect to. So the address that is checked is the one
// that is reached, even if the name resolves to another one by now.
static curl_socket_t on_open_socket(void *cls, curlsocktype purpose, struct curl_sockaddr *target)
{
    struct transfer *transfer = cls;
    struct address address;
    bool known = purpose == CURLSOCKTYPE_IPCXN && address_from_sockaddr(&target->addr, &address);
    bool is_proxy = transfer->client->options.proxy != NULL;
    bool allowed = known && (!transfer->call->public_only || is_proxy || !is_forbidden(transfer, &address));
    if (!allowed) {
        transfer->sockets_refused++;
        return CURL_SOCKET_BAD;
    }
    transfer->sockets_opened++;
    transfer->resent |= transfer->writing;
    int fd = socket(target->family, target->socktype | SOCK_CLOEXEC, target->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    static const unsigned int unacknowledged_ms = UNACKNOWLEDGED_MS_MAX;
    // A system may lack this one. Then the call's own time-out still ends it.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
    return fd;
}

static size_t on_body(char *data, size_t size, size_t count, void *cls)
{
    struct transfer *transfer = cls;
    buf_add(&transfer->call->response_body, data, size * count);
    transfer->too_large |= transfer->call->response_body.overflow;
    return transfer->too_large ? 0 : size * count;
}

// Keeps "Name: value" in the call.
static void keep_header(struct http_call *call, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes);
    if (!colon) {
        return;
    }
    const char *value = colon + 1;
    const char *end = line + bytes;
    while (value < end && strchr(" \t", *value)) {
        value++;
    }
    while (end > value && strchr(" \t\r\n", end[-1])) {
        end--;
    }
    http_call_add_header(call, line, (size_t)(colon - line), value, (size_t)(end - value));
}

static void end_head(struct transfer *transfer)
{
    long status = 0;
    transfer->head_ended = true;
    REQUIRE(curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    if (transfer->call->status_decides && status >= 200) {
        int64_t until_us = loop_mono_us(transfer->client->loop) + UNREAD_BODY_US;
        transfer->decided = true;
        transfer->deadline_us = until_us < transfer->deadline_us ? until_us : transfer->deadline_us;
    }
}

static size_t on_header(char *line, size_t size, size_t count, void *cls)
{
    struct transfer *transfer = cls;
    size_t bytes = size * count;
    transfer->header_bytes += bytes;
    if (transfer->header_bytes > HEADER_BYTES_MAX) {
        transfer->too_large = true;
        return 0;
    }
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        transfer->call->response_header_count = 0; // the final response after a 100 or 103
        transfer->head_ended = false;
    } else if (bytes <= 2 && strchr("\r\n", line[0])) {
        end_head(transfer);
    } else {
        keep_header(transfer->call, line, bytes);
    }
    return bytes;
}

bool transfer_is_sendable(const struct transfer *transfer)
{
    for (size_t i = 0; i < transfer->call->header_count; i++) {
        const struct http_header *header = &transfer->call->headers[i];
        if (strpbrk(header->name, "\r\n") || strpbrk(header->value, "\r\n")) {
            return false;
        }
    }
    return true;
}

// curl's own notation: "Name;" sends an empty header, "Name:" sends none.
static char *header_line(struct arena *arena, const struct http_header *header)
{
    if (*header->value == '\0') {
        return arena_printf(arena, "%s;", header->name);
    }
    char *line = arena_alloc(arena, strlen(header->name) + strlen(": ") + strlen(header->value) + 1);
    (void)stpcpy(stpcpy(stpcpy(line, header->name), ": "), header->value);
    return line;
}

// libcurl only reads the list, so it is made in the call's arena: curl_slist_append would copy each line.
static void prepare_headers(struct transfer *transfer)
{
    static char no_expect[] = "Expect:"; // no second round trip for a small body
    struct http_call *call = transfer->call;
    struct curl_slist *lines = arena_alloc(&call->arena, (call->header_count + 1) * sizeof(*lines));
    for (size_t i = 0; i < call->header_count; i++) {
        lines[i] = (struct curl_slist){header_line(&call->arena, &call->headers[i]), &lines[i + 1]};
    }
    lines[call->header_count] = (struct curl_slist){no_expect, NULL};
    EASY_SET(transfer, CURLOPT_HTTPHEADER, lines);
}

// Each option is set for every call: the handle may have served another.
static void prepare_method(struct transfer *transfer)
{
    const struct http_call *call = transfer->call;
    bool is_head = strcmp(call->method, "HEAD") == 0;
    bool has_body = !is_head && (call->body != NULL || strcmp(call->method, "POST") == 0);
    EASY_SET(transfer, CURLOPT_HTTPGET, 1L); // forgets what the call before was
    EASY_SET(transfer, CURLOPT_CUSTOMREQUEST, is_head ? NULL : call->method);
    if (is_head) {
        EASY_SET(transfer, CURLOPT_NOBODY, 1L);
    } else if (has_body) {
        EASY_SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(call->body ? call->body_bytes : 0));
        EASY_SET(transfer, CURLOPT_POSTFIELDS,
                 call->body ? call->body : ""); // not copied: the caller keeps it
    }
}

// What is the same for every call of a client: a handle keeps it.
static void prepare_policy(struct transfer *transfer)
{
    const struct http_client_options *options = &transfer->client->options;
    EASY_SET(transfer, CURLOPT_PROTOCOLS_STR, "http,https");
    EASY_SET(transfer, CURLOPT_PROXY, options->proxy != NULL ? options->proxy : ""); // not the environment's
    EASY_SET(transfer, CURLOPT_NOPROXY, "");
    EASY_SET(transfer, CURLOPT_HTTPPROXYTUNNEL, 1L); // it sees no request, http ones neither
    EASY_SET(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    EASY_SET(transfer, CURLOPT_FOLLOWLOCATION, 0L);
    EASY_SET(transfer, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    EASY_SET(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
    EASY_SET(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
    EASY_SET(transfer, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    EASY_SET(transfer, CURLOPT_NOSIGNAL, 1L);
    EASY_SET(transfer, CURLOPT_QUICK_EXIT,
             1L); // else the end of a call waits for its lookup, and the loop too
    EASY_SET(transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    EASY_SET(transfer, CURLOPT_BUFFERSIZE, TRANSFER_BUFFER_BYTES);
    EASY_SET(transfer, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_BUFFER_BYTES);
    EASY_SET(transfer, CURLOPT_USERAGENT, options->user_agent);
    // libcurl caches a bundle of certificates, but only where no directory of them is set: without this, a
    // new TLS connection costs 23 ms of reading instead of 0.3 ms. ca_file takes the bundle's place; the
    // system's directory stays.
    if (options->ca_file) {
        EASY_SET(transfer, CURLOPT_CAINFO, options->ca_file);
    } else {
        EASY_SET(transfer, CURLOPT_CAPATH, NULL);
    }
    EASY_SET(transfer, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    EASY_SET(transfer, CURLOPT_PREREQFUNCTION, on_write);
    EASY_SET(transfer, CURLOPT_WRITEFUNCTION, on_body);
    EASY_SET(transfer, CURLOPT_HEADERFUNCTION, on_header);
}

static const char *request_target(struct http_call *call)
{
    struct url url;
    if (call->target != NULL) {
        return call->target;
    }
    return url_parse(call->url, &call->arena, &url, NULL) == OK ? url.path_and_query : NULL;
}

bool transfer_prepare(struct transfer *transfer, CURL *easy, bool is_new)
{
    struct http_call *call = transfer->call;
    transfer->easy = easy;
    transfer->refused = false;
    int64_t left_ms = (transfer->deadline_us - loop_mono_us(transfer->client->loop)) / US_PER_MS;
    int64_t timeout_ms = left_ms > 0 ? left_ms : 1; // to libcurl 0 means no limit
    int64_t connect_ms = timeout_ms < CONNECT_TIMEOUT_MS_MAX ? timeout_ms : CONNECT_TIMEOUT_MS_MAX;
    if (is_new) {
        prepare_policy(transfer);
    }
    EASY_SET(transfer, CURLOPT_URL, call->url);
    // As it was given: newer versions of libcurl drop an empty query. A proxy only tunnels, so it is the same
    // through one.
    EASY_SET(transfer, CURLOPT_REQUEST_TARGET, request_target(call));
    EASY_SET(transfer, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    EASY_SET(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    prepare_method(transfer);
    EASY_SET(transfer, CURLOPT_PRIVATE, transfer);
    EASY_SET(transfer, CURLOPT_OPENSOCKETDATA, transfer);
    EASY_SET(transfer, CURLOPT_PREREQDATA, transfer);
    EASY_SET(transfer, CURLOPT_WRITEDATA, transfer);
    EASY_SET(transfer, CURLOPT_HEADERDATA, transfer);
    prepare_headers(transfer);
    if (transfer->refused) {
        transfer_drop_easy(transfer);
    }
    return !transfer->refused;
}

bool transfer_give_back(struct transfer *transfer)
{
    transfer->refused = false;
    EASY_SET(transfer, CURLOPT_PRIVATE, NULL);
    EASY_SET(transfer, CURLOPT_POSTFIELDS, NULL);
    EASY_SET(transfer, CURLOPT_HTTPHEADER, NULL);
    return !transfer->refused;
}

static enum http_result result_of(const struct transfer *transfer, CURLcode code)
{
    if (transfer->decided) {
        return HTTP_DONE;
    }
    if (code == CURLE_OK) { // also where the connection ended within the head
        return transfer->head_ended ? HTTP_DONE : HTTP_CUT;
    }
    if (transfer->too_large || (transfer->writing && !transfer->head_ended && code == CURLE_TOO_LARGE)) {
        return HTTP_TOO_LARGE;
    }
    if (transfer->too_late && !transfer->resent) {
        return HTTP_TOO_LATE;
    }
    if (transfer->writing) {
        return HTTP_CUT;
    }
    return transfer->sockets_refused > 0 && transfer->sockets_opened == 0 ? HTTP_FORBIDDEN : HTTP_NOT_SENT;
}

static const char *sentence_of(const struct transfer *transfer, CURLcode code)
{
    switch (transfer->call->result) {
    case HTTP_TOO_LATE:
        return "its time was over before it could be sent";
    case HTTP_FORBIDDEN:
        return "the host has no address that may be reached";
    case HTTP_TOO_LARGE:
        return "the response is too large";
    case HTTP_DONE:
    case HTTP_NOT_SENT:
    case HTTP_CUT:
        break;
    }
    if (!transfer->easy) {
        return transfer->client->closing ? "the client is closing" : "no connection became free in time";
    }
    return code == CURLE_OK ? "the response ends within its head" : curl_easy_strerror(code);
}

void transfer_conclude(struct transfer *transfer, CURLcode code)
{
    struct http_call *call = transfer->call;
    if (transfer->writing) { // before that, the handle still has the status of the call before
        long status = 0;
        REQUIRE(curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
        call->status = (int)status;
    }
    call->result = result_of(transfer, code);
    if (call->result != HTTP_DONE) {
        snprintf(call->error, sizeof(call->error), "%s", sentence_of(transfer, code));
    }
}
