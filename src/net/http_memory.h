// The memory that the bodies of all requests and the large answers may hold together. An address (an IPv6
// one's /64) may hold a share of it, so that nobody can take all. A single reservation may be larger than the
// share while its address has no other: a long list is no attack. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

struct http_memory;

struct http_memory *http_memory_open(size_t bytes_max, size_t share_bytes_max);
size_t http_memory_bytes(const struct http_memory *memory); // reserved
void http_memory_free(struct http_memory *memory);          // while nothing is reserved

// What one request holds; zeroed at first.
struct http_reservation {
    struct http_memory_share *share;
    size_t bytes;
};

// Makes the reservation that large, which is not smaller than it was, in its address's share. False where
// there is no room: nothing changed.
bool http_memory_reserve(struct http_memory *memory, const struct address *address, size_t bytes,
                         struct http_reservation *reservation);
void http_memory_release(struct http_memory *memory, struct http_reservation *reservation);
