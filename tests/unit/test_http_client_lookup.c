// Names: the resolver is this file's own, so that it can be slow and can give any answer that an attacker's
// would.
#include <dlfcn.h>
#include <netdb.h>
#include <semaphore.h>
#include <time.h>

#include "client_fixture.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static sem_t slow_may_end;
static sem_t slow_has_ended;

static int rebound_look_ups;

static struct addrinfo *numeric(const char *address, const char *service_name, const struct addrinfo *hints)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    }
    struct addrinfo *list = NULL;
    return real(address, service_name, hints, &list) == 0 ? list : NULL;
}

// Stands in for the C library's, in this program and in libcurl.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): there the names are reserved ones
int getaddrinfo(const char *restrict node, const char *restrict service_name,
                const struct addrinfo *restrict hints, struct addrinfo **restrict list)
{
    if (strcmp(node, "slow.example") == 0) {
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 8;
        sem_timedwait(&slow_may_end, &end);
        sem_post(&slow_has_ended);
        return EAI_AGAIN;
    }
    if (strcmp(node, "private.example") == 0) {
        *list = numeric("127.0.0.1", service_name, hints);
    } else if (strcmp(node, "mixed.example") == 0) {
        *list = numeric("127.0.0.2", service_name, hints);
        struct addrinfo *second = numeric("127.0.0.1", service_name, hints);
        REQUIRE(*list && second);
        (*list)->ai_next = second;
    } else if (strcmp(node, "rebound.example") == 0) {
        *list = numeric(rebound_look_ups++ == 0 ? "127.0.0.1" : "127.0.0.2", service_name, hints);
    } else if (strcmp(node, "unknown.example") == 0) {
        *list = NULL;
    } else {
        *list = numeric(node, service_name, hints);
    }
    return *list ? 0 : EAI_NONAME;
}

static void fetch(struct named_call *named, const char *host, uint16_t port, int64_t timeout_ms)
{
    call_init(named, port, "/");
    snprintf(named->url, sizeof(named->url), "http://%s:%d/", host, port);
    named->call.timeout_ms = timeout_ms;
    named->call.public_only = true;
    send_call(&named->call);
    wait_for_calls();
}

static void a_slow_lookup_delays_neither_the_loop_nor_the_end(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&slow_may_end, 0, 0), 0);
    assert_int_equal(sem_init(&slow_has_ended, 0, 0), 0);
    open_usual_client(NULL);
    int64_t start_us = loop_mono_us(uv_service_loop_base(service));
    struct named_call named;
    fetch(&named, "slow.example", 80, 100);
    assert_int_equal(named.call.result, HTTP_NOT_SENT);
    http_call_release(&named.call);
    http_client_close(client);
    client = NULL;
    assert_in_range(loop_mono_us(uv_service_loop_base(service)) - start_us, 90000, 4000000);
    sem_post(&slow_may_end);
    sem_wait(&slow_has_ended); // its thread then frees what is its own
}

static void a_name_of_a_private_address_is_forbidden(void **state)
{
    (void)state;
    open_usual_client(NULL);
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    fetch(&named, "private.example", server.port, 5000);
    wire_server_join(&server);
    assert_int_equal(named.call.result, HTTP_FORBIDDEN);
    assert_int_equal(server.connections, 0);
    http_call_release(&named.call);
    buf_release(&server.requests);
}

static struct http_client_options allowing(struct arena *arena, const char *networks)
{
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 5};
    assert_int_equal(network_list_parse(networks, arena, &options.allow, NULL), OK);
    return options;
}

static void only_the_allowed_of_several_addresses_are_tried(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct http_client_options options = allowing(&arena, "127.0.0.1");
    open_client(&options);
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    fetch(&named, "mixed.example", server.port, 5000);
    wire_server_join(&server);
    assert_int_equal(named.call.result, HTTP_DONE);
    http_call_release(&named.call);
    buf_release(&server.requests);
}

static void a_name_that_leads_elsewhere_the_second_time_is_judged_by_where_it_leads(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct http_client_options options = allowing(&arena, "127.0.0.1");
    open_client(&options);
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    fetch(&named, "rebound.example", server.port, 5000);
    wire_server_join(&server);
    assert_int_equal(named.call.result, HTTP_DONE);
    assert_int_equal(rebound_look_ups,
                     1); // no other between the check of the address and the connection
    http_call_release(&named.call);
    buf_release(&server.requests);
    close_client(NULL); // and with it the names that curl remembers
    open_client(&options);
    fetch(&named, "rebound.example", server.port, 5000);
    assert_int_equal(rebound_look_ups, 2);
    assert_int_equal(named.call.result, HTTP_FORBIDDEN);
    http_call_release(&named.call);
}

static void a_name_that_does_not_resolve_was_not_sent(void **state)
{
    (void)state;
    open_usual_client(NULL);
    struct named_call named;
    fetch(&named, "unknown.example", 80, 5000);
    assert_int_equal(named.call.result, HTTP_NOT_SENT);
    http_call_release(&named.call);
}

#define LOOK_UP_TEST(name) cmocka_unit_test_teardown(name, close_client)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOK_UP_TEST(a_slow_lookup_delays_neither_the_loop_nor_the_end),
        LOOK_UP_TEST(a_name_of_a_private_address_is_forbidden),
        LOOK_UP_TEST(only_the_allowed_of_several_addresses_are_tried),
        LOOK_UP_TEST(a_name_that_leads_elsewhere_the_second_time_is_judged_by_where_it_leads),
        LOOK_UP_TEST(a_name_that_does_not_resolve_was_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
