// Requests that are malformed or ambiguous: the HTTP server refuses them.
#include "server_fixture.h"

static void a_request_that_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const heads_refused[] = {
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\ncontent-length: 5\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n",
        "GET / HTTP/1.1\r\n" HOST HOST,
        "GET / HTTP/1.1\r\n" HOST "X-Folded: a\r\n b: c\r\n",
        "GET / HTTP/1.1\r\n" HOST "X-Bare-Return: a\rContent-Length: 5\r\n",
        "GET / HTTP/1.1\r\n" HOST "X-Control: a\x01\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(heads_refused); i++) {
        BUF_CLEANUP struct buf request = BUF_MAX(1000);
        buf_printf(&request, "%s\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n" HOST CRLF, heads_refused[i]);
        struct buf reply = exchange_bytes(request.data, request.len);
        if (wire_count(&reply, "HTTP/1.1 400 Bad Request\r\n") != 1 || strstr(buf_str(&reply), "smuggled") ||
            !strstr(buf_str(&reply), "\r\n\r\nmalformed: ")) {
            fail_msg("%s: %s", heads_refused[i], buf_str(&reply));
        }
        buf_release(&reply);
    }
    assert_int_equal(heads, 0);
}

static void a_request_that_is_no_http_never_reaches_the_handler(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n" CRLF, // no Host
        "GET / HTTP/1.1\r\n" HOST "no colon\r\n" CRLF,
        "GET / HTTP/2.0\r\n" HOST CRLF,
        "GET / http/1.1\r\n" HOST CRLF,
        "GET /\r\n" CRLF,
        "GET / HTTP/1.1\n", // refused at once: no CRLF will ever end this line
        "\x16\x03\x01",     // TLS
        "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n" CRLF,
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n" CRLF,
        "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n" CRLF,
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n" CRLF,
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct buf reply = exchange_bytes(texts[i], strlen(texts[i]));
        if (wire_count(&reply, "HTTP/1.1 400 Bad Request\r\n") != 1 ||
            wire_count(&reply, "malformed: ") != 1) {
            fail_msg("%s: %s", texts[i], buf_str(&reply));
        }
        buf_release(&reply);
    }
    assert_int_equal(heads, 0);
}

static void a_malformed_chunk_never_makes_a_request(void **state)
{
    (void)state;
    static const char *const chunks[] = {"zz\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
                                         "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n",
                                         "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"};
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        char request[200];
        snprintf(request, sizeof(request),
                 "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CRLF "%s", chunks[i]);
        assert_replies(request, "\r\n\r\nmalformed: the body's chunks are malformed");
    }
    assert_int_equal(heads, COUNT_OF(chunks));
    assert_int_equal(requests, 0);
}

static void a_path_that_hides_something_is_refused(void **state)
{
    (void)state;
    static const char *const targets[] = {"/a%2Fb", "/a%2fb", "/a%00b", "/%ff",          "/%c0%af", "/%",
                                          "/%4",    "/%zz",   "*",      "http://a/path", "a:80"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        char request[100];
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST CRLF, targets[i]);
        assert_replies(request, "HTTP/1.1 400 Bad Request\r\n");
    }
    assert_int_equal(heads, 0);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_usual_server, close_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_request_that_can_be_read_in_two_ways_is_refused),
        SERVER_TEST(a_request_that_is_no_http_never_reaches_the_handler),
        SERVER_TEST(a_malformed_chunk_never_makes_a_request),
        SERVER_TEST(a_path_that_hides_something_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
