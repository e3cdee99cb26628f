// How much memory the bodies of all requests and the large answers may hold together, and how much of it is
// one address's share (an IPv6 one's /64), so that nobody can take all of it. One that is alone in its share
// may be larger than that: a long list is no attack. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

struct http_memory;

struct http_memory *http_memory_open(size_t bytes_max, size_t share_bytes_max);
size_t http_memory_bytes(const struct http_memory *memory);
void http_memory_free(struct http_memory *memory); // when nobody uses any

// What one request uses; zeroed at first.
struct http_memory_use {
    struct http_share *share;
    size_t bytes;
};

// Uses so many bytes from now on, of that address's share. False where there is no room: nothing changed.
bool http_memory_use(struct http_memory *memory, const struct address *address, size_t bytes,
                     struct http_memory_use *use);
void http_memory_give_back(struct http_memory *memory, struct http_memory_use *use);
