// A body in chunks (RFC 9112 section 7.1), decoded as its bytes come. Extensions and trailers are skipped:
// nothing in them becomes part of the request. Pure; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct http_chunks {
    int state; // zeroed at the beginning
    uint64_t left_bytes;
    size_t digits;
    size_t extra_bytes; // of all extensions and trailers
};

enum http_chunks_result {
    HTTP_CHUNKS_MORE,  // all bytes are used, and more are needed
    HTTP_CHUNKS_PIECE, // *piece is the next part of the body; call again
    HTTP_CHUNKS_END,   // the body is whole
    HTTP_CHUNKS_BAD,
};

// Takes what it uses off *data and *bytes.
enum http_chunks_result http_chunks_next(struct http_chunks *chunks, const char **data, size_t *bytes,
                                         const char **piece, size_t *piece_bytes);
