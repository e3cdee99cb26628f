// The HTTP server as its handlers and ordinary clients see it.
#include "server_fixture.h"

#include <malloc.h>
#include <sys/socket.h>

static void a_request_reaches_its_handler_and_is_answered(void **state)
{
    (void)state;
    static const char request[] = "GET /a%20b/%C3%A9?x=%2F+1 HTTP/1.1\r\n" HOST LAST CRLF;
    struct buf reply = exchange_bytes(request, strlen(request));
    assert_non_null(strstr(buf_str(&reply), "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(buf_str(&reply), "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(buf_str(&reply), "\r\n\r\nGET /a b/\xc3\xa9?x=%2F+1 127.0.0.1 [] 0:"));
    assert_int_equal(heads, 1);
    assert_int_equal(requests, 1);
    buf_release(&reply);
}

static void a_reply_header_with_a_line_break_is_left_out(void **state)
{
    (void)state;
    static const char request[] = "GET /drop HTTP/1.1\r\n" HOST LAST CRLF;
    struct buf reply = exchange_bytes(request, strlen(request));
    assert_non_null(strstr(buf_str(&reply), "\r\nX-Kept: yes\r\n"));
    assert_null(strstr(buf_str(&reply), "X-Injected"));
    buf_release(&reply);
}

static void headers_are_found_in_any_case_and_repetition_shows(void **state)
{
    (void)state;
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST "X-Asked: \t one two \t\r\n" CRLF, "[one two]");
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST "x-asked: 1\r\nX-ASKED: 2\r\n" CRLF, "[1, repeated]");
}

static void a_header_that_is_a_list_is_found_whole(void **state)
{
    (void)state;
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST "X-Listed: 1, 2\r\nX-Asked: 0\r\nx-listed: 3\r\n" CRLF,
                   "{1, 2,3}");
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST CRLF, "{}");
}

static size_t list_memory_bytes;

static void on_listed_request(struct http_exchange *exchange, void *context)
{
    (void)context;
    requests++;
    struct mallinfo2 before = mallinfo2();
    const char *listed = http_exchange_header_list(exchange, "X-Listed");
    struct mallinfo2 after = mallinfo2();
    list_memory_bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    reply_text(exchange, 200, listed);
}

static void a_header_that_is_repeated_often_takes_little_memory(void **state)
{
    (void)state;
    struct http_server_options options = usual_options();
    options.on_request = on_listed_request;
    open_server(&options);
    BUF_CLEANUP struct buf request = BUF_MAX(options.head_bytes_max);
    buf_add_str(&request, "GET / HTTP/1.1\r\n" HOST LAST);
    for (int i = 0; i < 280; i++) {
        buf_add_str(&request, "X-Listed: 2001:db8::1:2:3\r\n");
    }
    buf_add_str(&request, CRLF);
    assert_false(request.overflow);
    struct buf reply = exchange_bytes(request.data, request.len);
    assert_int_equal(wire_count(&reply, "2001:db8::1:2:3,"), 279);
    assert_in_range(list_memory_bytes, 0, 16 * options.head_bytes_max);
    buf_release(&reply);
}

static void a_body_comes_whole_by_its_length_or_in_chunks(void **state)
{
    (void)state;
    assert_replies("POST / HTTP/1.1\r\n" HOST LAST "Content-Length: 5\r\n" CRLF "hello", "5:h");
    assert_replies("POST / HTTP/1.1\r\n" HOST LAST "Content-Length: 0\r\n" CRLF, "0:");
    assert_replies("PATCH / HTTP/1.1\r\n" HOST LAST "Transfer-Encoding: chunked\r\n" CRLF
                   "5;extension=1\r\nhello\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n" CRLF,
                   "8:h");
}

static void any_method_reaches_the_handler(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET",    "POST",    "PUT",   "PATCH",
                                          "DELETE", "OPTIONS", "TRACE", "BREW"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        char request[100];
        char expected[40];
        snprintf(request, sizeof(request), "%s / HTTP/1.1\r\n" HOST LAST CRLF, methods[i]);
        snprintf(expected, sizeof(expected), "\r\n\r\n%s /? 127.0.0.1", methods[i]);
        assert_replies(request, expected);
    }
}

static void head_is_answered_without_a_body(void **state)
{
    (void)state;
    static const char request[] = "HEAD / HTTP/1.1\r\n" HOST LAST CRLF;
    struct buf reply = exchange_bytes(request, strlen(request));
    assert_non_null(strstr(buf_str(&reply), "\r\nContent-Length: 26\r\n"));
    assert_string_equal(buf_str(&reply) + reply.len - 4, "\r\n\r\n");
    buf_release(&reply);
}

static void requests_on_one_connection_are_answered_in_order(void **state)
{
    (void)state;
    static const char request[] =
        "GET /1 HTTP/1.1\r\n" HOST CRLF "GET /park?2 HTTP/1.1\r\n" HOST CRLF "POST /early HTTP/1.1\r\n" HOST
        "Content-Length: 3\r\n" CRLF "abc"
        "GET /early HTTP/1.1\r\n" HOST CRLF "POST /3 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" CRLF "abc"
        "POST /park?4 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CRLF "2\r\nde\r\n0\r\n\r\n"
        "GET /5 HTTP/1.1\r\n" HOST LAST CRLF;
    static const char *const expected[] = {"GET /1?",
                                           "GET /park?2",
                                           "early",
                                           "early",
                                           "POST /3? 127.0.0.1 [] 3:a",
                                           "POST /park?4 127.0.0.1 [] 2:d",
                                           "GET /5?"};
    struct buf reply = exchange_bytes(request, strlen(request));
    const char *at = buf_str(&reply);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        at = at ? strstr(at, "\r\n\r\n") : NULL;
        at = at ? at + 4 : "";
        if (strncmp(at, expected[i], strlen(expected[i])) != 0) {
            fail_msg("answer %zu: %s", i, at);
        }
    }
    assert_int_equal(wire_count(&reply, "HTTP/1.1 "), 7);
    assert_int_equal(heads, 7);
    assert_int_equal(requests, 5);
    buf_release(&reply);
}

// The client ends its side at once: what it sent before is answered all the same.
static void many_requests_sent_at_once_do_not_keep_the_loop_from_others(void **state)
{
    (void)state;
    enum { REQUESTS = 300 };
    BUF_CLEANUP struct buf request = BUF_MAX(20000);
    buf_add_str(&request, "GET /park HTTP/1.1\r\n" HOST CRLF);
    for (int i = 1; i < REQUESTS; i++) {
        buf_add_str(&request, "GET / HTTP/1.1\r\n" HOST CRLF);
    }
    int fd = wire_connect(http_server_port(server));
    assert_true(wire_send(fd, request.data, request.len));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    do {
        int before = requests;
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
        assert_in_range(requests - before, 0, 64);
    } while (requests == 0 || http_server_connections(server) > 0);
    assert_int_equal(requests, REQUESTS);
    struct buf reply = BUF_MAX(1 << 20);
    assert_true(wire_read_all(fd, &reply));
    assert_int_equal(wire_count(&reply, "HTTP/1.1 200 OK"), REQUESTS);
    buf_release(&reply);
    close(fd);
}

static void many_connections_are_answered_at_once(void **state)
{
    (void)state;
    enum { CLIENTS = 40 };
    struct wire_client clients[CLIENTS] = {0};
    static const char request[] = "GET /park HTTP/1.1\r\n" HOST CRLF "GET /park HTTP/1.1\r\n" HOST LAST CRLF;
    for (int i = 0; i < CLIENTS; i++) {
        client_start(&clients[i], request, strlen(request));
    }
    for (int i = 0; i < CLIENTS; i++) {
        client_wait(&clients[i]);
        assert_int_equal(wire_count(&clients[i].reply, "HTTP/1.1 200 OK"), 2);
        buf_release(&clients[i].reply);
    }
    assert_int_equal(requests, 2 * CLIENTS);
}

static void talk_continue(struct wire_client *client, int fd)
{
    if (!wire_send(fd, client->request, client->request_bytes) ||
        !wire_read_until(fd, &client->reply, "HTTP/1.1 100 Continue\r\n\r\n") || !wire_send(fd, "hello", 5)) {
        return;
    }
    client->ended_well = wire_read_all(fd, &client->reply);
}

static void a_client_that_asks_before_it_sends_is_asked_to_continue(void **state)
{
    (void)state;
    static const char request[] =
        "POST / HTTP/1.1\r\n" HOST LAST "Content-Length: 5\r\nExpect: 100-continue\r\n" CRLF;
    struct wire_client client = {.talk = talk_continue};
    client_start(&client, request, strlen(request));
    client_wait(&client);
    assert_true(client.ended_well);
    assert_non_null(strstr(buf_str(&client.reply), "5:h"));
    buf_release(&client.reply);
}

static void a_client_that_asks_before_it_sends_may_be_refused(void **state)
{
    (void)state;
    static const char *const requests_refused[] = {
        "PUT /early HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n" CRLF,
        "PATCH / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\nExpect: 100-continue\r\n" CRLF,
    };
    for (size_t i = 0; i < COUNT_OF(requests_refused); i++) {
        struct buf reply = exchange_bytes(requests_refused[i], strlen(requests_refused[i]));
        assert_null(strstr(buf_str(&reply), "100 Continue"));
        assert_non_null(strstr(buf_str(&reply), i == 0 ? "HTTP/1.1 401 " : "HTTP/1.1 413 "));
        assert_non_null(
            strstr(buf_str(&reply), "\r\nConnection: close\r\n")); // the body may or may not follow
        buf_release(&reply);
    }
    assert_int_equal(requests, 0);
}

static void hang_up_while_parked(const struct linger *linger)
{
    int fd = wire_connect(http_server_port(server));
    static const char request[] = "GET /hold HTTP/1.1\r\n" HOST CRLF;
    assert_true(wire_send(fd, request, strlen(request)));
    uv_service_loop_run(service); // until the handler parks it
    assert_non_null(parked);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, sizeof(*linger)), 0);
    close(fd);
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST CRLF, "200 OK");
    assert_int_equal(http_server_exchanges(server), 1);
    reply_text(parked, 200, "too late");
    while (http_server_exchanges(server) > 0) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    assert_null(parked);
}

static void a_client_that_hangs_up_while_parked_is_no_harm(void **state)
{
    (void)state;
    hang_up_while_parked(&(struct linger){0});
    hang_up_while_parked(&(struct linger){.l_onoff = 1}); // by a reset: the answer cannot even be written
    assert_int_equal(ends, 4);
}

static void a_client_that_hangs_up_within_its_body_never_made_a_request(void **state)
{
    (void)state;
    static const char request[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 50\r\n" CRLF "partial";
    int fd = wire_connect(http_server_port(server));
    assert_true(wire_send(fd, request, strlen(request)));
    while (heads < 1) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    close(fd);
    while (ends < 1) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    assert_int_equal(requests, 0);
}

static void closing_the_server_ends_what_is_parked(void **state)
{
    (void)state;
    int fd = wire_connect(http_server_port(server));
    static const char request[] = "GET /hold HTTP/1.1\r\n" HOST CRLF;
    assert_true(wire_send(fd, request, strlen(request)));
    uv_service_loop_run(service);
    assert_non_null(parked);
    http_server_close(server);
    assert_int_equal(ends, 1);
    assert_null(parked);
    close(fd);
    struct http_server_options options = usual_options(); // for the teardown
    assert_int_equal(http_server_open(service, &options, &server, NULL), OK);
}

static void a_draining_server_answers_what_it_has_and_takes_no_more(void **state)
{
    (void)state;
    uint16_t port = http_server_port(server);
    struct wire_client idle = {0};
    client_start(&idle, "", 0);
    while (http_server_connections(server) < 1) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    struct wire_client busy = {0};
    static const char request[] = "GET /hold HTTP/1.1\r\n" HOST CRLF;
    client_start(&busy, request, strlen(request));
    uv_service_loop_run(service);
    assert_non_null(parked);
    http_server_drain(server);
    http_server_drain(server);
    assert_int_equal(wire_connect(port), -1);
    while (http_server_connections(server) > 1) { // the idle one goes
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    assert_int_equal(http_server_exchanges(server), 1);
    reply_text(parked, 200, "last words");
    while (http_server_connections(server) > 0) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    client_wait(&idle);
    client_wait(&busy);
    assert_int_equal(idle.reply.len, 0);
    assert_non_null(strstr(buf_str(&busy.reply), "\r\nConnection: close\r\n"));
    assert_non_null(strstr(buf_str(&busy.reply), "last words"));
    buf_release(&idle.reply);
    buf_release(&busy.reply);
}

static void the_listen_address_is_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "8080",
                                      ":8080",
                                      "localhost:8080",
                                      "127.0.0.1",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:",
                                      "::1:80",
                                      "[::1]",
                                      "[::1:80",
                                      "[127.0.0.1]:80",
                                      "256.0.0.1:80",
                                      "8.8.8.8:0"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct http_server_options options = usual_options();
        options.listen = bad[i];
        struct http_server *other = NULL;
        struct err err = {0};
        assert_int_equal(http_server_open(service, &options, &other, &err),
                         strcmp(bad[i], "8.8.8.8:0") == 0 ? ERR_CONFIG : ERR_VALIDATION);
        assert_null(other);
        assert_true(strlen(err.message) > 10);
    }
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    char taken[32];
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", http_server_port(server));
    struct http_server_options options = usual_options();
    options.listen = taken;
    struct http_server *other = NULL;
    struct err err = {0};
    assert_int_equal(http_server_open(service, &options, &other, &err), ERR_EXISTS);
    assert_non_null(strstr(err.message, taken));
    assert_non_null(strstr(err.message, "in use"));
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_usual_server, close_server)
#define OWN_SERVER_TEST(name) cmocka_unit_test_teardown(name, close_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_request_reaches_its_handler_and_is_answered),
        SERVER_TEST(a_reply_header_with_a_line_break_is_left_out),
        SERVER_TEST(headers_are_found_in_any_case_and_repetition_shows),
        SERVER_TEST(a_header_that_is_a_list_is_found_whole),
        OWN_SERVER_TEST(a_header_that_is_repeated_often_takes_little_memory),
        SERVER_TEST(a_body_comes_whole_by_its_length_or_in_chunks),
        SERVER_TEST(any_method_reaches_the_handler),
        SERVER_TEST(head_is_answered_without_a_body),
        SERVER_TEST(requests_on_one_connection_are_answered_in_order),
        SERVER_TEST(many_requests_sent_at_once_do_not_keep_the_loop_from_others),
        SERVER_TEST(many_connections_are_answered_at_once),
        SERVER_TEST(a_client_that_asks_before_it_sends_is_asked_to_continue),
        SERVER_TEST(a_client_that_asks_before_it_sends_may_be_refused),
        SERVER_TEST(a_client_that_hangs_up_while_parked_is_no_harm),
        SERVER_TEST(a_client_that_hangs_up_within_its_body_never_made_a_request),
        SERVER_TEST(closing_the_server_ends_what_is_parked),
        SERVER_TEST(a_draining_server_answers_what_it_has_and_takes_no_more),
        SERVER_TEST(the_listen_address_is_checked),
        SERVER_TEST(a_taken_port_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
