// Refusals of libcurl or libuv at any time: the call ends, or goes out in another way, and others go on.
#include "client_fixture.h"

#include <curl/curl.h>
#include <uv.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// How many calls of each function are refused from now on.
static struct {
    int options;
    int adds;
    int assigns;
    int removals;
    int polls;
    int multis;
} refusals;

static bool is_refused(int *left)
{
    bool refused = *left > 0;
    *left -= refused;
    return refused;
}

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
CURLM *__real_curl_multi_init(void);
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __real_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode __real_curl_multi_assign(CURLM *multi, curl_socket_t fd, void *data);
int __real_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);
CURLM *__wrap_curl_multi_init(void);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_assign(CURLM *multi, curl_socket_t fd, void *data);
int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);

CURLM *__wrap_curl_multi_init(void)
{
    return is_refused(&refusals.multis) ? NULL : __real_curl_multi_init();
}

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list arguments;
    va_start(arguments, option);
    void *value = va_arg(arguments, void *); // as large as every other kind of value
    va_end(arguments);
    if (option == CURLOPT_URL && is_refused(&refusals.options)) {
        return CURLE_UNKNOWN_OPTION;
    }
    return __real_curl_easy_setopt(easy, option, value);
}

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    return is_refused(&refusals.adds) ? CURLM_INTERNAL_ERROR : __real_curl_multi_add_handle(multi, easy);
}

CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
    CURLMcode code = __real_curl_multi_remove_handle(multi, easy);
    return is_refused(&refusals.removals) ? CURLM_INTERNAL_ERROR : code;
}

CURLMcode __wrap_curl_multi_assign(CURLM *multi, curl_socket_t fd, void *data)
{
    bool refused = data != NULL && is_refused(&refusals.assigns);
    return refused ? CURLM_BAD_SOCKET : __real_curl_multi_assign(multi, fd, data);
}

int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd)
{
    return is_refused(&refusals.polls) ? UV_ENOSPC : __real_uv_poll_init_socket(loop, poll, fd);
}
// NOLINTEND(bugprone-reserved-identifier)

// Sends a call and then a second one, with this refused in between.
static enum http_result second_of_two(int *refused, int times)
{
    static const struct wire_answer answers[] = {{ANSWER, WIRE_CLOSE, 0}, {ANSWER, WIRE_CLOSE, 0}};
    struct wire_server server;
    wire_server_start(&server, answers, COUNT_OF(answers));
    struct named_call calls[2];
    for (int i = 0; i < 2; i++) {
        call_init(&calls[i], server.port, "/");
        calls[i].call.timeout_ms = 60000;
        *refused = i == 1 ? times : 0;
        send_call(&calls[i].call);
        wait_for_calls();
        assert_int_equal(*refused, 0);
        http_call_release(&calls[i].call);
    }
    wire_server_join(&server);
    buf_release(&server.requests);
    assert_int_equal(calls[0].call.result, HTTP_DONE);
    assert_int_equal(calls[1].call.error[0] != '\0', calls[1].call.result != HTTP_DONE);
    return calls[1].call.result;
}

static void a_handle_that_refuses_is_replaced_once(void **state)
{
    (void)state;
    assert_int_equal(second_of_two(&refusals.options, 1), HTTP_DONE);
    assert_int_equal(second_of_two(&refusals.adds, 1), HTTP_DONE);
}

static void a_call_that_a_new_handle_refuses_is_not_sent(void **state)
{
    (void)state;
    assert_int_equal(second_of_two(&refusals.options, 2), HTTP_NOT_SENT);
    assert_int_equal(second_of_two(&refusals.adds, 2), HTTP_NOT_SENT);
}

static void a_call_whose_socket_cannot_be_watched_ends_soon(void **state)
{
    (void)state;
    assert_int_equal(second_of_two(&refusals.polls, 1), HTTP_NOT_SENT);
    assert_int_equal(second_of_two(&refusals.assigns, 1), HTTP_NOT_SENT);
}

static void a_handle_that_is_not_released_is_not_used_again(void **state)
{
    (void)state;
    assert_int_equal(second_of_two(&refusals.removals, 1), HTTP_DONE);
    assert_int_equal(second_of_two(&refusals.removals, 1), HTTP_DONE);
}

static void a_client_that_cannot_be_opened_says_so(void **state)
{
    (void)state;
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 1, .host_connections_max = 1};
    struct http_client *second = NULL;
    refusals.multis = 1;
    assert_int_equal(http_client_curl_open(service, &options, &second, NULL), ERR_IO);
    assert_null(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_that_refuses_is_replaced_once),
        cmocka_unit_test(a_call_that_a_new_handle_refuses_is_not_sent),
        cmocka_unit_test(a_call_whose_socket_cannot_be_watched_ends_soon),
        cmocka_unit_test(a_handle_that_is_not_released_is_not_used_again),
        cmocka_unit_test(a_client_that_cannot_be_opened_says_so),
    };
    return cmocka_run_group_tests(tests, open_usual_client, close_client);
}
