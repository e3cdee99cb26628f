// The HTTP client against servers that behave, and that misbehave in every way a network can.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>

#include "client_fixture.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void a_request_goes_out_as_it_was_given(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {
        {ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}};
    static const struct http_header headers[] = {{"Authorization", "Bearer x"}, {"X-Empty", ""}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call calls[3];
    static const char *const methods[] = {"POST", "DELETE", "POST"};
    for (int i = 0; i < 3; i++) {
        call_init(&calls[i], server.port, "/v1/a?b=c%20d");
        calls[i].call.method = methods[i];
        calls[i].call.headers = headers;
        calls[i].call.header_count = COUNT_OF(headers);
        send_call(&calls[i].call);
        wait_for_calls();
        assert_int_equal(calls[i].call.result, HTTP_DONE);
        http_call_release(&calls[i].call);
        calls[1].call.body = NULL;
    }
    wire_server_join(&server);
    const char *sent = buf_str(&server.requests);
    assert_non_null(strstr(sent, "POST /v1/a?b=c%20d HTTP/1.1\r\n"));
    assert_non_null(strstr(sent, "DELETE /v1/a?b=c%20d HTTP/1.1\r\n"));
    assert_int_equal(wire_count(&server.requests, "\r\nAuthorization: Bearer x\r\n"), 3);
    assert_int_equal(wire_count(&server.requests, "\r\nX-Empty:\r\n"), 3);
    assert_int_equal(wire_count(&server.requests, "\r\nUser-Agent: tests/1\r\n"), 3);
    assert_int_equal(wire_count(&server.requests, "\r\nContent-Length: 0\r\n"), 2);
    assert_null(strcasestr(sent, "Expect"));
    assert_null(strcasestr(sent, "Accept-Encoding"));
    assert_int_equal(server.connections, 1); // the connection is kept
    buf_release(&server.requests);
}

static void a_target_goes_out_with_its_query_though_it_is_empty(void **state)
{
    (void)state;
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    static const char *const targets[] = {"/hook", "/hook?", "/?", "/hook?a=b?", "/hook??", "/a%3Fb?c=%20"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct wire_server server;
        char line[64];
        struct named_call named;
        wire_server_start(&server, &answer, 1);
        call_init(&named, server.port, targets[i]);
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, HTTP_DONE);
        http_call_release(&named.call);
        wire_server_join(&server);
        snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", targets[i]);
        assert_memory_equal(buf_str(&server.requests), line, strlen(line));
        buf_release(&server.requests);
    }
}

static void a_large_body_goes_out_whole_without_asking_first(void **state)
{
    (void)state;
    static char body[200000];
    memset(body, 'b', sizeof(body));
    static const struct wire_answer answers[] = {{ANSWER, WIRE_CLOSE, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call named;
    call_init(&named, server.port, "/");
    named.call.method = "PUT";
    named.call.body = body;
    named.call.body_bytes = sizeof(body);
    send_call(&named.call);
    wait_for_calls();
    wire_server_join(&server);
    assert_int_equal(named.call.result, HTTP_DONE);
    assert_null(strcasestr(buf_str(&server.requests), "Expect"));
    assert_memory_equal(server.requests.data + server.requests.len - sizeof(body), body, sizeof(body));
    http_call_release(&named.call);
    buf_release(&server.requests);
}

// Sends one call to a server that gives this answer; the caller releases the call.
static void fetch(struct named_call *named, const struct wire_answer *answer, int64_t timeout_ms)
{
    struct wire_server server;
    wire_server_start(&server, answer, 1);
    call_init(named, server.port, "/");
    named->call.timeout_ms = timeout_ms;
    send_call(&named->call);
    wait_for_calls();
    wire_server_join(&server);
    buf_release(&server.requests);
}

static void a_response_is_kept_with_its_headers(void **state)
{
    (void)state;
    static const struct wire_answer answer = {
        "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
        "HTTP/1.1 402 Payment Required\r\nRequest-Id: req_1\r\nX-Spaces: \t a b \t\r\nx-twice: "
        "first\r\nX-Twice: second\r\n"
        "X-Nothing:\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Twice: "
        "trailer\r\n\r\n",
        WIRE_CLOSE, 0};
    struct named_call named;
    fetch(&named, &answer, 5000);
    assert_int_equal(named.call.result, HTTP_DONE);
    assert_int_equal(named.call.status, 402);
    assert_string_equal(buf_str(&named.call.response_body), "hello world");
    assert_string_equal(http_call_header(&named.call, "request-id"), "req_1");
    assert_string_equal(http_call_header(&named.call, "X-Spaces"), "a b");
    assert_string_equal(http_call_header(&named.call, "X-TWICE"), "first");
    assert_string_equal(http_call_header(&named.call, "X-Nothing"), "");
    assert_null(http_call_header(&named.call, "X-Interim"));
    assert_string_equal(named.call.error, "");
    http_call_release(&named.call);
    assert_null(http_call_header(&named.call, "Request-Id"));
}

static void a_redirect_is_an_answer_like_any_other(void **state)
{
    (void)state;
    static const struct wire_answer answer = {
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", WIRE_CLOSE, 0};
    struct named_call named;
    fetch(&named, &answer, 5000);
    assert_int_equal(named.call.result, HTTP_DONE);
    assert_int_equal(named.call.status, 302);
    http_call_release(&named.call);
}

static void an_answer_cut_or_malformed_may_have_been_a_success(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {
        {NULL, WIRE_CLOSE, 0},
        {NULL, WIRE_RESET, 0},
        {"HTTP/1.1 200 OK\r\nContent-Le", WIRE_CLOSE, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", WIRE_CLOSE, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", WIRE_RESET, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", WIRE_CLOSE, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", WIRE_CLOSE, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", WIRE_CLOSE, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", WIRE_CLOSE, 0},
        {"HTTP/1.1 twohundred OK\r\nContent-Length: 2\r\n\r\nok", WIRE_CLOSE, 0},
        {"this is no HTTP\r\n\r\n", WIRE_CLOSE, 0},
        {"HTTP/1.1 200 OK\r\nno colon\r\n", WIRE_HOLD, 0},
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct named_call named;
        fetch(&named, &answers[i], 300);
        if (named.call.result != HTTP_CUT || named.call.error[0] == '\0') {
            fail_msg("answer %zu: result %d, status %d", i, named.call.result, named.call.status);
        }
        http_call_release(&named.call);
    }
}

static void silence_ends_the_call_in_time(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {
        {NULL, WIRE_HOLD, 0}, {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nha", WIRE_HOLD, 0}};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct named_call named;
        int64_t start_us = loop_mono_us(uv_service_loop_base(service));
        fetch(&named, &answers[i], 100);
        int64_t took_us = loop_mono_us(uv_service_loop_base(service)) - start_us;
        assert_int_equal(named.call.result, HTTP_CUT);
        assert_in_range(took_us, 90000, 3000000);
        http_call_release(&named.call);
    }
}

static struct named_call hangs;

static void give_up_hanging(struct timer *timer)
{
    (void)timer;
    http_call_abandon(&hangs.call);
}

static void an_abandoned_call_ends_early_as_if_it_were_cut(void **state)
{
    (void)state;
    static const struct wire_answer answer = {NULL, WIRE_HOLD, 0};
    struct timer timer;
    timer_init(&timer, give_up_hanging);
    timer_start(uv_service_loop_base(service), &timer, 50000);
    int64_t start_us = loop_mono_us(uv_service_loop_base(service));
    fetch(&hangs, &answer, 60000);
    assert_in_range(loop_mono_us(uv_service_loop_base(service)) - start_us, 50000, 30000000);
    assert_int_equal(hangs.call.result, HTTP_CUT);
    http_call_release(&hangs.call);
}

// How long the kernel waits for what it sent on the socket of this process that is connected to the port; 0:
// as long as it likes.
static unsigned int unacknowledged_ms_max(uint16_t port)
{
    unsigned int found_ms = 0;
    for (int fd = 3; fd < 200; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t peer_bytes = sizeof(peer);
        socklen_t bytes = sizeof(found_ms);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) == 0 && ntohs(peer.sin_port) == port) {
            assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &found_ms, &bytes), 0);
        }
    }
    return found_ms;
}

// On one machine everything is acknowledged, so that it comes to this cannot be tried here.
static void a_connection_on_which_nothing_arrives_is_dead_before_the_call_is(void **state)
{
    (void)state;
    static const struct wire_answer answer = {ANSWER, WIRE_HOLD, 0};
    struct wire_server server;
    struct named_call named;
    wire_server_start(&server, &answer, 1);
    call_init(&named, server.port, "/");
    send_call(&named.call);
    wait_for_calls();
    assert_int_equal(unacknowledged_ms_max(server.port), 10000);
    http_call_release(&named.call);
    assert_int_equal(close_client(NULL), 0);
    wire_server_join(&server);
    buf_release(&server.requests);
    assert_int_equal(open_usual_client(NULL), 0);
}

// A server that accepts and says nothing until it has two connections; then it ends both.
static struct {
    struct timer timer;
    int listening;
    int accepted[2];
    int count;
} silent;

static void accept_silently(struct timer *timer)
{
    int fd = accept4(silent.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        silent.accepted[silent.count++] = fd;
    }
    if (silent.count < 2) {
        timer_start(uv_service_loop_base(service), timer, 5000);
        return;
    }
    close(silent.accepted[0]);
    close(silent.accepted[1]);
}

static void no_call_waits_for_the_answer_to_another(void **state)
{
    (void)state;
    uint16_t port = 0;
    silent.listening = wire_listen(&port);
    assert_int_equal(fcntl(silent.listening, F_SETFL, O_NONBLOCK), 0);
    timer_init(&silent.timer, accept_silently);
    timer_start(uv_service_loop_base(service), &silent.timer, 0);
    struct named_call calls[2];
    for (int i = 0; i < 2; i++) {
        call_init(&calls[i], port, "/");
        send_call(&calls[i].call);
    }
    wait_for_calls();
    assert_int_equal(silent.count, 2);
    http_call_release(&calls[0].call);
    http_call_release(&calls[1].call);
    close(silent.listening);
}

static void a_call_without_a_connection_was_surely_not_sent(void **state)
{
    (void)state;
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server plain; // does not speak TLS
    uint16_t refused_port = 0;
    close(wire_listen(&refused_port));
    wire_server_start(&plain, &answer, 1);
    const struct {
        const char *before_port;
        uint16_t port;
    } cases[] = {
        {"http://127.0.0.1:", refused_port},       {"https://127.0.0.1:", plain.port},
        {"ftp://127.0.0.1:", plain.port},          {"http://bad host:", plain.port},
        {"http://user:pw@127.0.0.1:", plain.port},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct named_call named;
        call_init(&named, 0, "/");
        snprintf(named.url, sizeof(named.url), "%s%d/", cases[i].before_port, cases[i].port);
        named.call.timeout_ms = 300; // the plain server never shakes hands
        send_call(&named.call);
        wait_for_calls();
        if (named.call.result != HTTP_NOT_SENT || named.call.error[0] == '\0') {
            fail_msg("%s: result %d", named.url, named.call.result);
        }
        assert_null(strstr(named.call.error, "127.0.0.1"));
        http_call_release(&named.call);
    }
    wire_server_join(&plain);
    buf_release(&plain.requests);
}

static void a_header_with_a_line_break_is_not_sent(void **state)
{
    (void)state;
    static const struct http_header headers[] = {{"X-Key", "a\r\nX-Injected: b"}};
    struct named_call named;
    call_init(&named, 1, "/");
    named.call.headers = headers;
    named.call.header_count = 1;
    send_call(&named.call);
    assert_int_equal(calls_left, 1); // done is never called from within send
    wait_for_calls();
    assert_int_equal(named.call.result, HTTP_NOT_SENT);
    http_call_release(&named.call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_as_it_was_given),
        cmocka_unit_test(a_target_goes_out_with_its_query_though_it_is_empty),
        cmocka_unit_test(a_large_body_goes_out_whole_without_asking_first),
        cmocka_unit_test(a_response_is_kept_with_its_headers),
        cmocka_unit_test(a_redirect_is_an_answer_like_any_other),
        cmocka_unit_test(an_answer_cut_or_malformed_may_have_been_a_success),
        cmocka_unit_test(silence_ends_the_call_in_time),
        cmocka_unit_test(an_abandoned_call_ends_early_as_if_it_were_cut),
        cmocka_unit_test(a_connection_on_which_nothing_arrives_is_dead_before_the_call_is),
        cmocka_unit_test(no_call_waits_for_the_answer_to_another),
        cmocka_unit_test(a_call_without_a_connection_was_surely_not_sent),
        cmocka_unit_test(a_header_with_a_line_break_is_not_sent),
    };
    return cmocka_run_group_tests(tests, open_usual_client, close_client);
}
