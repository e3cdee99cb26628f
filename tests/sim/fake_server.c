// See fake_server.h. These are http_server.h's functions as the API calls them; the real ones are not linked
// in.
#include "fake_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/http_server.h"
#include "service.h"
#include "world.h"

struct exchange {
    struct http_exchange base;
    int incarnation;
    struct http_header *headers;
    size_t header_count;
    bool replied;
    bool told;
    struct fake_server_answer answer;
    void (*answered)(void *context, const struct fake_server_answer *answer);
    void *context;
};

struct http_server {
    struct http_server_options options;
    size_t exchanges;
};

static struct http_server *running_server; // of the service that runs

// Tells the sender, once. A service that died has told nobody.
static void tell(void *context)
{
    struct exchange *exchange = context;
    if (!exchange->told) {
        exchange->told = true;
        exchange->answered(exchange->context, &exchange->answer);
    }
}

static void tell_nothing(void *context)
{
    struct exchange *exchange = context;
    if (!exchange->told) {
        exchange->answer = (struct fake_server_answer){0};
        tell(exchange);
    }
}

static void end(void *context)
{
    struct exchange *exchange = context;
    if (exchange->incarnation == service.incarnation && service.up) {
        running_server->exchanges--;
        running_server->options.on_end(&exchange->base, running_server->options.context);
    }
}

// While a request is under way its sender sees whether the connection breaks.
static void watch(void *context)
{
    struct exchange *exchange = context;
    if (exchange->told) {
        return;
    }
    if (exchange->incarnation != service.incarnation || !service.up) {
        tell_nothing(exchange);
    } else {
        world_after(US_PER_S, watch, exchange);
    }
}

static void refuse_connection(void *context)
{
    tell_nothing(context);
}

static struct exchange *exchange_new(const struct fake_server_request *request)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    REQUIRE(exchange != NULL);
    struct arena *arena = &exchange->base.arena;
    exchange->incarnation = service.incarnation;
    exchange->answered = request->answered;
    exchange->context = request->context;
    exchange->base.method = arena_strdup(arena, request->method);
    exchange->base.path = arena_strdup(arena, request->path);
    exchange->base.query = arena_strdup(arena, request->query != NULL ? request->query : "");
    exchange->headers = arena_alloc(arena, request->header_count * sizeof(*exchange->headers));
    for (size_t i = 0; i < request->header_count; i++) {
        exchange->headers[exchange->header_count++] = (struct http_header){
            arena_strdup(arena, request->headers[i].name), arena_strdup(arena, request->headers[i].value)};
    }
    REQUIRE(address_parse("203.0.113.7", &exchange->base.peer));
    return exchange;
}

void fake_server_send(const struct fake_server_request *request)
{
    struct exchange *exchange = exchange_new(request);
    if (!service.up) {
        world_after(random_between(100, 10000), refuse_connection, exchange);
        return;
    }
    running_server->exchanges++;
    world_after(US_PER_S, watch, exchange); // before anything that the service may not survive
    running_server->options.on_head(&exchange->base, running_server->options.context);
    if (!exchange->replied) {
        exchange->base.body = BUF_MAX(exchange->base.body_bytes_max);
        buf_add_str(&exchange->base.body, request->body != NULL ? request->body : "");
        REQUIRE(!exchange->base.body.overflow);
        running_server->options.on_request(&exchange->base, running_server->options.context);
    }
}

// --- what the API calls

enum errc http_server_open(struct uv_service_loop *loop, const struct http_server_options *options,
                           struct http_server **server, struct err *err)
{
    (void)loop;
    (void)err;
    *server = calloc(1, sizeof(**server));
    REQUIRE(*server != NULL);
    (*server)->options = *options;
    running_server = *server;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    (void)server;
    return 0;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->exchanges;
}

void http_server_drain(struct http_server *server)
{
    (void)server;
}

size_t http_server_exchanges(const struct http_server *server)
{
    return server->exchanges;
}

void http_server_close(struct http_server *server)
{
    (void)server;
}

const char *http_exchange_header(struct http_exchange *exchange, const char *name, bool *repeated)
{
    const struct exchange *own = CONTAINER_OF(exchange, struct exchange, base);
    if (repeated != NULL) {
        *repeated = false;
    }
    for (size_t i = 0; i < own->header_count; i++) {
        if (text_equal_nocase(own->headers[i].name, name)) {
            return own->headers[i].value;
        }
    }
    return NULL;
}

const char *http_exchange_header_list(struct http_exchange *exchange, const char *name)
{
    return http_exchange_header(exchange, name, NULL);
}

void http_exchange_reply(struct http_exchange *exchange, const struct http_reply *reply)
{
    struct exchange *own = CONTAINER_OF(exchange, struct exchange, base);
    REQUIRE(!own->replied && reply->more == NULL);
    own->replied = true;
    char *body = malloc(reply->body_bytes + 1);
    REQUIRE(body != NULL);
    memcpy(body, reply->body, reply->body_bytes);
    body[reply->body_bytes] = '\0';
    own->answer = (struct fake_server_answer){.status = reply->status, .body = body};
    for (size_t i = 0; i < reply->header_count; i++) {
        own->answer.replayed =
            own->answer.replayed || text_equal(reply->headers[i].name, "Idempotent-Replayed");
    }
    // It has left, whatever becomes of the service from here on.
    if (fault_one_in(25)) {
        world.counts.answers_lost++;
        world_after(random_between(0, 10 * US_PER_S), tell_nothing, own);
    } else {
        world_after(random_between(100, 20000), tell, own);
    }
    world_after(0, end, own);
}

void http_exchange_more(struct http_exchange *exchange, const void *data, size_t bytes, bool last)
{
    (void)exchange;
    (void)data;
    (void)bytes;
    (void)last;
    require_failed("no list is streamed", __FILE__, __LINE__);
}

void http_exchange_cut(struct http_exchange *exchange)
{
    (void)exchange;
    require_failed("no list is streamed", __FILE__, __LINE__);
}
