// See http_memory.h. Invariant: a share is in the table exactly while some of it is reserved.
#include "net/http_memory.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/require.h"
#include "base/table.h"

struct http_memory_share {
    struct table_node node;
    struct address address;
    size_t bytes; // never 0 in the table
};

struct http_memory {
    size_t bytes_max;
    size_t share_bytes_max;
    size_t bytes;
    struct table shares;
};

struct http_memory *http_memory_open(size_t bytes_max, size_t share_bytes_max)
{
    struct http_memory *memory = calloc(1, sizeof(*memory));
    REQUIRE(memory != NULL);
    memory->bytes_max = bytes_max;
    memory->share_bytes_max = share_bytes_max;
    return memory;
}

size_t http_memory_bytes(const struct http_memory *memory)
{
    return memory->bytes;
}

void http_memory_free(struct http_memory *memory)
{
    REQUIRE(memory->bytes == 0 && memory->shares.count == 0);
    table_release(&memory->shares);
    free(memory);
}

static struct http_memory_share *share_of(struct http_memory *memory, const struct address *address)
{
    struct address subscriber = address_subscriber(address);
    struct table_node *node = table_find(&memory->shares, &subscriber, sizeof(subscriber));
    if (node != NULL) {
        return CONTAINER_OF(node, struct http_memory_share, node);
    }
    struct http_memory_share *share = calloc(1, sizeof(*share));
    REQUIRE(share != NULL);
    share->address = subscriber;
    table_insert(&memory->shares, &share->node, &share->address, sizeof(share->address));
    return share;
}

static void drop_if_empty(struct http_memory *memory, struct http_memory_share *share)
{
    if (share->bytes == 0) {
        table_remove(&memory->shares, &share->node);
        free(share);
    }
}

bool http_memory_reserve(struct http_memory *memory, const struct address *address, size_t bytes,
                         struct http_reservation *reservation)
{
    REQUIRE(bytes > 0 && bytes >= reservation->bytes);
    struct http_memory_share *share =
        reservation->share != NULL ? reservation->share : share_of(memory, address);
    size_t more = bytes - reservation->bytes;
    size_t others_bytes = share->bytes - reservation->bytes;
    bool within_share = others_bytes == 0 || others_bytes + bytes <= memory->share_bytes_max;
    if (!within_share || more > memory->bytes_max - memory->bytes) {
        drop_if_empty(memory, share);
        return false;
    }
    memory->bytes += more;
    share->bytes += more;
    *reservation = (struct http_reservation){.share = share, .bytes = bytes};
    return true;
}

void http_memory_release(struct http_memory *memory, struct http_reservation *reservation)
{
    if (reservation->share == NULL) {
        return;
    }
    memory->bytes -= reservation->bytes;
    reservation->share->bytes -= reservation->bytes;
    drop_if_empty(memory, reservation->share);
    *reservation = (struct http_reservation){0};
}
