// http_chunks_next: gives the same body and the same end whether the bytes arrive at once or one by one, and
// invents no byte.
#include "base/buf.h"
#include "fuzz.h"
#include "net/http_chunks.h"

// Decodes the text at_once bytes at a time. *used: how many bytes belong to the chunked body.
static enum http_chunks_result decode(const char *text, size_t bytes, size_t at_once, struct buf *body,
                                      size_t *used)
{
    struct http_chunks chunks = {0};
    enum http_chunks_result result = HTTP_CHUNKS_MORE;
    const char *data = text;
    while (result == HTTP_CHUNKS_MORE && data < text + bytes) {
        size_t left = (size_t)(text + bytes - data);
        left = left < at_once ? left : at_once;
        const char *piece = NULL;
        size_t piece_bytes = 0;
        while ((result = http_chunks_next(&chunks, &data, &left, &piece, &piece_bytes)) ==
               HTTP_CHUNKS_PIECE) {
            REQUIRE(piece >= text && piece_bytes > 0 && piece + piece_bytes == data);
            buf_add(body, piece, piece_bytes);
        }
        REQUIRE(result != HTTP_CHUNKS_MORE || left == 0);
    }
    *used = (size_t)(data - text);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FUZZ_CLEANUP char *copy = malloc(bytes > 0 ? bytes : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, data, bytes);
    BUF_CLEANUP struct buf body = BUF_MAX(bytes);
    BUF_CLEANUP struct buf same = BUF_MAX(bytes);
    size_t used = 0;
    size_t used_again = 0;
    enum http_chunks_result result = decode(copy, bytes, bytes, &body, &used);
    REQUIRE(decode(copy, bytes, 1, &same, &used_again) == result && used == used_again);
    REQUIRE(!body.overflow && body.len == same.len && memcmp(buf_str(&body), buf_str(&same), body.len) == 0);
    REQUIRE(result != HTTP_CHUNKS_END || (used >= 5 && memcmp(copy + used - 2, "\r\n", 2) == 0));
    return 0;
}
