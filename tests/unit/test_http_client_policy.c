// What the HTTP client may reach, how much it takes, how long it waits, and what its end does to calls under
// way.
#include "client_fixture.h"

#include <stdlib.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void loopback_is_forbidden_in_every_spelling_where_only_public_hosts_may_be_reached(void **state)
{
    (void)state;
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 5};
    open_client(&options);
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    static const char *const hosts[] = {"127.0.0.1", "localhost",          "2130706433", "0x7f.1",
                                        "0",         "[::ffff:127.0.0.1]", "[::1]",      "169.254.169.254"};
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct named_call named;
        call_init(&named, 0, "/");
        snprintf(named.url, sizeof(named.url), "http://%s:%d/", hosts[i], server.port);
        named.call.public_only = true;
        send_call(&named.call);
        wait_for_calls();
        if (named.call.result != HTTP_FORBIDDEN || named.call.error[0] == '\0') {
            fail_msg("%s: result %d", hosts[i], named.call.result);
        }
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    assert_int_equal(server.connections, 0);
    buf_release(&server.requests);
}

static void a_kept_connection_does_not_get_around_the_address_policy(void **state)
{
    (void)state;
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 5};
    open_client(&options);
    static const struct wire_answer answers[] = {{ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    static const enum http_result expected[] = {HTTP_DONE, HTTP_FORBIDDEN, HTTP_DONE};
    for (int i = 0; i < 3; i++) {
        struct named_call named;
        call_init(&named, server.port, "/");
        named.call.public_only = i == 1;
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, expected[i]);
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    assert_int_equal(server.connections, 1);
    buf_release(&server.requests);
}

static void an_allowed_network_may_be_reached_although_private(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 5};
    assert_int_equal(network_list_parse("127.0.0.0/8", &arena, &options.allow, NULL), OK);
    open_client(&options);
    static const struct wire_answer answers[] = {{ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    for (int i = 0; i < 2; i++) {
        struct named_call named;
        call_init(&named, server.port, "/");
        named.call.public_only = true;
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, HTTP_DONE);
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    assert_int_equal(server.connections, 1); // kept, as it was checked when it was made
    buf_release(&server.requests);
}

static void the_environment_names_no_proxy(void **state)
{
    (void)state;
    uint16_t nobody = 0;
    close(wire_listen(&nobody));
    char proxy[40];
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", nobody);
    setenv("http_proxy", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    open_usual_client(NULL);
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    call_init(&named, server.port, "/");
    send_call(&named.call);
    wait_for_calls();
    wire_server_join(&server);
    assert_int_equal(named.call.result, HTTP_DONE);
    http_call_release(&named.call);
    buf_release(&server.requests);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static enum http_result fetch(const char *bytes, size_t repeat, size_t response_bytes_max)
{
    const struct wire_answer answer = {bytes, WIRE_CLOSE, repeat};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    call_init(&named, server.port, "/");
    named.call.response_bytes_max = response_bytes_max;
    send_call(&named.call);
    wait_for_calls();
    wire_server_join(&server);
    assert_true(named.call.response_body.len <= response_bytes_max);
    http_call_release(&named.call);
    buf_release(&server.requests);
    return named.call.result;
}

static void a_response_may_be_as_large_as_the_call_says_and_no_larger(void **state)
{
    (void)state;
    open_usual_client(NULL);
    assert_int_equal(fetch("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1, 5), HTTP_DONE);
    assert_int_equal(fetch("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1, 4), HTTP_TOO_LARGE);
    assert_int_equal(fetch("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, 0), HTTP_DONE);
    // Without a length the connection's end is the body's: this goes on for 2 MB.
    assert_int_equal(fetch("HTTP/1.1 200 OK\r\n\r\nand on and on and on", 60000, 65536), HTTP_TOO_LARGE);
}

static void headers_are_bounded_as_well(void **state)
{
    (void)state;
    open_usual_client(NULL);
    assert_int_equal(
        fetch("HTTP/1.1 103 Early Hints\r\nLink: <style.css>; rel=preload; as=style\r\n\r\n", 2000, 10),
        HTTP_TOO_LARGE);
}

static void headers_beyond_the_last_place_are_dropped(void **state)
{
    (void)state;
    open_usual_client(NULL);
    BUF_CLEANUP struct buf text = BUF_MAX(10000);
    buf_add_str(&text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < HTTP_RESPONSE_HEADERS_MAX + 5; i++) {
        buf_printf(&text, "X-%d: %d\r\n", i, i);
    }
    buf_add_str(&text, "Content-Length: 2\r\n\r\nok");
    const struct wire_answer answer = {buf_str(&text), WIRE_CLOSE, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    call_init(&named, server.port, "/");
    send_call(&named.call);
    wait_for_calls();
    wire_server_join(&server);
    assert_int_equal(named.call.result, HTTP_DONE);
    assert_int_equal(named.call.response_header_count, HTTP_RESPONSE_HEADERS_MAX);
    assert_string_equal(buf_str(&named.call.response_body), "ok");
    http_call_release(&named.call);
    buf_release(&server.requests);
}

static void waiting_for_a_connection_counts_against_the_time_of_a_call(void **state)
{
    (void)state;
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 1};
    open_client(&options);
    static const struct wire_answer answer = {NULL, WIRE_HOLD, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call first;
    struct named_call second;
    call_init(&first, server.port, "/first");
    call_init(&second, server.port, "/second");
    first.call.timeout_ms = 1000;
    second.call.timeout_ms = 100;
    int64_t start_us = loop_mono_us(uv_service_loop_base(service));
    calls_left = -1; // stops the loop when the first of the two is done
    send_call(&first.call);
    send_call(&second.call);
    uv_service_loop_run(service);
    assert_in_range(loop_mono_us(uv_service_loop_base(service)) - start_us, 90000, 900000);
    assert_int_equal(second.call.result, HTTP_NOT_SENT);
    calls_left = 1;
    wait_for_calls();
    assert_int_equal(first.call.result, HTTP_CUT);
    http_call_release(&first.call);
    http_call_release(&second.call);
    wire_server_join(&server);
    assert_null(strstr(buf_str(&server.requests), "/second"));
    buf_release(&server.requests);
}

static struct named_call next_call;

static void send_next(struct http_call *call)
{
    http_call_release(call);
    send_call(&next_call.call);
    call_done(call);
}

static void a_call_may_be_sent_from_the_end_of_another(void **state)
{
    (void)state;
    open_usual_client(NULL);
    static const struct wire_answer answers[] = {{ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call first;
    call_init(&first, server.port, "/");
    call_init(&next_call, server.port, "/");
    first.call.done = send_next;
    send_call(&first.call);
    wait_for_calls();
    assert_int_equal(first.call.result, HTTP_DONE);
    assert_int_equal(next_call.call.result, HTTP_DONE);
    http_call_release(&next_call.call);
    wire_server_join(&server);
    buf_release(&server.requests);
}

static void closing_the_client_ends_every_call(void **state)
{
    (void)state;
    open_usual_client(NULL);
    static const struct wire_answer answers[] = {{NULL, WIRE_HOLD, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call first;
    struct named_call other;
    call_init(&first, server.port, "/");
    call_init(&other, server.port, "/");
    call_init(&next_call, server.port, "/");
    first.call.done = send_next; // what is sent while the client closes ends too
    send_call(&first.call);
    send_call(&other.call);
    http_client_close(client);
    client = NULL;
    assert_int_equal(calls_left, 0);
    assert_int_equal(first.call.result, HTTP_CUT);
    assert_int_equal(other.call.result, HTTP_CUT);
    assert_int_equal(next_call.call.result, HTTP_NOT_SENT);
    http_call_release(&other.call);
    http_call_release(&next_call.call);
    wire_server_join(&server);
    buf_release(&server.requests);
}

#define POLICY_TEST(name) cmocka_unit_test_teardown(name, close_client)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLICY_TEST(loopback_is_forbidden_in_every_spelling_where_only_public_hosts_may_be_reached),
        POLICY_TEST(a_kept_connection_does_not_get_around_the_address_policy),
        POLICY_TEST(an_allowed_network_may_be_reached_although_private),
        POLICY_TEST(the_environment_names_no_proxy),
        POLICY_TEST(a_response_may_be_as_large_as_the_call_says_and_no_larger),
        POLICY_TEST(headers_are_bounded_as_well),
        POLICY_TEST(headers_beyond_the_last_place_are_dropped),
        POLICY_TEST(waiting_for_a_connection_counts_against_the_time_of_a_call),
        POLICY_TEST(a_call_may_be_sent_from_the_end_of_another),
        POLICY_TEST(closing_the_client_ends_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
