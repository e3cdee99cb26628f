// Calls of the HTTP client one after another, which share libcurl's handle and connection.
#include "client_fixture.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void a_request_carries_nothing_of_the_one_before(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {
        {ANSWER, WIRE_KEEP, 0},
        {ANSWER, WIRE_KEEP, 0},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", WIRE_KEEP, 0}, // of a HEAD: no body comes
        {ANSWER, WIRE_KEEP, 0},
        {ANSWER, WIRE_CLOSE, 0},
    };
    static const struct http_header header = {"X-Number", "1"};
    static const struct {
        const char *method;
        const char *body;
        const char *sent;
    } requests[] = {
        {"POST", "hello", "POST / HTTP/1.1\r\n"}, {"GET", NULL, "GET / HTTP/1.1\r\n"},
        {"HEAD", NULL, "HEAD / HTTP/1.1\r\n"},    {"PUT", "hello", "PUT / HTTP/1.1\r\n"},
        {"GET", NULL, "GET / HTTP/1.1\r\n"},
    };
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct named_call named;
        call_init(&named, server.port, "/");
        named.call.method = requests[i].method;
        named.call.body = requests[i].body;
        named.call.body_bytes = requests[i].body != NULL ? strlen(requests[i].body) : 0;
        named.call.headers = &header;
        named.call.header_count = i == 0;
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, HTTP_DONE);
        assert_int_equal(named.call.status, i == 2 ? 204 : 200);
        assert_int_equal(named.call.response_body.len, i == 2 ? 0 : 2);
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    const char *sent = buf_str(&server.requests);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        sent = strstr(sent, requests[i].sent);
        assert_non_null(sent);
    }
    assert_int_equal(wire_count(&server.requests, "X-Number"), 1);
    assert_int_equal(wire_count(&server.requests, "Content-Length: 5\r\n"), 2);
    assert_int_equal(wire_count(&server.requests, "Content-Length"), 2);
    assert_int_equal(wire_count(&server.requests, "hello"), 2);
    assert_int_equal(server.connections, 1);
    buf_release(&server.requests);
}

static void a_kept_connection_that_died_is_replaced(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {{ANSWER, WIRE_CLOSE, 0}, {ANSWER, WIRE_CLOSE, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    for (int i = 0; i < 2; i++) {
        struct named_call named;
        call_init(&named, server.port, "/");
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, HTTP_DONE);
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    assert_int_equal(server.connections, 2);
    buf_release(&server.requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_carries_nothing_of_the_one_before),
        cmocka_unit_test(a_kept_connection_that_died_is_replaced),
    };
    return cmocka_run_group_tests(tests, open_usual_client, close_client);
}
