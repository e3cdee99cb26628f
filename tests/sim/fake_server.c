// See fake_server.h. Defines the functions of net/http_server.h; the product's are not linked.
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
    bool is_answered;
    struct fake_server_answer answer;
    void (*answered)(void *context, const struct fake_server_answer *answer);
    void *context;
};

struct http_server {
    struct http_server_options options;
    size_t exchanges;
};

static struct http_server *running_server; // the running service's

// Gives the sender its answer, exactly once.
static void deliver_answer(void *context)
{
    struct exchange *exchange = context;
    if (!exchange->is_answered) {
        exchange->is_answered = true;
        exchange->answered(exchange->context, &exchange->answer);
    }
}

static void deliver_no_answer(void *context)
{
    struct exchange *exchange = context;
    if (!exchange->is_answered) {
        exchange->answer = (struct fake_server_answer){0};
        deliver_answer(exchange);
    }
}

static void end_exchange(void *context)
{
    struct exchange *exchange = context;
    if (exchange->incarnation == service.incarnation && service.up) {
        running_server->exchanges--;
        running_server->options.on_end(&exchange->base, running_server->options.context);
    }
}

// The sender notices within a second when the service has crashed.
static void watch_service(void *context)
{
    struct exchange *exchange = context;
    if (exchange->is_answered) {
        return;
    }
    if (exchange->incarnation != service.incarnation || !service.up) {
        deliver_no_answer(exchange);
    } else {
        world_after(US_PER_S, watch_service, exchange);
    }
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
        world_after(random_between(100, 10000), deliver_no_answer, exchange);
        return;
    }
    running_server->exchanges++;
    world_after(US_PER_S, watch_service, exchange); // before the first call that may crash the service
    running_server->options.on_head(&exchange->base, running_server->options.context);
    if (!exchange->replied) {
        exchange->base.body = BUF_MAX(exchange->base.body_bytes_max);
        buf_add_str(&exchange->base.body, request->body != NULL ? request->body : "");
        REQUIRE(!exchange->base.body.overflow);
        running_server->options.on_request(&exchange->base, running_server->options.context);
    }
}

// --- net/http_server.h

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
    // The answer is sent, even if the service crashes from now on.
    if (fault_one_in(25)) {
        world.counts.answers_lost++;
        world_after(random_between(0, 10 * US_PER_S), deliver_no_answer, own);
    } else {
        world_after(random_between(100, 20000), deliver_answer, own);
    }
    world_after(0, end_exchange, own);
}

void http_exchange_forget_body(struct http_exchange *exchange)
{
    buf_release(&exchange->body);
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
