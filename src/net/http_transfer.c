// One call on libcurl: how its easy handle is set up, what its callbacks keep, and what its end means. Loop
// thread. Invariant: HTTP_NOT_SENT only where no byte of the request was handed to a connection, by curl's
// own count, and curl's code names a step before sending. All that is doubtful is HTTP_CUT.
//
// libcurl sends a request again by itself in one case: on a kept connection that turns out to be dead before
// a single byte of an answer came. That is the same request with the same idempotency key, which is what the
// key is for.
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_client_private.h"

#define CONNECT_TIMEOUT_MS_MAX 10000
// What the other machine has not acknowledged for so long is lost with its connection. However long the
// answer takes is another matter; but over HTTP/2 all later calls would go into a connection that is dead,
// and wait.
#define UNACKNOWLEDGED_MS_MAX 10000
#define TRANSFER_BUFFER_BYTES 16384L // the least curl takes for uploads; a connection has one of each
#define HEADER_BYTES_MAX (64 * 1024)

// A constant option on a valid handle fails only where memory does.
#define EASY_SET(easy, option, value) REQUIRE(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

struct transfer *transfer_new(struct curl_client *client)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    REQUIRE(transfer != NULL);
    transfer->client = client;
    transfer->easy = curl_easy_init();
    REQUIRE(transfer->easy != NULL);
    list_init(&transfer->link);
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    transfer_reset(transfer);
    curl_easy_cleanup(transfer->easy);
    free(transfer);
}

void transfer_reset(struct transfer *transfer)
{
    curl_easy_reset(transfer->easy); // before the list of headers it points to goes
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    transfer->call = NULL;
    transfer->pool = NULL;
}

// curl shows the very address it is about to connect to, so what is checked is what is reached, however often
// a name changes its mind.
static curl_socket_t on_open_socket(void *cls, curlsocktype purpose, struct curl_sockaddr *target)
{
    struct transfer *transfer = cls;
    struct address address;
    bool known = purpose == CURLSOCKTYPE_IPCXN && address_from_sockaddr(&target->addr, &address);
    bool allowed = known && (!transfer->call->public_only || !address_is_special(&address) ||
                             network_list_has(&transfer->client->options.allow, &address));
    if (!allowed) {
        transfer->sockets_refused++;
        return CURL_SOCKET_BAD;
    }
    transfer->sockets_opened++;
    int fd = socket(target->family, target->socktype | SOCK_CLOEXEC, target->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    static const unsigned int unacknowledged_ms = UNACKNOWLEDGED_MS_MAX;
    // Where a system does not know it, the call's own time-out still ends it.
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

// Keeps "Name: value" in the call; those past HTTP_RESPONSE_HEADERS_MAX are let go, as losing an answer over
// its decoration would turn a known outcome into an unknown one.
static void header_keep(struct http_call *call, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes);
    if (!colon || call->response_header_count == HTTP_RESPONSE_HEADERS_MAX) {
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
    call->response_headers[call->response_header_count++] = (struct http_header){
        .name = arena_strndup(&call->arena, line, (size_t)(colon - line)),
        .value = arena_strndup(&call->arena, value, (size_t)(end - value)),
    };
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
        transfer->head_ended = true;
    } else {
        header_keep(transfer->call, line, bytes);
    }
    return bytes;
}

static bool header_add(struct transfer *transfer, const char *name, const char *value)
{
    if (strpbrk(name, "\r\n") || strpbrk(value, "\r\n")) {
        return false;
    }
    // curl's own notation: "Name;" sends an empty header, "Name:" sends none.
    const char *line = arena_printf(&transfer->call->arena, *value ? "%s: %s" : "%s;%s", name, value);
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);
    REQUIRE(headers != NULL);
    transfer->headers = headers;
    return true;
}

static bool prepare_headers(struct transfer *transfer)
{
    const struct http_call *call = transfer->call;
    for (size_t i = 0; i < call->header_count; i++) {
        if (!header_add(transfer, call->headers[i].name, call->headers[i].value)) {
            return false;
        }
    }
    transfer->headers =
        curl_slist_append(transfer->headers, "Expect:"); // no second round trip for a small body
    REQUIRE(transfer->headers != NULL);
    EASY_SET(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    return true;
}

static void prepare_method(CURL *easy, const struct http_call *call)
{
    if (strcmp(call->method, "HEAD") == 0) {
        EASY_SET(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (call->body || strcmp(call->method, "POST") == 0) {
        EASY_SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(call->body ? call->body_bytes : 0));
        EASY_SET(easy, CURLOPT_POSTFIELDS, call->body ? call->body : ""); // not copied: the caller keeps it
    }
    EASY_SET(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void prepare_policy(CURL *easy, const struct http_client_options *options,
                           const struct http_call *call)
{
    bool public_only = call->public_only;
    EASY_SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    EASY_SET(easy, CURLOPT_PROXY, ""); // none, whatever the environment says
    EASY_SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    EASY_SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    EASY_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    EASY_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    EASY_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    EASY_SET(easy, CURLOPT_NOSIGNAL, 1L);
    EASY_SET(easy, CURLOPT_QUICK_EXIT,
             1L); // else a call that ends during a look-up waits for it, and so the loop
    EASY_SET(easy, CURLOPT_HTTP_VERSION,
             (long)(public_only ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    // Sharing a connection is agreed on with TLS; without it curl would wait for the first answer to learn
    // that there is none to share.
    EASY_SET(easy, CURLOPT_PIPEWAIT, !public_only && strncasecmp(call->url, "https:", 6) == 0 ? 1L : 0L);
    EASY_SET(easy, CURLOPT_BUFFERSIZE, TRANSFER_BUFFER_BYTES);
    EASY_SET(easy, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_BUFFER_BYTES);
    EASY_SET(easy, CURLOPT_USERAGENT, options->user_agent);
    // curl keeps a bundle of certificates it has read, but only where no directory of them is set: without
    // this a new TLS connection costs 23 ms of reading instead of 0.3 ms.
    if (options->ca_file) {
        EASY_SET(easy, CURLOPT_CAINFO,
                 options->ca_file); // in the bundle's place, beside the system's directory
    } else {
        EASY_SET(easy, CURLOPT_CAPATH, NULL);
    }
}

bool transfer_prepare(struct transfer *transfer, struct http_call *call)
{
    CURL *easy = transfer->easy;
    struct curl_client *client = transfer->client;
    call->transfer = transfer;
    call->response_body = BUF_MAX(call->response_bytes_max);
    call->response_header_count = 0;
    call->status = 0;
    call->error[0] = '\0';
    transfer->call = call;
    transfer->pool = call->public_only ? &client->public_only : &client->open;
    transfer->header_bytes = transfer->sockets_refused = transfer->sockets_opened = 0;
    transfer->too_large = transfer->head_ended = false;
    int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : 1; // to curl 0 is for ever
    int64_t connect_ms = timeout_ms < CONNECT_TIMEOUT_MS_MAX ? timeout_ms : CONNECT_TIMEOUT_MS_MAX;
    transfer->deadline_us = loop_mono_us(client->loop) + timeout_ms * US_PER_MS;

    prepare_policy(easy, &client->options, call);
    prepare_method(easy, call);
    EASY_SET(easy, CURLOPT_URL, call->url);
    EASY_SET(easy, CURLOPT_PRIVATE, transfer);
    EASY_SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    EASY_SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
    EASY_SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    EASY_SET(easy, CURLOPT_WRITEDATA, transfer);
    EASY_SET(easy, CURLOPT_HEADERFUNCTION, on_header);
    EASY_SET(easy, CURLOPT_HEADERDATA, transfer);
    EASY_SET(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    EASY_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    return prepare_headers(transfer);
}

// Codes of steps before the request is written.
static bool is_before_sending(CURLcode code)
{
    static const CURLcode codes[] = {
        CURLE_URL_MALFORMAT,        CURLE_UNSUPPORTED_PROTOCOL,
        CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
        CURLE_OPERATION_TIMEDOUT,   CURLE_SSL_CONNECT_ERROR,
        CURLE_SSL_CERTPROBLEM,      CURLE_SSL_CIPHER,
        CURLE_SSL_ISSUER_ERROR,     CURLE_PEER_FAILED_VERIFICATION,
        CURLE_SSL_CACERT_BADFILE,   CURLE_LOGIN_DENIED,
    };
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static enum http_result result_of(const struct transfer *transfer, CURLcode code)
{
    if (code == CURLE_OK) { // also where the connection ended within the head
        return transfer->head_ended ? HTTP_DONE : HTTP_CUT;
    }
    if (transfer->too_large) {
        return HTTP_TOO_LARGE;
    }
    long sent_bytes = 0;
    curl_off_t pretransfer_us = 0;
    REQUIRE(curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent_bytes) == CURLE_OK);
    REQUIRE(curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us) == CURLE_OK);
    if (sent_bytes > 0 || pretransfer_us > 0 || !is_before_sending(code)) {
        return HTTP_CUT;
    }
    return transfer->sockets_refused > 0 && transfer->sockets_opened == 0 ? HTTP_FORBIDDEN : HTTP_NOT_SENT;
}

void transfer_conclude(struct transfer *transfer, CURLcode code)
{
    struct http_call *call = transfer->call;
    long status = 0;
    REQUIRE(curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    call->status = (int)status;
    call->result = result_of(transfer, code);
    const char *sentence = code == CURLE_OK                 ? "the response ends within its head"
                           : call->result == HTTP_FORBIDDEN ? "the host has no address that may be reached"
                           : call->result == HTTP_TOO_LARGE ? "the response is too large"
                                                            : curl_easy_strerror(code);
    if (call->result != HTTP_DONE) {
        snprintf(call->error, sizeof(call->error), "%s", sentence);
    }
}
