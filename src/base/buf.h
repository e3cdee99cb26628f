// A growing byte buffer that states its maximum. A NUL always follows the content. Without memory it aborts.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; // NULL while empty and never grown
    size_t len;
    size_t capacity;
    size_t max;    // bytes of content it may ever hold
    bool overflow; // an append went past max; that append and all later ones were dropped whole
};

#define BUF_MAX(bytes_max) ((struct buf){.max = (bytes_max)})
#define BUF_CLEANUP __attribute__((cleanup(buf_release)))

// For input that can be refused: the capacity that the buffer would have with so many bytes more, and making
// it so. False where there is no memory; all other functions abort then.
size_t buf_capacity_with(const struct buf *buf, size_t bytes);
bool buf_reserve(struct buf *buf, size_t bytes);

// Append. On overflow nothing is appended and `overflow` is set, so a caller checks once, at the end.
void buf_add(struct buf *buf, const void *data, size_t bytes);
void buf_add_str(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Takes so many bytes off the front. If nothing is left, all memory is released.
void buf_take(struct buf *buf, size_t bytes);

// The content as a C string; "" when empty. Owned by the buffer.
const char *buf_str(const struct buf *buf);

// Wipes and frees; the buffer is empty again with the same max.
void buf_release(struct buf *buf);
