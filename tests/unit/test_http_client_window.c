// A call that may not be written after a certain time: wherever its time ends, no server gets all of it
// later.
#include "client_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static int64_t wall_us(void)
{
    return loop_wall_us(uv_service_loop_base(service));
}

static void wait_until_us(int64_t at_us)
{
    struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

static void a_call_in_time_is_sent(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {{ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_CLOSE, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    for (int i = 0; i < 2; i++) {
        struct named_call named;
        call_init(&named, server.port, "/");
        named.call.send_before_us = wall_us() + 5000000;
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, HTTP_DONE);
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    buf_release(&server.requests);
}

static void a_call_whose_time_is_over_is_not_written_to_a_new_connection_nor_to_a_kept_one(void **state)
{
    (void)state;
    static const struct wire_answer answers[] = {{ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_CLOSE, 0}};
    static const struct {
        const char *path;
        enum http_result result;
    } calls[] = {{"/late", HTTP_TOO_LATE}, {"/", HTTP_DONE}, {"/late", HTTP_TOO_LATE}, {"/", HTTP_DONE}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct named_call named;
        call_init(&named, server.port, calls[i].path);
        named.call.send_before_us = calls[i].result == HTTP_TOO_LATE ? wall_us() : 0;
        send_call(&named.call);
        wait_for_calls();
        assert_int_equal(named.call.result, calls[i].result);
        assert_int_equal(named.call.error[0] != '\0', calls[i].result == HTTP_TOO_LATE);
        http_call_release(&named.call);
    }
    wire_server_join(&server);
    assert_null(strstr(buf_str(&server.requests), "/late"));
    buf_release(&server.requests);
}

static void a_call_whose_time_ends_in_the_handshake_is_not_written(void **state)
{
    (void)state;
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server silent; // waits for a request, and so shakes no hands
    wire_server_start(&silent, &answer, 1);
    struct named_call named;
    call_init(&named, 0, "/");
    snprintf(named.url, sizeof(named.url), "https://127.0.0.1:%d/", silent.port);
    named.call.send_before_us = wall_us() + 50000;
    send_call(&named.call);
    wait_for_calls();
    assert_true(wall_us() >= named.call.send_before_us);
    assert_int_equal(named.call.result, HTTP_TOO_LATE);
    http_call_release(&named.call);
    wire_server_join(&silent);
    buf_release(&silent.requests);
}

// Answers one request on a connection, takes a second one, waits until it is too late and hangs up. Whatever
// comes on the next connection is kept.
struct dying_server {
    int listening;
    int64_t dies_us;
    struct buf requests;
    pthread_t thread;
};

static void *die(void *cls)
{
    struct dying_server *server = cls;
    int fd = accept(server->listening, NULL, NULL);
    (void)wire_read_until(fd, &server->requests, "\r\n\r\n");
    (void)wire_send(fd, ANSWER, strlen(ANSWER));
    (void)wire_read_until(fd, &server->requests, "/second HTTP/1.1\r\n");
    wait_until_us(server->dies_us);
    close(fd);
    fd = accept(server->listening, NULL, NULL);
    if (fd >= 0) {
        (void)wire_read_all(fd, &server->requests);
        close(fd);
    }
    return NULL;
}

static void a_call_on_a_connection_that_died_is_not_written_again_when_its_time_is_over(void **state)
{
    (void)state;
    uint16_t port = 0;
    struct dying_server server = {
        .listening = wire_listen(&port), .dies_us = wall_us() + 1000000, .requests = BUF_MAX(10000)};
    assert_int_equal(pthread_create(&server.thread, NULL, die, &server), 0);
    struct named_call calls[2];
    for (int i = 0; i < 2; i++) {
        call_init(&calls[i], port, i == 0 ? "/first" : "/second");
        calls[i].call.send_before_us = server.dies_us;
        send_call(&calls[i].call);
        wait_for_calls();
    }
    assert_int_equal(calls[0].call.result, HTTP_DONE);
    assert_int_equal(calls[1].call.result, HTTP_CUT); // the first time it was written in time
    (void)shutdown(server.listening, SHUT_RDWR);
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    assert_int_equal(wire_count(&server.requests, "/second"), 1);
    http_call_release(&calls[0].call);
    http_call_release(&calls[1].call);
    close(server.listening);
    buf_release(&server.requests);
}

static void the_rest_of_a_large_request_is_not_written_when_its_time_is_over(void **state)
{
    (void)state;
    static char body[16 * 1024 * 1024]; // more than the kernel takes
    uint16_t port = 0;
    int listening = wire_listen(&port);
    struct named_call named;
    call_init(&named, port, "/");
    named.call.method = "POST";
    named.call.body = body;
    named.call.body_bytes = sizeof(body);
    named.call.send_before_us = wall_us() + 500000;
    send_call(&named.call);
    wait_for_calls();
    assert_int_equal(named.call.result, HTTP_TOO_LATE);
    http_call_release(&named.call);
    int fd = accept(listening, NULL, NULL);
    BUF_CLEANUP struct buf came = BUF_MAX(sizeof(body) + 10000);
    (void)wire_read_all(fd, &came);
    assert_in_range(came.len, 1, sizeof(body));
    close(fd);
    close(listening);
}

static void a_call_that_waits_for_a_connection_ends_when_it_is_too_late(void **state)
{
    (void)state;
    close_client(NULL);
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 5, .host_connections_max = 1};
    open_client(&options);
    static const struct wire_answer answers[] = {{NULL, WIRE_HOLD, 0}, {ANSWER, WIRE_CLOSE, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call calls[3];
    static const char *const paths[] = {"/first", "/late", "/third"};
    for (int i = 0; i < 3; i++) {
        call_init(&calls[i], server.port, paths[i]);
    }
    calls[0].call.timeout_ms = 300;
    calls[1].call.send_before_us = wall_us() + 50000;
    calls[2].call.send_before_us = wall_us() + 5000000;
    for (int i = 0; i < 3; i++) {
        send_call(&calls[i].call);
    }
    wait_for_calls();
    wire_server_join(&server);
    assert_int_equal(calls[0].call.result, HTTP_CUT);
    assert_int_equal(calls[1].call.result, HTTP_TOO_LATE);
    assert_int_equal(calls[2].call.result, HTTP_DONE);
    assert_null(strstr(buf_str(&server.requests), "/late"));
    for (int i = 0; i < 3; i++) {
        http_call_release(&calls[i].call);
    }
    buf_release(&server.requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_in_time_is_sent),
        cmocka_unit_test(a_call_whose_time_is_over_is_not_written_to_a_new_connection_nor_to_a_kept_one),
        cmocka_unit_test(a_call_whose_time_ends_in_the_handshake_is_not_written),
        cmocka_unit_test(a_call_on_a_connection_that_died_is_not_written_again_when_its_time_is_over),
        cmocka_unit_test(the_rest_of_a_large_request_is_not_written_when_its_time_is_over),
        cmocka_unit_test(a_call_that_waits_for_a_connection_ends_when_it_is_too_late),
    };
    return cmocka_run_group_tests(tests, open_usual_client, close_client);
}
