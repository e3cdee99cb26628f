// The making of a connection for the HTTP/2 client: the host's addresses are asked for, then tried side by
// side, and the first on which the server answers is taken. Loop thread. Invariant: while a dial is under way
// the look-up is, or there is an attempt.
#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"
#include "net/http2_private.h"

#define LOOK_UP_TIMEOUT_MS 10000
// RFC 8305 section 5 recommends this pause between attempts.
#define STAGGER_US (250 * US_PER_MS)
#define AGAIN_US (1 * US_PER_S)

static void dial_ended(struct http2_client *client)
{
    client->dial.under_way = false;
    timer_stop(client->loop, &client->dial.stagger);
}

static void pause_dial(struct http2_client *client)
{
    int64_t after_us = loop_mono_us(client->loop) + AGAIN_US;
    client->dial_after_us = after_us > client->dial_after_us ? after_us : client->dial_after_us;
}

void http2_dial_pause_if_useless(const struct http2_connection *connection)
{
    if (!connection->has_answered) {
        pause_dial(connection->client);
    }
}

// Ends the calls that wait, unless a ready connection may take them.
static void gave_up(struct http2_client *client)
{
    dial_ended(client);
    bool ready = false;
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        ready |= CONTAINER_OF(node, struct http2_connection, link)->state == HTTP2_READY;
    }
    if (ready) {
        pause_dial(client);
    } else {
        http2_client_fail_queue(client, client->dial.error);
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
        gave_up(client);
    }
}

static void on_stagger(struct timer *timer)
{
    try_next(CONTAINER_OF(timer, struct http2_client, dial.stagger));
}

// In the resolver's order, but with the families taking turns, so that a family that is dead costs one pause
// (RFC 8305 section 4).
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
    if (first->host_is_address && address_parse(first->host, &address)) {
        resolved(client, &address, 1, true);
    } else {
        resolve(client->service, first->host, LOOK_UP_TIMEOUT_MS, resolved, client);
    }
}

void http2_dial_ready(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    connection->state = HTTP2_READY;
    list_remove(&connection->link);
    list_append(&client->connections, &connection->link);
    client->stats.connections++;
    client->stats.opened_total++;
    if (nghttp2_session_get_remote_settings(connection->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) ==
        0) {
        pause_dial(client); // the next one would allow no stream either
    }
    http2_dial_stop(client);
    http2_client_wake(client);
}

void http2_dial_failed(struct http2_connection *connection, const char *sentence)
{
    struct http2_client *client = connection->client;
    if (!client->dial.under_way) {
        return; // another attempt was quicker
    }
    (void)snprintf(client->dial.error, sizeof(client->dial.error), "%s", sentence);
    try_next(client);
}

void http2_dial_stop(struct http2_client *client)
{
    dial_ended(client);
    while (!list_empty(&client->dial.attempts)) {
        http2_connection_lose(CONTAINER_OF(client->dial.attempts.next, struct http2_connection, link),
                              "the dial is over");
    }
}

void http2_dial_init(struct http2_dial *dial)
{
    list_init(&dial->attempts);
    timer_init(&dial->stagger, on_stagger);
}
