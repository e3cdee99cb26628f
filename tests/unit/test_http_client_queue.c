// Calls that are more than the client may have connections for.
#include "client_fixture.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void open_narrow_client(long connections_max, long host_connections_max)
{
    struct http_client_options options = {.user_agent = "tests/1",
                                          .connections_max = connections_max,
                                          .host_connections_max = host_connections_max};
    open_client(&options);
}

static void waiting_for_a_connection_counts_against_the_time_of_a_call(void **state)
{
    (void)state;
    open_narrow_client(5, 1);
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
    assert_string_equal(second.call.error, "no connection became free in time");
    calls_left = 1;
    wait_for_calls();
    assert_int_equal(first.call.result, HTTP_CUT);
    http_call_release(&first.call);
    http_call_release(&second.call);
    wire_server_join(&server);
    assert_null(strstr(buf_str(&server.requests), "/second"));
    buf_release(&server.requests);
}

static void calls_wait_for_a_connection_in_the_order_they_were_sent(void **state)
{
    (void)state;
    open_narrow_client(5, 1);
    static const struct wire_answer answers[] = {
        {ANSWER, WIRE_CLOSE, 0}, {ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call calls[4];
    for (int i = 0; i < 4; i++) {
        char path[20];
        snprintf(path, sizeof(path), "/%d", i);
        call_init(&calls[i], server.port, path);
        send_call(&calls[i].call);
    }
    wait_for_calls();
    wire_server_join(&server);
    const char *at = buf_str(&server.requests);
    for (int i = 0; i < 4; i++) {
        char line[20];
        snprintf(line, sizeof(line), "GET /%d ", i);
        assert_int_equal(calls[i].call.result, HTTP_DONE);
        at = strstr(at, line);
        assert_non_null(at);
        http_call_release(&calls[i].call);
    }
    assert_int_equal(server.connections, 2);
    buf_release(&server.requests);
}

static void a_busy_host_delays_no_call_to_another(void **state)
{
    (void)state;
    open_narrow_client(5, 1);
    static const struct wire_answer held = {NULL, WIRE_HOLD, 0};
    static const struct wire_answer answer = {ANSWER, WIRE_CLOSE, 0};
    struct wire_server busy;
    struct wire_server other;
    wire_server_start(&busy, &held, 1);
    wire_server_start(&other, &answer, 1);
    struct named_call calls[3];
    for (int i = 0; i < 3; i++) {
        call_init(&calls[i], i < 2 ? busy.port : other.port, "/");
        calls[i].call.timeout_ms = 60000;
    }
    calls_left = -2; // stops the loop when the first of the three is done
    for (int i = 0; i < 3; i++) {
        send_call(&calls[i].call);
    }
    uv_service_loop_run(service);
    assert_int_equal(calls[2].call.result, HTTP_DONE);
    calls_left = 2;
    http_call_abandon(&calls[0].call);
    http_call_abandon(&calls[1].call);
    wait_for_calls();
    assert_int_equal(calls[0].call.result, HTTP_CUT);
    assert_int_equal(calls[1].call.result, HTTP_NOT_SENT); // it was abandoned while it waited
    for (int i = 0; i < 3; i++) {
        http_call_release(&calls[i].call);
    }
    wire_server_join(&busy);
    wire_server_join(&other);
    buf_release(&busy.requests);
    buf_release(&other.requests);
}

static void a_kept_connection_makes_room_for_one_to_another_host(void **state)
{
    (void)state;
    open_narrow_client(1, 1);
    static const struct wire_answer answers[] = {{ANSWER, WIRE_KEEP, 0}, {ANSWER, WIRE_KEEP, 0}};
    struct wire_server servers[2];
    for (int i = 0; i < 2; i++) {
        wire_server_start(&servers[i], answers, COUNT_OF(answers));
    }
    struct named_call calls[4]; // each to the other host than the one before
    for (int i = 0; i < 4; i++) {
        call_init(&calls[i], servers[i % 2].port, "/");
        send_call(&calls[i].call);
    }
    wait_for_calls();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].call.result, HTTP_DONE);
        http_call_release(&calls[i].call);
    }
    for (int i = 0; i < 2; i++) {
        wire_server_join(&servers[i]);
        assert_int_equal(servers[i].connections, 2);
        buf_release(&servers[i].requests);
    }
}

#define QUEUE_TEST(name) cmocka_unit_test_teardown(name, close_client)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(waiting_for_a_connection_counts_against_the_time_of_a_call),
        QUEUE_TEST(calls_wait_for_a_connection_in_the_order_they_were_sent),
        QUEUE_TEST(a_busy_host_delays_no_call_to_another),
        QUEUE_TEST(a_kept_connection_makes_room_for_one_to_another_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
