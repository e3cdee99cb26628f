// See http_chunks.h.
#include "net/http_chunks.h"

#include <ctype.h>
#include <stdbool.h>

#define DIGITS_MAX 15 // a size below 2^60
#define EXTRA_BYTES_MAX (8 * 1024)

enum state {
    SIZE, // a digit of a chunk's size
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, // the beginning of a trailer's line
    TRAILER_LINE,
    TRAILER_LF,
    LAST_LF,
    BAD,
};

static enum state read_size(struct http_chunks *chunks, char c)
{
    if (isxdigit((unsigned char)c) && chunks->digits < DIGITS_MAX) {
        unsigned digit = isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
        chunks->left_bytes = chunks->left_bytes << 4 | digit;
        chunks->digits++;
        return SIZE;
    }
    if (chunks->digits == 0) {
        return BAD;
    }
    return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : BAD;
}

// Skips a byte of an extension or a trailer. Only CRLF ends a line: a proxy may read a bare CR or LF in
// another way.
static enum state skip_byte(struct http_chunks *chunks, char c, enum state same, enum state line_feed)
{
    if (c == '\r') {
        return line_feed;
    }
    bool plain = ((unsigned char)c >= ' ' || c == '\t') && c != 0x7f;
    return plain && ++chunks->extra_bytes <= EXTRA_BYTES_MAX ? same : BAD;
}

static enum state read_byte(struct http_chunks *chunks, char c)
{
    switch ((enum state)chunks->state) {
    case SIZE:
        return read_size(chunks, c);
    case EXTENSION:
        return skip_byte(chunks, c, EXTENSION, SIZE_LF);
    case SIZE_LF:
        return c != '\n' ? BAD : chunks->left_bytes > 0 ? DATA : TRAILER;
    case DATA_CR:
        return c == '\r' ? DATA_LF : BAD;
    case DATA_LF:
        chunks->digits = 0;
        return c == '\n' ? SIZE : BAD;
    case TRAILER:
        return c == '\r' ? LAST_LF : skip_byte(chunks, c, TRAILER_LINE, BAD);
    case TRAILER_LINE:
        return skip_byte(chunks, c, TRAILER_LINE, TRAILER_LF);
    case TRAILER_LF:
        return c == '\n' ? TRAILER : BAD;
    case DATA:
    case LAST_LF:
    case BAD:
        break;
    }
    return BAD;
}

enum http_chunks_result http_chunks_next(struct http_chunks *chunks, const char **data, size_t *bytes,
                                         const char **piece, size_t *piece_bytes)
{
    while (*bytes > 0) {
        if (chunks->state == DATA) {
            *piece = *data;
            *piece_bytes = *bytes < chunks->left_bytes ? *bytes : (size_t)chunks->left_bytes;
            *data += *piece_bytes;
            *bytes -= *piece_bytes;
            chunks->left_bytes -= *piece_bytes;
            chunks->state = chunks->left_bytes > 0 ? DATA : DATA_CR;
            return HTTP_CHUNKS_PIECE;
        }
        char c = *(*data)++;
        (*bytes)--;
        if (chunks->state == LAST_LF && c == '\n') {
            return HTTP_CHUNKS_END;
        }
        chunks->state = (int)read_byte(chunks, c);
        if (chunks->state == BAD) {
            return HTTP_CHUNKS_BAD;
        }
    }
    return HTTP_CHUNKS_MORE;
}
