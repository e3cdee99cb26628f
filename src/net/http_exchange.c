// One request and its answer: libmicrohttpd's callbacks turned into on_head, on_request, on_end. Loop thread.
//
//   begin (request line) -> head -> body... -> whole request -> answered -> end
//                                                  `-> parked -> http_exchange_reply -^
//
// An answer given before the body has come is kept until the client has sent the rest, which is thrown away:
// a client that is still writing when the connection closes gets a reset instead of the answer. Only where
// the rest would be large, or the client waits for 100 Continue, the answer goes out at once and the
// connection closes. Invariant: on_end is called exactly once for each exchange that a handler has seen.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "net/http_server_private.h"

#define DISCARD_BYTES_MAX (1024 * 1024)

static struct exchange *exchange_of(struct http_exchange *base)
{
    return CONTAINER_OF(base, struct exchange, base);
}

void *exchange_begin(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    REQUIRE(exchange != NULL);
    exchange->server = cls;
    exchange->connection = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    REQUIRE(exchange->connection != NULL && exchange->connection->exchange == NULL);
    exchange->connection->exchange = exchange;
    exchange->base.connection = exchange->connection;
    exchange->target = arena_strdup(&exchange->base.arena, target);
    return exchange;
}

void exchange_end(void *cls, struct MHD_Connection *mhd, void **request_context,
                  enum MHD_RequestTerminationCode why)
{
    (void)mhd;
    (void)why;
    struct http_server *server = cls;
    struct exchange *exchange = *request_context;
    if (!exchange) {
        return;
    }
    *request_context = NULL;
    if (exchange->seen) {
        server->options.on_end(&exchange->base, server->options.context);
        server->exchange_count--;
    }
    exchange->connection->exchange = NULL;
    connection_phase_set(exchange->connection, CONNECTION_WAITING);
    if (exchange->response) {
        MHD_destroy_response(exchange->response);
    }
    buf_release(&exchange->base.body);
    buf_release(&exchange->stream.piece);
    arena_release(&exchange->base.arena);
    free(exchange);
}

static void response_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES) { // line breaks, tabs, empty
        LOG(LOG_WARN, "a reply header cannot be sent", LOG_STR("header", name));
    }
}

void http_exchange_reply(struct http_exchange *exchange, const struct http_reply *reply)
{
    struct exchange *own = exchange_of(exchange);
    REQUIRE(own->response == NULL);
    struct MHD_Response *response =
        reply->more != NULL ? stream_open(own, reply)
                            : MHD_create_response_from_buffer(
                                  reply->body_bytes, (void *)(uintptr_t)reply->body, MHD_RESPMEM_MUST_COPY);
    REQUIRE(response != NULL);
    if (reply->content_type) {
        response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    }
    for (size_t i = 0; i < reply->header_count; i++) {
        response_header(response, reply->headers[i].name, reply->headers[i].value);
    }
    own->response = response;
    own->status = reply->status;
    if (own->suspended) {
        exchange_unpark(own);
        http_server_wake(own->server);
    }
}

void http_exchange_drop(struct http_exchange *exchange)
{
    struct exchange *own = exchange_of(exchange);
    REQUIRE(own->whole && own->response == NULL);
    own->dropped = true;
    if (own->suspended) {
        exchange_unpark(own);
        http_server_wake(own->server);
    }
}

void exchange_unpark(struct exchange *exchange)
{
    if (exchange->suspended) {
        exchange->suspended = false;
        MHD_resume_connection(exchange->connection->mhd);
    }
}

static enum MHD_Result exchange_send(struct exchange *exchange, bool close_after)
{
    if (close_after || exchange->server->draining) {
        response_header(exchange->response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    connection_phase_set(exchange->connection, CONNECTION_SENDING);
    return MHD_queue_response(exchange->connection->mhd, (unsigned)exchange->status, exchange->response);
}

// For a head that can be read in more than one way, or in none.
static enum MHD_Result exchange_refuse(struct exchange *exchange, const char *sentence)
{
    const struct http_server_options *options = &exchange->server->options;
    exchange->base.path = exchange->base.query = "";
    if (options->on_malformed) {
        options->on_malformed(&exchange->base, sentence, options->context);
        REQUIRE(exchange->response != NULL);
    } else {
        struct http_reply reply = {
            .status = MHD_HTTP_BAD_REQUEST,
            .content_type = "text/plain",
            .body = sentence,
            .body_bytes = strlen(sentence),
        };
        http_exchange_reply(&exchange->base, &reply);
    }
    return exchange_send(exchange, true);
}

static void ask_too_large(struct exchange *exchange)
{
    const struct http_server_options *options = &exchange->server->options;
    options->on_too_large(&exchange->base, options->context);
    REQUIRE(exchange->response != NULL);
}

static enum MHD_Result exchange_head(struct exchange *exchange, const char *method, const char *version)
{
    struct http_exchange *base = &exchange->base;
    struct MHD_Connection *mhd = exchange->connection->mhd;
    struct framing *framing = &exchange->framing;
    const char *refusal = framing_read(mhd, version, framing);
    refusal = refusal ? refusal : target_read(exchange->target, &base->arena, &base->path, &base->query);
    base->method = method;
    const struct sockaddr *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    REQUIRE(address_from_sockaddr(peer, &base->peer));
    connection_phase_set(exchange->connection, CONNECTION_RECEIVING);

    const struct http_server_options *options = &exchange->server->options;
    exchange->seen = true;
    exchange->server->exchange_count++;
    if (refusal) {
        return exchange_refuse(exchange, refusal);
    }
    options->on_head(base, options->context);
    base->body.max = base->body_bytes_max;
    if (!exchange->response && framing->content_bytes > base->body_bytes_max) {
        ask_too_large(exchange);
    }
    bool cannot_wait = framing->expects_continue || framing->content_bytes > DISCARD_BYTES_MAX;
    if (exchange->response && framing->has_body && cannot_wait) {
        return exchange_send(exchange, true);
    }
    return MHD_YES; // also with an answer and no body: MHD closes the connection after whatever is queued
                    // here
}

static enum MHD_Result exchange_body(struct exchange *exchange, const char *data, size_t bytes)
{
    if (!exchange->response) {
        buf_add(&exchange->base.body, data, bytes);
        if (exchange->base.body.overflow) {
            buf_release(&exchange->base.body);
            ask_too_large(exchange);
        }
        return MHD_YES;
    }
    exchange->discarded_bytes += bytes;
    return exchange->discarded_bytes > DISCARD_BYTES_MAX ? MHD_NO : MHD_YES; // MHD_NO closes
}

static enum MHD_Result exchange_whole(struct exchange *exchange)
{
    const struct http_server_options *options = &exchange->server->options;
    if (!exchange->response && !exchange->dropped) {
        REQUIRE(!exchange->whole);
        exchange->whole = true;
        connection_phase_set(exchange->connection, CONNECTION_PARKED);
        options->on_request(&exchange->base, options->context);
    }
    if (exchange->dropped) {
        return MHD_NO; // closes
    }
    if (!exchange->response) {
        exchange->suspended = true;
        MHD_suspend_connection(exchange->connection->mhd); // http_exchange_reply has MHD come here again
        return MHD_YES;
    }
    return exchange_send(exchange, false);
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *path, const char *method,
                                const char *version, const char *data, size_t *data_bytes,
                                void **request_context)
{
    (void)cls;
    (void)mhd;
    (void)path; // MHD has changed it; exchange_begin kept the target
    struct exchange *exchange = *request_context;
    REQUIRE(exchange != NULL);
    if (!exchange->headed) {
        exchange->headed = true;
        return exchange_head(exchange, method, version);
    }
    if (*data_bytes > 0) {
        size_t bytes = *data_bytes;
        *data_bytes = 0;
        return exchange_body(exchange, data, bytes);
    }
    return exchange_whole(exchange);
}

struct header_search {
    const char *name;
    const char *value;
    size_t count;
};

static enum MHD_Result header_visit(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct header_search *search = cls;
    if (text_equal_nocase(name, search->name) && search->count++ == 0) {
        search->value = value ? value : "";
    }
    return MHD_YES;
}

const char *http_exchange_header(struct http_exchange *exchange, const char *name, bool *repeated)
{
    struct header_search search = {.name = name};
    MHD_get_connection_values(exchange_of(exchange)->connection->mhd, MHD_HEADER_KIND, header_visit, &search);
    if (repeated) {
        *repeated = search.count > 1;
    }
    size_t bytes = search.value ? strlen(search.value) : 0;
    if (bytes > 0 && strchr(" \t", search.value[bytes - 1])) { // MHD leaves the white space behind a value
        return text_trim(&exchange->arena, search.value);
    }
    return search.value;
}

struct header_list {
    const char *name;
    const char *joined; // NULL: none yet
    struct arena *arena;
};

static enum MHD_Result header_join(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct header_list *list = cls;
    if (text_equal_nocase(name, list->name)) {
        const char *one = value ? value : "";
        list->joined = list->joined ? arena_printf(list->arena, "%s,%s", list->joined, one) : one;
    }
    return MHD_YES;
}

const char *http_exchange_header_list(struct http_exchange *exchange, const char *name)
{
    struct header_list list = {.name = name, .arena = &exchange->arena};
    MHD_get_connection_values(exchange_of(exchange)->connection->mhd, MHD_HEADER_KIND, header_join, &list);
    return list.joined;
}
