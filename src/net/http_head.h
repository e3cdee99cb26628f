// Parses the head of a request strictly by RFC 9112. A proxy in front of the service may be more lenient. So
// a head that could be read in two ways (where the request ends, which host and path it names) is refused:
// request smuggling needs such a difference. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct http_field {
    const char *name;
    size_t name_bytes;
    const char *value; // without white space around it
};

struct http_head {
    const char *method;
    const char *target; // as it came; http_target_read parses it
    bool version_1_0;   // otherwise 1.1
    struct http_field *fields;
    size_t field_count;
    bool has_body;
    bool chunked;
    int64_t content_bytes; // 0 where chunked
    bool expects_continue;
    bool keep_alive; // the client wants to send more on this connection
};

// The length of the head that the bytes begin with, its empty line included. 0: more bytes are needed.
// HTTP_HEAD_BROKEN: whatever follows, this is not a head.
#define HTTP_HEAD_BROKEN SIZE_MAX
size_t http_head_bytes(const char *data, size_t bytes);

// Parses a head of that length, into the arena. Returns NULL, or the sentence of a 400; then what was not
// reached is "" (method, target) or missing (fields).
const char *http_head_read(const char *data, size_t bytes, struct arena *arena, struct http_head *head);

// The first value of a field, name in any case; NULL where there is none. `count` (may be NULL) gets how
// many.
const char *http_head_field(const struct http_head *head, const char *name, size_t *count);

// All values of a field that is a list, with commas between, in the order in which they came (RFC 9110
// section 5.3). In the arena; NULL where there is none.
const char *http_head_list(const struct http_head *head, const char *name, struct arena *arena);

// Decodes a request target into path and query, in the arena. Returns NULL, or the sentence of a 400.
const char *http_target_read(const char *target, struct arena *arena, const char **path, const char **query);
