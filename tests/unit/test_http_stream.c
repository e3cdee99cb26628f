// Answers in pieces: whole and in order, made no faster than the client takes them, and ended well or
// visibly.
#include "server_fixture.h"

#include <sys/socket.h>

#define PIECE_BYTES (64 * 1024)

// What the handler does, by the path: /three at once, /later from the loop, /empty (the last one), /cut,
// /endless, /hold (until the test goes on).
static int asked;
static struct http_exchange *held;

static void give(struct http_exchange *exchange)
{
    static char filling[PIECE_BYTES];
    memset(filling, 'f', sizeof(filling));
    char piece[32];
    int bytes = snprintf(piece, sizeof(piece), "[piece %d]", asked);
    if (strcmp(exchange->path, "/endless") == 0) {
        http_exchange_more(exchange, filling, sizeof(filling), false);
    } else if (strcmp(exchange->path, "/cut") == 0 && asked == 3) {
        http_exchange_cut(exchange);
    } else if (strcmp(exchange->path, "/empty") == 0 && asked == 3) {
        http_exchange_more(exchange, NULL, 0, true);
    } else {
        http_exchange_more(exchange, piece, (size_t)bytes, asked == 3);
    }
}

static void give_later(struct task *task)
{
    struct parked_task *later = CONTAINER_OF(task, struct parked_task, task);
    give(later->exchange);
    free(later);
}

static void on_more(struct http_exchange *exchange, void *context)
{
    (void)context;
    asked++;
    if (strcmp(exchange->path, "/three") == 0) {
        give(exchange);
    } else if (strcmp(exchange->path, "/hold") == 0 && asked == 2) {
        held = exchange;
        uv_service_loop_stop(service); // the test goes on
    } else {
        struct parked_task *later = calloc(1, sizeof(*later));
        REQUIRE(later != NULL);
        later->task.run = give_later;
        later->exchange = exchange;
        loop_post(uv_service_loop_base(service), &later->task);
    }
}

static void on_stream_request(struct http_exchange *exchange, void *context)
{
    (void)context;
    static const struct http_reply_header headers[] = {{"X-Kept", "yes"}};
    struct http_reply reply = {.status = 200,
                               .content_type = "text/csv",
                               .headers = headers,
                               .header_count = 1,
                               .body = "[first]",
                               .body_bytes = 7,
                               .more = on_more};
    requests++;
    asked = 0;
    http_exchange_reply(exchange, &reply);
}

static void on_stream_end(struct http_exchange *exchange, void *context)
{
    on_end(exchange, context);
    if (clients_left == 0) {
        uv_service_loop_stop(service);
    }
}

static int open_stream_server(void **state)
{
    (void)state;
    struct http_server_options options = usual_options();
    options.on_request = on_stream_request;
    options.on_end = on_stream_end;
    held = NULL;
    open_server(&options);
    return 0;
}

static void assert_pieces(const char *target, const char *version, const char *const *pieces, size_t count)
{
    char request[128];
    snprintf(request, sizeof(request), "GET %s HTTP/%s\r\n" HOST LAST CRLF, target, version);
    struct buf reply = exchange_bytes(request, strlen(request));
    const char *at = buf_str(&reply);
    assert_non_null(strstr(at, " 200 OK\r\n"));
    assert_non_null(strstr(at, "X-Kept: yes\r\n"));
    for (size_t i = 0; i < count; i++) {
        const char *found = strstr(at, pieces[i]);
        if (found == NULL) {
            fail_msg("%s: no %s in order: %s", target, pieces[i], buf_str(&reply));
        } else {
            at = found;
        }
    }
    buf_release(&reply);
}

static const char *const whole[] = {"\r\n\r\n", "[first]", "[piece 1]", "[piece 2]", "[piece 3]"};

static void pieces_come_whole_and_in_order(void **state)
{
    (void)state;
    static const char *const chunked[] = {"[first]", "[piece 1]", "[piece 2]", "[piece 3]", "\r\n0\r\n\r\n"};
    static const char *const emptied[] = {"[first]", "[piece 1]", "[piece 2]", "\r\n0\r\n\r\n"};
    assert_pieces("/three", "1.1", chunked, 5);
    assert_int_equal(asked, 3);
    assert_pieces("/later", "1.1", chunked, 5);
    assert_int_equal(asked, 3);
    assert_pieces("/empty", "1.1", emptied, 4);
    assert_int_equal(asked, 3);
}

static void an_old_client_gets_them_until_the_connection_ends(void **state)
{
    (void)state;
    assert_pieces("/three", "1.0", whole, 5);
    assert_pieces("/later", "1.0", whole, 5);
    assert_pieces("/empty", "1.0", whole, 4);
}

static void the_connection_goes_on_after_the_last_piece(void **state)
{
    (void)state;
    static const char request[] =
        "GET /later HTTP/1.1\r\n" HOST CRLF "GET /three HTTP/1.1\r\n" HOST LAST CRLF;
    struct buf reply = exchange_bytes(request, strlen(request));
    assert_int_equal(wire_count(&reply, "[piece 3]"), 2);
    assert_int_equal(requests, 2);
    buf_release(&reply);
}

static void a_cut_body_is_not_whole(void **state)
{
    (void)state;
    static const char request[] = "GET /cut HTTP/1.1\r\n" HOST CRLF;
    struct wire_client client = {0};
    client_start(&client, request, strlen(request));
    client_wait(&client);
    assert_non_null(strstr(buf_str(&client.reply), "[piece 2]"));
    assert_null(strstr(buf_str(&client.reply), "\r\n0\r\n"));
    buf_release(&client.reply);

    static const char old_request[] = "GET /cut HTTP/1.0\r\n" CRLF;
    struct wire_client old_client = {0};
    client_start(&old_client, old_request, strlen(old_request));
    client_wait(&old_client);
    assert_int_equal(asked, 3);
    assert_false(old_client.ended_well); // a reset
    buf_release(&old_client.reply);
}

// Reads a little of an endless answer, and hangs up.
static void talk_a_little(struct wire_client *client, int fd)
{
    char taken[1000];
    client->ended_well = wire_send(fd, client->request, client->request_bytes) &&
                         recv(fd, taken, sizeof(taken), MSG_WAITALL) == sizeof(taken);
}

static void no_more_is_made_than_the_client_takes_and_it_may_leave(void **state)
{
    (void)state;
    static const char request[] = "GET /endless HTTP/1.1\r\n" HOST CRLF;
    struct wire_client client = {.talk = talk_a_little};
    client_start(&client, request, strlen(request));
    client_wait(&client);
    assert_true(client.ended_well);
    if (ends == 0) {
        uv_service_loop_run(service);
    }
    assert_int_equal(ends, 1);
    assert_in_range(asked, 1, 16 * 1024 * 1024 / PIECE_BYTES); // what socket buffers hold
}

static void talk_and_leave(struct wire_client *client, int fd)
{
    client->ended_well = wire_send(fd, client->request, client->request_bytes) &&
                         wire_read_until(fd, &client->reply, "[piece 1]");
}

static void a_piece_for_a_client_that_left_meanwhile_is_taken_all_the_same(void **state)
{
    (void)state;
    static const char request[] = "GET /hold HTTP/1.1\r\n" HOST CRLF;
    struct wire_client client = {.talk = talk_and_leave};
    client_start(&client, request, strlen(request));
    while (held == NULL) {
        uv_service_loop_run(service);
    }
    client_wait(&client);
    assert_true(client.ended_well);
    assert_int_equal(ends, 0);
    http_exchange_more(held, "[late]", 6, true);
    if (ends == 0) {
        uv_service_loop_run(service);
    }
    assert_int_equal(ends, 1);
    buf_release(&client.reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stream_server, close_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_come_whole_and_in_order),
        TEST(an_old_client_gets_them_until_the_connection_ends),
        TEST(the_connection_goes_on_after_the_last_piece),
        TEST(a_cut_body_is_not_whole),
        TEST(no_more_is_made_than_the_client_takes_and_it_may_leave),
        TEST(a_piece_for_a_client_that_left_meanwhile_is_taken_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
