// See connections.h. The client dies with the service; requests that it had written may still arrive.
#include "connections.h"

#include <stdlib.h>

#include "base/require.h"
#include "service.h"
#include "world.h"

#define STREAMS_MAX 100
#define CONNECTIONS_MAX 16
#define CONNECT_MAX_US (10 * US_PER_S)
#define LIFE_US (600 * US_PER_S)
#define IDLE_US (60 * US_PER_S)
#define PING_AFTER_US (5 * US_PER_S) // of silence while calls are in progress
#define PONG_WITHIN_US (3 * US_PER_S)
#define REFUSALS_MAX 3

struct connection {
    struct list link;    // in the client's list until it is closed
    struct list streams; // in the order in which they were written
    int stream_count;
    int streams_max;
    int incarnation; // the service's
    int64_t connected_us;
    int64_t idle_since_us;
    bool ready;    // else it is still connecting
    bool draining; // it takes no further calls
    bool mute;     // the client receives nothing more from it
    bool deaf;     // and Stripe receives nothing more from it
    bool pinged;
};

static struct {
    int incarnation; // the service's
    struct list queue;
    struct list connections;
    int connection_count;
    bool connecting;
} client;

static int64_t down_until_us;
static bool down_silently;

static struct stream *stream_of(struct list *node)
{
    return CONTAINER_OF(node, struct stream, link);
}

static bool is_open(const struct connection *connection)
{
    return service.up && connection->incarnation == service.incarnation && list_linked(&connection->link);
}

static void close_connection(struct connection *connection)
{
    list_remove(&connection->link);
    client.connection_count--;
}

// It takes no further calls; those on it continue.
static void retire(struct connection *connection)
{
    connection->draining = true;
    if (connection->stream_count == 0) {
        close_connection(connection);
    }
}

static void remove_stream(struct connection *connection, struct stream *stream)
{
    list_remove(&stream->link);
    stream->connection = NULL;
    connection->stream_count--;
    connection->idle_since_us = world.now_us;
}

static void serve_queue(void);

// --- faults of a connection

// Requests that Stripe has not begun to process may be lost.
static void lose_untaken(struct connection *connection)
{
    LIST_EACH_SAFE(&connection->streams, node, after)
    {
        struct transmission *transmission = stream_of(node)->transmission;
        if (!transmission->taken && random_below(2) == 0) {
            transmission->lost = true;
        }
    }
}

static void fail_connection(struct connection *connection, const char *error)
{
    close_connection(connection);
    LIST_EACH_SAFE(&connection->streams, node, after)
    {
        struct stream *stream = stream_of(node);
        world.counts.calls_cut++;
        remove_stream(connection, stream);
        stream->ops->end(stream, HTTP_CUT, error);
    }
    serve_queue();
}

static void cut(void *context)
{
    struct connection *connection = context;
    if (is_open(connection)) {
        note("a connection with %d calls is cut", connection->stream_count);
        world.counts.connections_cut++;
        lose_untaken(connection);
        fail_connection(connection, "the connection was reset");
    }
}

// GOAWAY says that its last streams were not processed. They return to the head of the queue in their order.
static void refuse_last_stream(struct connection *connection)
{
    struct stream *stream = stream_of(connection->streams.prev);
    world.counts.calls_refused++;
    stream->transmission->lost = true;
    remove_stream(connection, stream);
    if (stream->refusals < REFUSALS_MAX) {
        stream->refusals++;
        list_append(client.queue.next, &stream->link);
    } else {
        world.counts.calls_refused_for_good++;
        stream->ops->end(stream, HTTP_NOT_SENT, "the server refused the request again and again");
    }
}

static void receive_goaway(void *context)
{
    struct connection *connection = context;
    if (!is_open(connection) || connection->mute) {
        return;
    }
    int64_t refused = 0;
    struct list *last = connection->streams.prev;
    for (; last != &connection->streams && !stream_of(last)->transmission->taken; last = last->prev) {
        refused++;
    }
    refused = refused > 0 ? random_between(1, refused) : 0;
    note("a connection is told to go away; it had %d calls, of which %lld were refused",
         connection->stream_count, (long long)refused);
    world.counts.goaways++;
    for (; refused > 0; refused--) {
        refuse_last_stream(connection);
    }
    retire(connection);
    serve_queue();
}

static void pong_overdue(void *context)
{
    struct connection *connection = context;
    if (is_open(connection)) {
        fail_connection(connection, "the connection was silent");
    }
}

static void ping(struct connection *connection)
{
    if (!connection->pinged) {
        connection->pinged = true;
        connection->draining = true;
        world_after(PONG_WITHIN_US, pong_overdue, connection);
    }
}

static void check_silence(void *context)
{
    struct connection *connection = context;
    if (is_open(connection) && connection->stream_count > 0) {
        ping(connection);
    }
}

static void fall_silent(void *context)
{
    struct connection *connection = context;
    if (!is_open(connection) || connection->mute) {
        return;
    }
    note("a connection with %d calls falls silent", connection->stream_count);
    world.counts.connections_silent++;
    connection->mute = true;
    connection->deaf = random_below(2) == 0;
    if (connection->deaf) {
        lose_untaken(connection);
    }
    world_after(PING_AFTER_US, check_silence, connection);
}

// Faults come soon after a request was written, so the request is usually in transit or being answered. After
// a refusal the next connection usually gets GOAWAY too, so that some calls are refused until the client
// gives up.
static void draw_fault(struct connection *connection, const struct stream *stream)
{
    static void (*const faults[])(void *context) = {cut, receive_goaway, fall_silent};
    if (stream->refusals > 0 && !world.faults_off && random_below(4) != 0) {
        world_after(random_between(0, 500), receive_goaway, connection);
    } else if (fault_one_in(40)) {
        world_after(random_between(0, 30 * US_PER_MS), faults[random_below(COUNT_OF(faults))], connection);
    }
}

// --- connecting

static bool is_down(void)
{
    return world.now_us < down_until_us && !world.faults_off;
}

static void connect_failed(void *context)
{
    struct connection *connection = context;
    if (!is_open(connection)) {
        return;
    }
    world.counts.connects_failed++;
    client.connecting = false;
    close_connection(connection);
    LIST_EACH_SAFE(&client.queue, node, after)
    {
        list_remove(node);
        stream_of(node)->ops->end(stream_of(node), HTTP_NOT_SENT, "no connection was made");
    }
}

static void connected(void *context)
{
    struct connection *connection = context;
    if (is_down()) {
        connect_failed(context);
    } else if (is_open(connection)) {
        client.connecting = false;
        connection->ready = true;
        connection->connected_us = world.now_us;
        connection->idle_since_us = world.now_us;
        serve_queue();
    }
}

static void connect_to_stripe(void)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    REQUIRE(connection != NULL);
    list_init(&connection->streams);
    list_append(&client.connections, &connection->link);
    client.connection_count++;
    client.connecting = true;
    connection->incarnation = service.incarnation;
    connection->streams_max = random_below(5) == 0 ? 1 : STREAMS_MAX;
    world.counts.connections++;
    if (is_down()) {
        world_after(down_silently ? CONNECT_MAX_US : random_between(500, 20000), connect_failed, connection);
    } else if (fault_one_in(12)) {
        world_after(random_between(500, CONNECT_MAX_US), connect_failed, connection);
    } else {
        bool slow = fault_one_in(3);
        world.counts.connects_slow += slow;
        world_after(slow ? random_between(US_PER_S, CONNECT_MAX_US) : random_between(1000, 40000), connected,
                    connection);
    }
}

// --- calls

static void write_stream(struct connection *connection, struct stream *stream)
{
    bool too_late = stream->send_before_us != 0 && service_wall_us() >= stream->send_before_us;
    if (too_late && !mutated("late-write")) {
        world.counts.calls_too_late++;
        stream->ops->end(stream, HTTP_TOO_LATE, "the request could not be sent in time");
        return;
    }
    struct transmission *transmission = calloc(1, sizeof(*transmission));
    REQUIRE(transmission != NULL);
    *transmission = (struct transmission){.stream = stream, .lost = connection->deaf};
    stream->transmission = transmission;
    stream->connection = connection;
    list_append(&connection->streams, &stream->link);
    if (connection->mute && connection->stream_count == 0) {
        world_after(PING_AFTER_US, check_silence, connection);
    }
    connection->stream_count++;
    stream->ops->write(transmission);
    draw_fault(connection, stream);
}

// Returns a connection with a free stream. Retires those that are too old or idle.
static struct connection *ready_connection(void)
{
    LIST_EACH_SAFE(&client.connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        bool idle = connection->stream_count == 0 && world.now_us - connection->idle_since_us >= IDLE_US;
        if (!connection->ready || connection->draining) {
            continue;
        }
        if (idle || world.now_us - connection->connected_us >= LIFE_US) {
            retire(connection);
        } else if (connection->stream_count < connection->streams_max) {
            return connection;
        }
    }
    return NULL;
}

static void serve_queue(void)
{
    while (!list_empty(&client.queue)) {
        struct connection *connection = ready_connection();
        if (connection == NULL) {
            break;
        }
        write_stream(connection, stream_of(list_take_first(&client.queue)));
    }
    if (!list_empty(&client.queue) && !client.connecting && client.connection_count < CONNECTIONS_MAX) {
        connect_to_stripe();
    }
}

void connections_send(struct stream *stream, int64_t send_before_us)
{
    if (client.incarnation != service.incarnation) {
        client.incarnation = service.incarnation;
        list_init(&client.queue);
        list_init(&client.connections);
        client.connection_count = 0;
        client.connecting = false;
    }
    stream->send_before_us = send_before_us;
    list_append(&client.queue, &stream->link);
    serve_queue();
}

void connections_end(struct stream *stream)
{
    struct connection *connection = stream->connection;
    if (connection == NULL) {
        list_remove(&stream->link);
        return;
    }
    remove_stream(connection, stream);
    if (connection->draining && connection->stream_count == 0) {
        close_connection(connection);
    }
    serve_queue();
}

// A connection that is not silent answers the ping at once, so nothing changes.
void connections_report_timeout(struct stream *stream)
{
    if (stream->connection != NULL && stream->connection->mute) {
        ping(stream->connection);
    }
}

bool connections_is_queued(const struct stream *stream)
{
    return stream->connection == NULL && list_linked(&stream->link);
}

bool connections_is_readable(const struct stream *stream)
{
    return stream->connection == NULL || !stream->connection->mute;
}

void connections_down_until(int64_t until_us, bool silent)
{
    down_until_us = until_us;
    down_silently = silent;
    note("Stripe %s until %lld", silent ? "is silent" : "refuses connections",
         (long long)(until_us / US_PER_S));
    if (client.incarnation == 0 || world.faults_off) {
        return;
    }
    LIST_EACH_SAFE(&client.connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        if (connection->ready) {
            world_after(0, silent ? fall_silent : cut, connection);
        }
    }
}
