// How the HTTP/2 client makes a connection: it looks the host's addresses up, tries them side by side, and
// takes the first on which the server answers. Loop thread. Invariant: while a dial is under way, its lookup
// is, or it has an attempt, or one has just failed (failed_count).
#include <stdio.h>
#include <string.h>

#include "net/http2_private.h"

#define LOOKUP_TIMEOUT_MS 10000
// RFC 8305 section 5 recommends this pause between attempts.
#define STAGGER_US (250 * US_PER_MS)

// Ends the queued calls, unless a ready connection may take them.
static void dial_failed(struct http2_client *client)
{
    client->dial.under_way = false;
    timer_stop(client->loop, &client->dial.stagger);
    bool ready = false;
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        ready |= CONTAINER_OF(node, struct http2_connection, link)->state == HTTP2_READY;
    }
    if (ready) {
        http2_dial_pause(client);
    } else {
        http2_queue_fail(client, client->dial.error);
    }
    http2_client_wake(client);
}

static void try_next(struct http2_client *client)
{
    struct http2_dial *dial = &client->dial;
    struct err err;
    while (dial->next < dial->address_count) {
        struct http2_connection *attempt = NULL;
        if (http2_connection_open(client, &dial->addresses[dial->next++], &attempt, &err) == OK) {
            list_append(&dial->attempts, &attempt->link);
            if (dial->next < dial->address_count) {
                timer_start(client->loop, &dial->stagger, STAGGER_US);
            }
            return;
        }
        (void)snprintf(dial->error, sizeof(dial->error), "%s", err.message);
    }
    if (list_empty(&dial->attempts)) {
        dial_failed(client);
    }
}

static void on_stagger(struct timer *timer)
{
    try_next(CONTAINER_OF(timer, struct http2_client, dial.stagger));
}

// Keeps the resolver's order, but alternates between the families, so that a dead family costs one pause (RFC
// 8305 section 4).
static void take_addresses(struct http2_dial *dial, const struct address *addresses, size_t count)
{
    bool taken[RESOLVE_ADDRESSES_MAX] = {false};
    bool ipv4 = count > 0 && address_is_ipv4(&addresses[0]);
    for (dial->address_count = 0; dial->address_count < count; ipv4 = !ipv4) {
        for (size_t i = 0; i < count; i++) {
            if (!taken[i] && address_is_ipv4(&addresses[i]) == ipv4) {
                dial->addresses[dial->address_count++] = addresses[i];
                taken[i] = true;
                break;
            }
        }
    }
}

static void resolved(void *context, const struct address *addresses, size_t count, bool tried)
{
    struct http2_client *client = context;
    if (!client->dial.under_way) {
        return; // the client is closing
    }
    (void)snprintf(client->dial.error, sizeof(client->dial.error), "%s",
                   tried ? "the host's name does not resolve"
                         : "the host's name could not be looked up in time");
    take_addresses(&client->dial, addresses, count);
    client->dial.next = 0;
    try_next(client);
}

void http2_dial_start(struct http2_client *client)
{
    struct address address;
    const struct url *first = client->proxy.host != NULL ? &client->proxy : &client->origin;
    client->dial.under_way = true;
    client->dial.failed_count = 0;
    if (first->host_is_address && address_parse(first->host, &address)) {
        resolved(client, &address, 1, true);
    } else {
        resolve(client->service, first->host, LOOKUP_TIMEOUT_MS, resolved, client);
    }
}

void http2_dial_continue(struct http2_client *client)
{
    struct http2_dial *dial = &client->dial;
    size_t failed_count = dial->failed_count;
    dial->failed_count = 0;
    for (size_t i = 0; i < failed_count && dial->under_way; i++) {
        try_next(client);
    }
}

void http2_dial_init(struct http2_dial *dial)
{
    list_init(&dial->attempts);
    timer_init(&dial->stagger, on_stagger);
}
