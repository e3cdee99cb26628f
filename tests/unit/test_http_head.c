// The head of a request and a body in chunks: what is taken apart, what is refused, and that nothing depends
// on where the network cuts it.
#include "unit_test.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/require.h"
#include "net/http_chunks.h"
#include "net/http_head.h"

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static void a_head_ends_with_its_empty_line(void **state)
{
    (void)state;
    static const char text[] = "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\nthe body";
    size_t head_bytes = strlen(text) - strlen("the body");
    for (size_t bytes = 0; bytes < head_bytes; bytes++) {
        assert_int_equal(http_head_bytes(text, bytes), 0);
    }
    for (size_t bytes = head_bytes; bytes <= strlen(text); bytes++) {
        assert_int_equal(http_head_bytes(text, bytes), head_bytes);
    }
}

static void bytes_that_cannot_become_a_head_are_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
    } cases[] = {
        {"\x16\x03\x01", 3}, {"\0", 1},       {" ", 1},       {"\n", 1},
        {"\r\n\r", 3},       {"\r\n\r\n", 4}, {"\r\n\n", 3},  {"GET\n", 4},
        {"\x80", 1},         {"\r\n GET", 6}, {"(", 1},       {":", 1},
        {"\rG\n", 3},        {"\t", 1},       {GET "\n", 17}, {GET "X: a\n", 21},
        {GET HOST "\n", 26},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (http_head_bytes(cases[i].bytes, cases[i].count) != HTTP_HEAD_BROKEN) {
            fail_msg("case %zu", i);
        }
    }
}

static const char *read(const char *text, size_t bytes, struct arena *arena, struct http_head *head)
{
    assert_int_equal(http_head_bytes(text, bytes), bytes);
    return http_head_read(text, bytes, arena, head);
}

static void a_head_is_taken_apart(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct http_head head;
    static const char text[] =
        "BREW /a?b=c HTTP/1.1\r\nHOST:a\r\nX-Any: \t one two \t\r\nx-any:\r\nContent-Length: 0012\r\n"
        "Expect: 100-Continue\r\n\r\n";
    assert_null(read(text, strlen(text), &arena, &head));
    assert_string_equal(head.method, "BREW");
    assert_string_equal(head.target, "/a?b=c");
    assert_int_equal(head.field_count, 5);
    size_t count = 0;
    assert_string_equal(http_head_field(&head, "X-ANY", &count), "one two");
    assert_int_equal(count, 2);
    assert_string_equal(head.fields[2].value, "");
    assert_null(http_head_field(&head, "X", &count));
    assert_int_equal(count, 0);
    assert_int_equal(head.content_bytes, 12);
    assert_true(head.has_body && head.expects_continue && head.keep_alive && !head.chunked);
}

static void the_connection_is_kept_as_version_and_client_say(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {GET HOST "\r\n", true},
        {"GET / HTTP/1.9\r\n" HOST "\r\n", true},
        {GET HOST "Connection: close\r\n\r\n", false},
        {GET HOST "Connection: upgrade, CLOSE\r\n\r\n", false},
        {GET HOST "Connection: a\r\nConnection: ,close\r\n\r\n", false},
        {GET HOST "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        struct http_head head;
        assert_null(read(cases[i].text, strlen(cases[i].text), &arena, &head));
        if (head.keep_alive != cases[i].keep_alive) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void a_head_that_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "GET /\r\n" HOST "\r\n",
        "GET / HTTP/1.1 \r\n" HOST "\r\n",
        "GET / HTTP/1.\r\n" HOST "\r\n",
        "GET / HTTP/1.11\r\n" HOST "\r\n",
        "GET / HTTP/2.0\r\n" HOST "\r\n",
        "GET / http/1.1\r\n" HOST "\r\n",
        "GET  / HTTP/1.1\r\n" HOST "\r\n",
        "GET  HTTP/1.1\r\n" HOST "\r\n",
        "GET /a b HTTP/1.1\r\n" HOST "\r\n",
        "GET /\t HTTP/1.1\r\n" HOST "\r\n",
        "GET /\x01 HTTP/1.1\r\n" HOST "\r\n",
        "GET /\r HTTP/1.1\r\n" HOST "\r\n",
        "GET /\x7f HTTP/1.1\r\n" HOST "\r\n",
        "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n",
        "GET /?\xe9 HTTP/1.1\r\n" HOST "\r\n",
        "GET /a#b HTTP/1.1\r\n" HOST "\r\n",
        "G(T / HTTP/1.1\r\n" HOST "\r\n",
        "GET\r\n" HOST "\r\n",
        GET "\r\n",
        GET HOST HOST "\r\n",
        GET "Host: a b\r\n\r\n",
        GET "Host: a\tb\r\n\r\n",
        GET "Host: a, b\r\n\r\n",
        GET "Host: a/b\r\n\r\n",
        GET "Host: a@b\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a@b\r\n\r\n",
        GET HOST "X\r\n\r\n",
        GET HOST ": a\r\n\r\n",
        GET HOST "X : a\r\n\r\n",
        GET HOST "X Y: a\r\n\r\n",
        GET HOST "X(: a\r\n\r\n",
        GET HOST "X\xe9: a\r\n\r\n",
        GET HOST " X: a\r\n\r\n",
        GET HOST "X: a\r\n b\r\n\r\n",
        GET HOST "X: a\r\n\t\r\n\r\n",
        GET HOST "X: a\rb\r\n\r\n",
        GET HOST "X: a\r\r\n\r\n",
        GET HOST "X: a\x01\r\n\r\n",
        GET HOST "X: a\x7f\r\n\r\n",
        GET HOST "Content-Length:\r\n\r\n",
        GET HOST "Content-Length: +5\r\n\r\n",
        GET HOST "Content-Length: -5\r\n\r\n",
        GET HOST "Content-Length: 0x5\r\n\r\n",
        GET HOST "Content-Length: 5, 5\r\n\r\n",
        GET HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        GET HOST "Content-Length: 9223372036854775808\r\n\r\n",
        GET HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
        GET HOST "Transfer-Encoding:\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.0\r\n" HOST HOST "\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        struct http_head head;
        if (read(texts[i], strlen(texts[i]), &arena, &head) == NULL) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_non_null(head.method);
        assert_non_null(head.target);
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct http_head head;
    static const char nul[] = GET HOST "X: a\0b\r\n\r\n";
    assert_non_null(read(nul, sizeof(nul) - 1, &arena, &head));
}

// Decodes the text into `body`, a piece of this many bytes at a time.
static enum http_chunks_result decode(const char *text, size_t bytes, size_t at_once, struct buf *body,
                                      size_t *used)
{
    struct http_chunks chunks = {0};
    enum http_chunks_result result = HTTP_CHUNKS_MORE;
    const char *data = text;
    while (result == HTTP_CHUNKS_MORE && data < text + bytes) {
        size_t left = (size_t)(text + bytes - data) < at_once ? (size_t)(text + bytes - data) : at_once;
        const char *piece = NULL;
        size_t piece_bytes = 0;
        while ((result = http_chunks_next(&chunks, &data, &left, &piece, &piece_bytes)) ==
               HTTP_CHUNKS_PIECE) {
            buf_add(body, piece, piece_bytes);
        }
    }
    *used = (size_t)(data - text);
    return result;
}

static void chunks_make_the_same_body_however_they_come(void **state)
{
    (void)state;
    static const char text[] =
        "5\r\nhello\r\n00C;name=\"a\";b\r\n, \r\n0\r\nworld\r\n0;last\r\nX: a\r\n\r\nGET /";
    size_t end = strlen(text) - strlen("GET /");
    for (size_t at_once = 1; at_once <= strlen(text); at_once++) {
        BUF_CLEANUP struct buf body = BUF_MAX(100);
        size_t used = 0;
        assert_int_equal(decode(text, strlen(text), at_once, &body, &used), HTTP_CHUNKS_END);
        assert_string_equal(buf_str(&body), "hello, \r\n0\r\nworld");
        assert_int_equal(used, end);
    }
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\r\n",
        ";a\r\n",
        "g\r\n",
        "0x2\r\n",
        " 2\r\n",
        "2 \r\n",
        "+2\r\n",
        "-2\r\n",
        "2\n",
        "2\rX",
        "2;a\n",
        "2;a\rb",
        "2;a\x01",
        "2\r\n{}X",
        "2\r\n{}\n",
        "2\r\n{}\rX",
        "1\r\n{}",
        "0\r\nX\n",
        "0\r\nX\rY",
        "0\r\n\n",
        "0\r\nX: \x7f",
        "0\r\n\rX",
        "1234567890abcdef\r\n",
        "0000000000000002\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        BUF_CLEANUP struct buf body = BUF_MAX(100);
        size_t used = 0;
        if (decode(texts[i], strlen(texts[i]), 1, &body, &used) != HTTP_CHUNKS_BAD) {
            fail_msg("taken: %s", texts[i]);
        }
    }
}

static void extensions_and_trailers_have_a_limit(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"2;", "0\r\nX: "};
    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        BUF_CLEANUP struct buf text = BUF_MAX(20000);
        buf_add_str(&text, beginnings[i]);
        for (int n = 0; n < 9000; n++) {
            buf_add_str(&text, "a");
        }
        BUF_CLEANUP struct buf body = BUF_MAX(100);
        size_t used = 0;
        assert_int_equal(decode(text.data, text.len, text.len, &body, &used), HTTP_CHUNKS_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_ends_with_its_empty_line),
        cmocka_unit_test(bytes_that_cannot_become_a_head_are_refused_at_once),
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(the_connection_is_kept_as_version_and_client_say),
        cmocka_unit_test(a_head_that_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(chunks_make_the_same_body_however_they_come),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(extensions_and_trailers_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
