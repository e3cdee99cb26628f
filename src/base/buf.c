// The growing buffer. Invariant: if `data` is not NULL, len < capacity <= max + 1 and data[len] is NUL.
// Memory that it frees is wiped, also when it grows, because buffers hold bodies.
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

#define CAPACITY_FIRST ((size_t)256)

static bool fits(const struct buf *buf, size_t bytes)
{
    return !buf->overflow && bytes <= buf->max - buf->len;
}

size_t buf_capacity_with(const struct buf *buf, size_t bytes)
{
    if (!fits(buf, bytes) || buf->len + bytes + 1 <= buf->capacity) {
        return buf->capacity;
    }
    size_t needed = buf->len + bytes + 1;
    size_t capacity = buf->capacity < CAPACITY_FIRST / 2 ? CAPACITY_FIRST : buf->capacity * 2;
    if (capacity < needed) {
        capacity = needed;
    }
    return capacity > buf->max + 1 ? buf->max + 1 : capacity;
}

bool buf_reserve(struct buf *buf, size_t bytes)
{
    size_t capacity = buf_capacity_with(buf, bytes);
    if (capacity == buf->capacity) {
        return true;
    }
    char *data = malloc(capacity);
    if (data == NULL) {
        return false;
    }
    if (buf->data != NULL) {
        memcpy(data, buf->data, buf->len);
        explicit_bzero(buf->data, buf->len);
        free(buf->data);
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

// Makes room for `bytes` more and the NUL. False, with overflow set, where max does not allow it.
static bool make_room(struct buf *buf, size_t bytes)
{
    if (!fits(buf, bytes)) {
        buf->overflow = true;
        return false;
    }
    REQUIRE(buf_reserve(buf, bytes));
    return true;
}

void buf_add(struct buf *buf, const void *data, size_t bytes)
{
    REQUIRE(buf->max < SIZE_MAX / 2);
    if (!make_room(buf, bytes)) {
        return;
    }
    if (bytes > 0) {
        memcpy(buf->data + buf->len, data, bytes);
    }
    buf->len += bytes;
    buf->data[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    REQUIRE(buf->max < SIZE_MAX / 2);
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    REQUIRE(bytes >= 0);
    if (make_room(buf, (size_t)bytes)) {
        REQUIRE(vsnprintf(buf->data + buf->len, (size_t)bytes + 1, format, again) == bytes);
        buf->len += (size_t)bytes;
    }
    va_end(again);
    va_end(args);
}

void buf_take(struct buf *buf, size_t bytes)
{
    REQUIRE(bytes <= buf->len);
    size_t left_bytes = buf->len - bytes;
    if (left_bytes == 0) {
        buf_release(buf);
        return;
    }
    memmove(buf->data, buf->data + bytes, left_bytes + 1); // with the NUL
    explicit_bzero(buf->data + left_bytes + 1, bytes);
    buf->len = left_bytes;
}

const char *buf_str(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

void buf_release(struct buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->len);
        free(buf->data);
    }
    *buf = BUF_MAX(buf->max);
}
