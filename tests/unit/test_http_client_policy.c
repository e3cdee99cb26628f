// Where the HTTP client may connect, how much it accepts, how long it waits, and how its end affects calls
// under way.
#include "client_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

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

// The proxy decides where a name leads; an address in the URL itself is checked here.
static void through_a_proxy_a_special_address_is_forbidden_and_a_name_is_asked_for(void **state)
{
    (void)state;
    static const struct wire_answer answer = {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                                              WIRE_CLOSE, 0};
    struct wire_server proxy;
    wire_server_start(&proxy, &answer, 1);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", proxy.port);
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 5, .proxy = url};
    open_client(&options);
    static const char *const hosts[] = {"127.0.0.1", "2130706433", "[::ffff:10.0.0.1]", "169.254.169.254"};
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct named_call named;
        call_init(&named, 0, "/");
        snprintf(named.url, sizeof(named.url), "https://%s/", hosts[i]);
        named.call.public_only = true;
        send_call(&named.call);
        wait_for_calls();
        if (named.call.result != HTTP_FORBIDDEN || named.call.error[0] == '\0') {
            fail_msg("%s: result %d", hosts[i], named.call.result);
        }
        http_call_release(&named.call);
    }
    struct named_call named;
    call_init(&named, 0, "/");
    snprintf(named.url, sizeof(named.url), "https://shop.example/");
    named.call.public_only = true;
    send_call(&named.call);
    wait_for_calls();
    assert_int_equal(named.call.result, HTTP_NOT_SENT);
    http_call_release(&named.call);
    wire_server_join(&proxy);
    assert_int_equal(proxy.connections, 1);
    assert_non_null(strstr(buf_str(&proxy.requests), "CONNECT shop.example:443 HTTP/1.1\r\n"));
    buf_release(&proxy.requests);
}

static void through_a_proxy_a_call_goes_out_as_it_does_without(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 Connection established\r\n\r\n", WIRE_KEEP, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", WIRE_CLOSE, 0}};
    struct wire_server proxy;
    wire_server_start(&proxy, answers, COUNT_OF(answers));
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", proxy.port);
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 5, .proxy = url};
    open_client(&options);
    struct named_call named;
    call_init(&named, 0, "/");
    snprintf(named.url, sizeof(named.url), "http://shop.example/hook?");
    send_call(&named.call);
    wait_for_calls();
    assert_int_equal(named.call.result, HTTP_DONE);
    http_call_release(&named.call);
    wire_server_join(&proxy);
    assert_non_null(strstr(buf_str(&proxy.requests), "CONNECT shop.example:80 HTTP/1.1\r\n"));
    assert_non_null(strstr(buf_str(&proxy.requests), "GET /hook? HTTP/1.1\r\n"));
    buf_release(&proxy.requests);
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

static void headers_of_64_kb_are_taken_however_they_are_split(void **state)
{
    (void)state;
    open_usual_client(NULL);
    static const struct {
        size_t header_count;
        size_t header_bytes;
        enum http_result result;
    } cases[] = {
        {20, 1000, HTTP_DONE},       {1, 30000, HTTP_DONE},      {20, 3000, HTTP_DONE},
        {1, 60000, HTTP_DONE},       {2, 40000, HTTP_TOO_LARGE}, {1, 70000, HTTP_TOO_LARGE},
        {1, 200000, HTTP_TOO_LARGE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BUF_CLEANUP struct buf text = BUF_MAX(300000);
        buf_add_str(&text, "HTTP/1.1 200 OK\r\n");
        for (size_t header = 0; header < cases[i].header_count; header++) {
            buf_add_str(&text, "X-Long: ");
            for (size_t byte = 0; byte < cases[i].header_bytes; byte++) {
                buf_add_str(&text, "a");
            }
            buf_add_str(&text, "\r\n");
        }
        buf_add_str(&text, "Content-Length: 0\r\n\r\n");
        enum http_result result = fetch(buf_str(&text), 1, 10);
        if (result != cases[i].result) {
            fail_msg("%zu of %zu bytes: result %d", cases[i].header_count, cases[i].header_bytes, result);
        }
    }
}

static void headers_without_an_end_end_the_call_at_once(void **state)
{
    (void)state;
    open_usual_client(NULL);
    BUF_CLEANUP struct buf text = BUF_MAX(100000);
    buf_add_str(&text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 3000; i++) {
        buf_add_str(&text, "X-Long: and on and on\r\n");
    }
    const struct wire_answer answer = {buf_str(&text), WIRE_HOLD, 0};
    struct wire_server server;
    wire_server_start(&server, &answer, 1);
    struct named_call named;
    call_init(&named, server.port, "/");
    int64_t start_us = loop_mono_us(uv_service_loop_base(service));
    named.call.timeout_ms = 60000;
    send_call(&named.call);
    wait_for_calls();
    assert_in_range(loop_mono_us(uv_service_loop_base(service)) - start_us, 0, 30000000);
    assert_int_equal(named.call.result, HTTP_TOO_LARGE);
    http_call_release(&named.call);
    wire_server_join(&server);
    buf_release(&server.requests);
}

static void headers_beyond_the_last_slot_are_dropped(void **state)
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

// Stops the loop as soon as a request has come on a connection to this socket.
static struct {
    struct timer timer;
    int listening;
    int accepted; // -1: not yet
} asked;

static void look_for_request(struct timer *timer)
{
    char byte;
    if (asked.accepted < 0) {
        asked.accepted = accept4(asked.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (asked.accepted >= 0 && recv(asked.accepted, &byte, 1, 0) == 1) {
        uv_service_loop_stop(service);
        return;
    }
    timer_start(uv_service_loop_base(service), timer, 1000);
}

static void closing_the_client_ends_every_call(void **state)
{
    (void)state;
    open_usual_client(NULL);
    uint16_t port = 0;
    asked.accepted = -1;
    asked.listening = wire_listen(&port);
    assert_int_equal(fcntl(asked.listening, F_SETFL, O_NONBLOCK), 0);
    timer_init(&asked.timer, look_for_request);
    timer_start(uv_service_loop_base(service), &asked.timer, 0);
    struct named_call written;
    struct named_call other;
    call_init(&written, port, "/");
    call_init(&other, port, "/");
    call_init(&next_call, port, "/");
    written.call.done = send_next; // what is sent while the client closes ends too
    send_call(&written.call);
    uv_service_loop_run(service);
    send_call(&other.call);
    http_client_close(client);
    client = NULL;
    assert_int_equal(calls_left, 0);
    assert_int_equal(written.call.result, HTTP_CUT);
    assert_int_equal(other.call.result, HTTP_NOT_SENT);
    assert_int_equal(next_call.call.result, HTTP_NOT_SENT);
    http_call_release(&other.call);
    http_call_release(&next_call.call);
    close(asked.accepted);
    close(asked.listening);
}

#define POLICY_TEST(name) cmocka_unit_test_teardown(name, close_client)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLICY_TEST(loopback_is_forbidden_in_every_spelling_where_only_public_hosts_may_be_reached),
        POLICY_TEST(through_a_proxy_a_special_address_is_forbidden_and_a_name_is_asked_for),
        POLICY_TEST(through_a_proxy_a_call_goes_out_as_it_does_without),
        POLICY_TEST(a_kept_connection_does_not_get_around_the_address_policy),
        POLICY_TEST(an_allowed_network_may_be_reached_although_private),
        POLICY_TEST(the_environment_names_no_proxy),
        POLICY_TEST(a_response_may_be_as_large_as_the_call_says_and_no_larger),
        POLICY_TEST(headers_are_bounded_as_well),
        POLICY_TEST(headers_of_64_kb_are_taken_however_they_are_split),
        POLICY_TEST(headers_without_an_end_end_the_call_at_once),
        POLICY_TEST(headers_beyond_the_last_slot_are_dropped),
        POLICY_TEST(a_call_may_be_sent_from_the_end_of_another),
        POLICY_TEST(closing_the_client_ends_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
