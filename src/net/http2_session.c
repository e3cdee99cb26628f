// What nghttp2 is told of a call, and what it tells: streams, headers, data, and how they end. Loop thread.
// The callbacks run within nghttp2_session_mem_recv and nghttp2_session_mem_send, so they do not close their
// connection and do not call `done`.
//
// A call ends HTTP_NOT_SENT, or is sent again, only if it never left or the server says that it ignored the
// request (RFC 9113 section 8.7). All that is doubtful is HTTP_CUT.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "net/http2_private.h"

#define STREAM_WINDOW_BYTES (1 * 1024 * 1024)
#define CONNECTION_WINDOW_BYTES (16 * 1024 * 1024)
#define HEADER_BYTES_MAX (128 * 1024)
#define OWN_HEADERS_MAX 6 // besides the call's
#define CALM_US (1 * US_PER_S)
#define HTTP1_ONLY_US (600 * US_PER_S) // then the server is asked again whether it speaks HTTP/2
#define STREAMS_MAX 100                // however many more the server allows

static struct http2_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

// Ends the call now. Nothing that comes on its stream concerns it any more.
static void end_call(struct http2_call *call, enum http_result result, const char *sentence)
{
    (void)nghttp2_session_set_stream_user_data(call->connection->session, call->stream_id, NULL);
    http2_call_end(call, result, sentence);
}

void http2_session_retire(struct http2_connection *connection)
{
    if (connection->state == HTTP2_READY) {
        connection->state = HTTP2_RETIRING;
    }
}

void http2_session_use_http1(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    client->http1_until_us = loop_mono_us(client->loop) + HTTP1_ONLY_US;
    http2_session_retire(connection);
}

// --- the response

// Trailers are dropped.
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags, void *cls)
{
    (void)flags;
    (void)cls;
    struct http2_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL || frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    call->header_bytes += name_bytes + value_bytes;
    if (call->header_bytes > HEADER_BYTES_MAX) {
        end_call(call, HTTP_TOO_LARGE, "the response's headers are too large");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // nghttp2 resets the stream
    }
    if (name_bytes > 0 && name[0] == ':') {
        int status = 0;
        for (size_t i = 0; i < value_bytes; i++) { // ":status": three digits, as nghttp2 has made sure
            status = status * 10 + (value[i] - '0');
        }
        call->http->status = status;
    } else if (!call->head_ended) {
        http_call_add_header(call->http, (const char *)name, name_bytes, (const char *)value, value_bytes);
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

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *cls)
{
    struct http2_connection *connection = cls;
    struct http2_call *call = call_of(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_SETTINGS && connection->state == HTTP2_GREETING) {
        connection->state = HTTP2_READY;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        http2_session_retire(connection);
        if (!connection->has_answered) {
            http2_dial_pause(connection->client);
        }
        if (frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM) {
            connection->client->dial_after_us = loop_mono_us(connection->client->loop) + CALM_US;
        }
    }
    if (call == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && call->http->status < 200) {
        call->http->response_header_count = 0; // 103 and its like: the final response follows
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
        call->head_ended = true;
    }
    bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (ends && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && call->head_ended) {
        bool body_left = call->body_sent_bytes < call->http->body_bytes; // the server answered before it read
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
        http2_session_use_http1(connection);
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
    // We reset streams with NO_ERROR and CANCEL. Other codes are nghttp2's, after a malformed answer: the two
    // sides may disagree about the header table by then, so every later answer would be malformed too.
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        frame->rst_stream.error_code != NGHTTP2_CANCEL) {
        http2_session_retire(connection);
    }
    return 0;
}

// nghttp2 calls this right before it writes the data, so the time to send is checked here.
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
    if (http_call_is_too_late(http, loop_wall_us(call->client->loop))) {
        end_call(call, HTTP_TOO_LATE, "it was too late to send it");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (http->send_before_us != 0 &&
        (connection->out_before_us == 0 || http->send_before_us < connection->out_before_us)) {
        connection->out_before_us = http->send_before_us;
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

// `kept`: the value goes into the compression's table. A secret, or a value that never repeats, does not.
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

bool http2_session_has_room(const struct http2_connection *connection)
{
    if (connection->state != HTTP2_READY || connection->suspect || connection->blocked) {
        return false;
    }
    uint32_t allowed =
        nghttp2_session_get_remote_settings(connection->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return connection->call_count < (allowed < STREAMS_MAX ? allowed : STREAMS_MAX) &&
           nghttp2_session_check_request_allowed(connection->session);
}

bool http2_session_submit(struct http2_connection *connection, struct http2_call *call)
{
    struct http_call *http = call->http;
    const char *path = http->url + strlen("https://");
    path += strcspn(path, "/?");
    struct request_headers headers = {.count = 0};
    header_add(&headers, ":method", http->method, true);
    header_add(&headers, ":scheme", "https", true);
    header_add(&headers, ":authority", call->client->authority, true);
    header_add(&headers, ":path", *path != '\0' ? path : "/", false);
    header_add(&headers, "user-agent", call->client->options.user_agent, true);
    for (size_t i = 0; i < http->header_count; i++) {
        const char *name = http->headers[i].name;
        bool kept = strcmp(name, "authorization") != 0 && strcmp(name, "idempotency-key") != 0;
        header_add(&headers, name, http->headers[i].value, kept);
    }
    char length[24];
    if (http->body != NULL) {
        (void)snprintf(length, sizeof(length), "%zu", http->body_bytes);
        header_add(&headers, "content-length", length, true);
    }
    nghttp2_data_provider body = {.read_callback = on_body_wanted};
    // nghttp2 asks for an empty body too as it writes it, which is when the time to send is checked.
    bool has_body = http->body_bytes > 0 || http->send_before_us != 0;
    int32_t stream_id = nghttp2_submit_request(connection->session, NULL, headers.items, headers.count,
                                               has_body ? &body : NULL, call);
    if (stream_id < 0) {
        return false;
    }
    call->stream_id = stream_id;
    call->submitted_us = loop_mono_us(call->client->loop);
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
