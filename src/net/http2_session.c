// What nghttp2 is told of a call, and what it tells: streams, headers, data, and how they end. Loop thread.
// The callbacks run within nghttp2_session_mem_recv and nghttp2_session_mem_send, so they do not close their
// connection and do not call `done`.
//
// HTTP_NOT_SENT, or a second try, only where the server says that it ignored the request (RFC 9113 section
// 8.7), or where it never left. All that is doubtful is HTTP_CUT.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/http2_private.h"

#define STREAM_WINDOW_BYTES (1 * 1024 * 1024)
#define CONNECTION_WINDOW_BYTES (16 * 1024 * 1024)
#define HEADER_BYTES_MAX (128 * 1024)
#define OWN_HEADERS_MAX 6 // besides the call's
#define CALM_US (1 * US_PER_S)

static struct http2_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

// Ends the call now; nothing more of its stream concerns it.
static void end_call(struct http2_call *call, enum http_result result, const char *sentence)
{
    (void)nghttp2_session_set_stream_user_data(call->connection->session, call->stream_id, NULL);
    http2_call_end(call, result, sentence);
}

// --- the response

static void status_read(struct http2_call *call, const uint8_t *value, size_t bytes)
{
    int status = 0;
    for (size_t i = 0; i < bytes; i++) { // three digits, as nghttp2 has made sure
        status = status * 10 + (value[i] - '0');
    }
    call->http->status = status;
}

// Those past HTTP_RESPONSE_HEADERS_MAX are dropped, as losing an answer over its decoration would turn a
// known outcome into an unknown one. So are trailers.
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags, void *cls)
{
    (void)flags;
    (void)cls;
    struct http2_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL || frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    struct http_call *http = call->http;
    call->header_bytes += name_bytes + value_bytes;
    if (call->header_bytes > HEADER_BYTES_MAX) {
        end_call(call, HTTP_TOO_LARGE, "the response's headers are too large");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // nghttp2 resets the stream
    }
    if (name_bytes > 0 && name[0] == ':') {
        status_read(call, value, value_bytes);
    } else if (!call->head_ended && http->response_header_count < HTTP_RESPONSE_HEADERS_MAX) {
        http->response_headers[http->response_header_count++] = (struct http_header){
            .name = arena_strndup(&http->arena, (const char *)name, name_bytes),
            .value = arena_strndup(&http->arena, (const char *)value, value_bytes),
        };
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t bytes, void *cls)
{
    (void)flags;
    (void)cls;
    struct http2_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return 0;
    }
    buf_add(&call->http->response_body, data, bytes);
    if (call->http->response_body.overflow) {
        end_call(call, HTTP_TOO_LARGE, "the response is too large");
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
    }
    return 0;
}

static void head_received(struct http2_call *call)
{
    if (call->http->status < 200) { // 103 and its like: the final response follows
        call->http->response_header_count = 0;
    } else {
        call->head_ended = true;
    }
}

static void goaway_received(struct http2_connection *connection, const nghttp2_goaway *goaway)
{
    http2_connection_retire(connection);
    http2_dial_pause_if_useless(connection);
    if (goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM) {
        connection->client->dial_after_us = loop_mono_us(connection->client->loop) + CALM_US;
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *cls)
{
    struct http2_connection *connection = cls;
    struct http2_call *call = call_of(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_SETTINGS && connection->state == HTTP2_GREETING) {
        http2_dial_ready(connection);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        goaway_received(connection, &frame->goaway);
    }
    if (call == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS) {
        head_received(call);
    }
    bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (ends && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && call->head_ended) {
        bool body_left = call->body_sent_bytes < call->http->body_bytes; // it was answered before it was read
        connection->has_answered = true;
        end_call(call, HTTP_DONE, NULL);
        return body_left ? nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                                     NGHTTP2_NO_ERROR)
                         : 0;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *cls)
{
    struct http2_connection *connection = cls;
    struct http2_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return 0;
    }
    char sentence[HTTP2_ERROR_BYTES];
    (void)snprintf(sentence, sizeof(sentence), "the server ended the stream: %s",
                   nghttp2_http2_strerror(error_code));
    bool answered = call->head_ended || call->http->response_body.len > 0;
    if (error_code == NGHTTP2_HTTP_1_1_REQUIRED) {
        http2_connection_use_http1(connection);
    }
    if (!call->headers_sent || (error_code == NGHTTP2_REFUSED_STREAM && !answered)) {
        http2_call_requeue(call, sentence);
    } else {
        http2_call_end(call, HTTP_CUT, sentence);
    }
    return 0;
}

// --- the request

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *cls)
{
    struct http2_connection *connection = cls;
    struct http2_call *call = call_of(session, frame->hd.stream_id);
    if (call != NULL && frame->hd.type == NGHTTP2_HEADERS) {
        call->headers_sent = true;
    }
    // We reset streams with NO_ERROR and CANCEL; with other codes nghttp2 does, after a malformed answer. The
    // two sides may disagree about the header table by then, so that every later answer would be malformed
    // too.
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        frame->rst_stream.error_code != NGHTTP2_CANCEL) {
        http2_connection_retire(connection);
    }
    return 0;
}

// Called right before what it fills is written, so this is where the time to send is checked.
static ssize_t on_body_wanted(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t bytes_max,
                              uint32_t *flags, nghttp2_data_source *source, void *cls)
{
    (void)source;
    struct http2_connection *connection = cls;
    struct http2_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    const struct http_call *http = call->http;
    if (http->send_before_us != 0) {
        if (loop_wall_us(call->client->loop) >= http->send_before_us) {
            end_call(call, HTTP_TOO_LATE, "it was too late to send it");
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        if (connection->out_before_us == 0 || http->send_before_us < connection->out_before_us) {
            connection->out_before_us = http->send_before_us;
        }
    }
    size_t left = http->body_bytes - call->body_sent_bytes;
    size_t bytes = left < bytes_max ? left : bytes_max;
    memcpy(to, (const char *)http->body + call->body_sent_bytes, bytes);
    call->body_sent_bytes += bytes;
    if (bytes == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)bytes;
}

struct request_headers {
    nghttp2_nv items[OWN_HEADERS_MAX + HTTP2_REQUEST_HEADERS_MAX];
    size_t count;
};

// A value that is a secret, or never the same twice, is not kept in the compression's table.
static void header_add(struct request_headers *headers, const char *name, const char *value, bool kept)
{
    REQUIRE(headers->count < COUNT_OF(headers->items));
    headers->items[headers->count++] = (nghttp2_nv){
        .name = (uint8_t *)name,
        .value = (uint8_t *)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
        .flags = kept ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX,
    };
}

static const char *path_of(const char *url)
{
    const char *path = url + strlen("https://");
    path += strcspn(path, "/?");
    return *path != '\0' ? path : "/";
}

static void request_headers(struct http2_call *call, struct request_headers *headers)
{
    struct http_call *http = call->http;
    header_add(headers, ":method", http->method, true);
    header_add(headers, ":scheme", "https", true);
    header_add(headers, ":authority", call->client->authority, true);
    header_add(headers, ":path", path_of(http->url), false);
    header_add(headers, "user-agent", call->client->options.user_agent, true);
    for (size_t i = 0; i < http->header_count; i++) {
        const char *name = text_lower(&http->arena, http->headers[i].name);
        bool kept = strcmp(name, "authorization") != 0 && strcmp(name, "idempotency-key") != 0;
        header_add(headers, name, http->headers[i].value, kept);
    }
    if (http->body != NULL) {
        header_add(headers, "content-length", arena_printf(&http->arena, "%zu", http->body_bytes), true);
    }
}

bool http2_session_submit(struct http2_connection *connection, struct http2_call *call)
{
    struct request_headers headers = {.count = 0};
    request_headers(call, &headers);
    nghttp2_data_provider body = {.read_callback = on_body_wanted};
    // An empty body too is asked for as it is written, which is when the time to send is checked.
    bool has_body = call->http->body_bytes > 0 || call->http->send_before_us != 0;
    int32_t stream_id = nghttp2_submit_request(connection->session, NULL, headers.items, headers.count,
                                               has_body ? &body : NULL, call);
    if (stream_id < 0) {
        return false;
    }
    call->stream_id = stream_id;
    call->opened_us = loop_mono_us(call->client->loop);
    call->connection = connection;
    connection->call_count++;
    list_remove(&call->link);
    list_append(&connection->calls, &call->link);
    return true;
}

void http2_session_reset(struct http2_call *call)
{
    nghttp2_session *session = call->connection->session;
    (void)nghttp2_session_set_stream_user_data(session, call->stream_id, NULL);
    (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
}

// --- the session

nghttp2_session_callbacks *http2_session_callbacks(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}

bool http2_session_begin(struct http2_connection *connection)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_BYTES_MAX},
    };
    if (nghttp2_session_client_new(&connection->session, connection->client->callbacks, connection) != 0) {
        return false;
    }
    return nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)) ==
               0 &&
           nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
                                                 CONNECTION_WINDOW_BYTES) == 0;
}
