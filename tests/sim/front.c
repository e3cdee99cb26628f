// See front.h. These are http_server.h's functions as the API calls them; the real ones are not linked in.
#include "front.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/http_server.h"
#include "service.h"
#include "world.h"

struct exchange {
    struct http_exchange base;
    int life;
    struct http_header *headers;
    size_t header_count;
    bool replied;
    bool told;
    struct front_answer answer;
    void (*answered)(void *about, const struct front_answer *answer);
    void *about;
};

struct http_server {
    struct http_server_options options;
    size_t exchanges;
};

static struct http_server *door; // of the service that runs

// Tells the sender, once. A service that died has told nobody.
static void tell(void *about)
{
    struct exchange *exchange = about;
    if (!exchange->told) {
        exchange->told = true;
        exchange->answered(exchange->about, &exchange->answer);
    }
}

static void tell_nothing(void *about)
{
    struct exchange *exchange = about;
    if (!exchange->told) {
        exchange->answer = (struct front_answer){0};
        tell(exchange);
    }
}

static void end(void *about)
{
    struct exchange *exchange = about;
    if (exchange->life == service.life && service.up) {
        door->exchanges--;
        door->options.on_end(&exchange->base, door->options.context);
    }
}

// While a request is under way its sender sees whether the connection breaks.
static void watch(void *about)
{
    struct exchange *exchange = about;
    if (exchange->told) {
        return;
    }
    if (exchange->life != service.life || !service.up) {
        tell_nothing(exchange);
    } else {
        world_after(US_PER_S, watch, exchange);
    }
}

static void refuse_connection(void *about)
{
    tell_nothing(about);
}

static struct exchange *exchange_new(const struct front_request *request)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    REQUIRE(exchange != NULL);
    struct arena *arena = &exchange->base.arena;
    exchange->life = service.life;
    exchange->answered = request->answered;
    exchange->about = request->about;
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

void front_send(const struct front_request *request)
{
    struct exchange *exchange = exchange_new(request);
    if (!service.up) {
        world_after(dice_between(100, 10000), refuse_connection, exchange);
        return;
    }
    door->exchanges++;
    world_after(US_PER_S, watch, exchange); // before anything that the service may not survive
    door->options.on_head(&exchange->base, door->options.context);
    if (!exchange->replied) {
        exchange->base.body = BUF_MAX(exchange->base.body_bytes_max);
        buf_add_str(&exchange->base.body, request->body != NULL ? request->body : "");
        REQUIRE(!exchange->base.body.overflow);
        door->options.on_request(&exchange->base, door->options.context);
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
    door = *server;
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
    own->answer = (struct front_answer){.status = reply->status, .body = body};
    for (size_t i = 0; i < reply->header_count; i++) {
        own->answer.replayed =
            own->answer.replayed || text_equal(reply->headers[i].name, "Idempotent-Replayed");
    }
    // It has left, whatever becomes of the service from here on.
    if (fault_in(25)) {
        world.counts.answers_lost++;
        world_after(dice_between(0, 10 * US_PER_S), tell_nothing, own);
    } else {
        world_after(dice_between(100, 20000), tell, own);
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
