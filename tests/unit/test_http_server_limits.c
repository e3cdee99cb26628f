// Limits of the HTTP server: requests that are too large or too slow, and too many connections.
#include "server_fixture.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

static void a_body_too_large_is_refused_and_the_connection_goes_on(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf request = BUF_MAX(1000000);
    static char body[BODY_BYTES_MAX + 1];
    memset(body, 'b', sizeof(body));
    buf_printf(&request, "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n" CRLF, sizeof(body));
    buf_add(&request, body, sizeof(body));
    buf_printf(&request, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CRLF "%zx\r\n",
               sizeof(body));
    buf_add(&request, body, sizeof(body));
    buf_add_str(&request, "\r\n0\r\n\r\n");
    buf_printf(&request, "POST /exact HTTP/1.1\r\n" HOST LAST "Content-Length: %d\r\n" CRLF, BODY_BYTES_MAX);
    buf_add(&request, body, BODY_BYTES_MAX);
    struct buf reply = exchange_bytes(request.data, request.len);
    assert_int_equal(wire_count(&reply, "HTTP/1.1 413 "), 2);
    assert_int_equal(wire_count(&reply, "HTTP/1.1 200 "), 1);
    assert_non_null(strstr(buf_str(&reply), "65536:b"));
    assert_int_equal(requests, 1);
    buf_release(&reply);
}

static void an_answer_given_early_reaches_a_client_that_is_still_sending(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf request = BUF_MAX(2000000);
    static char body[1000000];
    memset(body, 'b', sizeof(body));
    buf_printf(&request, "DELETE /early HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n" CRLF, sizeof(body));
    buf_add(&request, body, sizeof(body));
    buf_add_str(&request, "GET /next HTTP/1.1\r\n" HOST LAST CRLF);
    struct buf reply = exchange_bytes(request.data, request.len);
    assert_int_equal(wire_count(&reply, "HTTP/1.1 401 "), 1);
    assert_non_null(strstr(buf_str(&reply), "GET /next?"));
    buf_release(&reply);
}

static void bytes_from_a_refused_client_are_not_a_request(void **state)
{
    (void)state;
    static const char request[] = "GET /early HTTP/1.1\r\n" HOST "Content-Length: 41\r\n" CRLF
                                  "GET /smuggled HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
                                  "GET /next HTTP/1.1\r\n" HOST LAST CRLF;
    struct buf reply = exchange_bytes(request, strlen(request));
    assert_null(strstr(buf_str(&reply), "smuggled"));
    assert_int_equal(heads, 2);
    buf_release(&reply);
}

static void talk_endless(struct wire_client *client, int fd)
{
    static const char chunk[] = "1000\r\n";
    static char data[4096 + 2];
    memset(data, 'b', sizeof(data));
    data[4096] = '\r';
    data[4097] = '\n';
    bool alive = wire_send(fd, client->request, client->request_bytes);
    for (int i = 0; alive && i < 1000; i++) { // 4 MB
        alive = wire_send(fd, chunk, strlen(chunk)) && wire_send(fd, data, sizeof(data));
    }
    // Either it cannot send any more, or the answer and the end of the connection were there before that.
    client->ended_well =
        !alive || !wire_read_all(fd, &client->reply) || wire_count(&client->reply, "HTTP/1.1 4") == 1;
}

static void a_body_without_end_is_cut_off(void **state)
{
    (void)state;
    static const char *const endless[] = {
        "POST /early HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CRLF,
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CRLF,
    };
    for (size_t i = 0; i < COUNT_OF(endless); i++) {
        struct wire_client client = {.talk = talk_endless};
        client_start(&client, endless[i], strlen(endless[i]));
        client_wait(&client);
        assert_true(client.ended_well);
        buf_release(&client.reply);
    }
    assert_int_equal(requests, 0);
}

static void a_head_larger_than_its_memory_is_refused(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"GET / HTTP/1.1\r\n" HOST "X-Long: ", "GET /", "A"};
    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        BUF_CLEANUP struct buf request = BUF_MAX(200000);
        buf_add_str(&request, beginnings[i]);
        for (int n = 0; n < 100000; n++) {
            buf_add_str(&request, "a");
        }
        assert_replies(request.data, "HTTP/1.1 431 "); // though it still sends when it is refused
    }
    assert_int_equal(heads, 0);
}

// Sends the request, then a byte every 50 ms until the server hangs up.
static void talk_trickle(struct wire_client *client, int fd)
{
    struct pollfd hung_up = {.fd = fd, .events = POLLIN};
    bool alive = wire_send(fd, client->request, client->request_bytes);
    for (int i = 0; alive && i < 200 && poll(&hung_up, 1, 50) == 0; i++) {
        alive = wire_send(fd, "a", 1);
    }
    client->ended_well = !alive || hung_up.revents != 0;
}

static struct http_server_options impatient_options(void)
{
    struct http_server_options options = usual_options();
    options.idle_timeout_s = 1;
    options.request_timeout_s = 1;
    return options;
}

static void clients_that_trickle_and_clients_that_are_silent_are_cut_off(void **state)
{
    (void)state;
    struct http_server_options options = impatient_options();
    open_server(&options);
    static const char *const beginnings[] = {
        "GET /", "GET / HTTP/1.1\r\n" HOST "X: ", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n" CRLF,
        "POST /early HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n" CRLF};
    struct wire_client clients[COUNT_OF(beginnings) + 2] = {0};
    size_t count = COUNT_OF(beginnings);
    for (size_t i = 0; i < count; i++) {
        clients[i].talk = talk_trickle;
        client_start(&clients[i], beginnings[i], strlen(beginnings[i]));
    }
    client_start(&clients[count], "", 0);
    client_start(&clients[count + 1], "GET / HTTP/1.1\r\n" HOST CRLF, 27); // answered, then silent
    int64_t start_us = loop_mono_us(uv_service_loop_base(service));
    for (size_t i = 0; i < count + 2; i++) {
        client_wait(&clients[i]);
        assert_true(clients[i].ended_well);
    }
    assert_in_range(loop_mono_us(uv_service_loop_base(service)) - start_us, 900000, 6000000);
    assert_non_null(strstr(buf_str(&clients[count + 1].reply), "200 OK"));
    assert_int_equal(requests, 1);
    for (size_t i = 0; i < count + 2; i++) {
        buf_release(&clients[i].reply);
    }
}

static atomic_bool sipping;

static void talk_sip(struct wire_client *client, int fd)
{
    struct pollfd never = {.fd = fd};
    char sip[1024];
    bool alive = wire_send(fd, client->request, client->request_bytes);
    while (alive && sipping && poll(&never, 1, 20) == 0) {
        alive = recv(fd, sip, sizeof(sip), 0) > 0;
    }
    client->ended_well = true;
}

static void clients_that_read_nothing_or_little_of_their_answer_are_cut_off(void **state)
{
    (void)state;
    struct http_server_options options = impatient_options();
    open_server(&options);
    static const char request[] = "GET /huge HTTP/1.1\r\n" HOST LAST CRLF;
    struct wire_client sipper = {.talk = talk_sip};
    sipping = true;
    client_start(&sipper, request, strlen(request));
    int silent = wire_connect(http_server_port(server));
    assert_true(wire_send(silent, request, strlen(request)));
    int64_t start_us = loop_mono_us(uv_service_loop_base(service));
    while (ends < 2) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    assert_in_range(loop_mono_us(uv_service_loop_base(service)) - start_us, 900000, 6000000);
    sipping = false;
    client_wait(&sipper);
    close(silent);
    buf_release(&sipper.reply);
}

static void answer_held(struct timer *timer)
{
    (void)timer;
    reply_text(parked, 200, "at last");
}

static void a_parked_exchange_outlives_every_timeout(void **state)
{
    (void)state;
    struct http_server_options options = impatient_options();
    open_server(&options);
    struct wire_client client = {0};
    static const char request[] = "GET /hold HTTP/1.1\r\n" HOST LAST CRLF;
    client_start(&client, request, strlen(request));
    uv_service_loop_run(service);
    assert_non_null(parked);
    struct timer timer;
    timer_init(&timer, answer_held);
    timer_start(uv_service_loop_base(service), &timer, 3500000);
    client_wait(&client);
    assert_true(client.ended_well);
    assert_non_null(strstr(buf_str(&client.reply), "at last"));
    buf_release(&client.reply);
}

// Connects so often, and waits until the server has taken them all.
static void connect_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = wire_connect(http_server_port(server));
        while (http_server_connections(server) < i + 1) {
            uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
        }
    }
}

static void half_of_all_taken_one_address_gets_only_so_many_connections(void **state)
{
    (void)state;
    struct http_server_options options = usual_options();
    options.connections_max = 4;
    options.connections_per_address_max = 2;
    open_server(&options);
    int fds[2];
    connect_all(fds, COUNT_OF(fds));
    struct buf reply = exchange_bytes("", 0); // closed at once
    assert_int_equal(reply.len, 0);
    assert_int_equal(http_server_connections(server), 2);
    close(fds[0]);
    while (http_server_connections(server) > 1) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST CRLF, "200 OK");
    close(fds[1]);
}

static void while_most_are_free_one_address_may_have_half_of_all_connections(void **state)
{
    (void)state;
    struct http_server_options options = usual_options();
    options.connections_max = 8;
    options.connections_per_address_max = 1;
    open_server(&options);
    int fds[4];
    connect_all(fds, COUNT_OF(fds));
    struct buf reply = exchange_bytes("", 0); // closed at once
    assert_int_equal(reply.len, 0);
    assert_int_equal(http_server_connections(server), 4);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        close(fds[i]);
    }
}

static void an_unlimited_address_may_have_all_connections(void **state)
{
    (void)state;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct network_list proxies = {0};
    assert_int_equal(network_list_parse("127.0.0.0/8", &arena, &proxies, NULL), OK);
    struct http_server_options options = usual_options();
    options.connections_max = 4;
    options.connections_per_address_max = 1;
    options.unlimited = &proxies;
    open_server(&options);
    int fds[3];
    connect_all(fds, COUNT_OF(fds));
    assert_replies("GET / HTTP/1.1\r\n" HOST LAST CRLF, "200 OK");
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        close(fds[i]);
    }
}

static void connections_beyond_the_limit_wait_for_their_turn(void **state)
{
    (void)state;
    struct http_server_options options = usual_options();
    options.connections_max = 2;
    open_server(&options);
    enum { CLIENTS = 10 };
    struct wire_client clients[CLIENTS] = {0};
    static const char request[] = "GET /park HTTP/1.1\r\n" HOST LAST CRLF;
    for (int i = 0; i < CLIENTS; i++) {
        client_start(&clients[i], request, strlen(request));
    }
    for (int i = 0; i < CLIENTS; i++) {
        client_wait(&clients[i]);
        assert_non_null(strstr(buf_str(&clients[i].reply), "200 OK"));
        buf_release(&clients[i].reply);
    }
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_usual_server, close_server)
#define OWN_SERVER_TEST(name) cmocka_unit_test_teardown(name, close_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_body_too_large_is_refused_and_the_connection_goes_on),
        SERVER_TEST(an_answer_given_early_reaches_a_client_that_is_still_sending),
        SERVER_TEST(bytes_from_a_refused_client_are_not_a_request),
        SERVER_TEST(a_body_without_end_is_cut_off),
        SERVER_TEST(a_head_larger_than_its_memory_is_refused),
        OWN_SERVER_TEST(clients_that_trickle_and_clients_that_are_silent_are_cut_off),
        OWN_SERVER_TEST(clients_that_read_nothing_or_little_of_their_answer_are_cut_off),
        OWN_SERVER_TEST(a_parked_exchange_outlives_every_timeout),
        OWN_SERVER_TEST(half_of_all_taken_one_address_gets_only_so_many_connections),
        OWN_SERVER_TEST(while_most_are_free_one_address_may_have_half_of_all_connections),
        OWN_SERVER_TEST(an_unlimited_address_may_have_all_connections),
        OWN_SERVER_TEST(connections_beyond_the_limit_wait_for_their_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
