// Load generator: load [-c CONNECTIONS] [-s SECONDS] [-n REQUESTS] [-r RATE] [-o] [-a] [-f FIRST_S] PORT FILE
// requests.h says what the file holds. Each request is one of the file, drawn at random; with -o they are
// sent in the order of the file, again and again. Each run counts its requests from another number, so texts
// with # do not repeat.
//
// Without -r, a connection sends its next request when it has its answer. With -r, requests are due at this
// constant rate whether or not the server keeps up, and a delay counts from the time at which the request was
// due: a server that stalls is charged for every request that this delays.
//
// Each label is a client of its own with up to CONNECTIONS: what is due waits for a connection of its label
// alone. A connection is opened when it is first needed. With -a, a request that fails is repeated until it
// succeeds.
//
// Prints one JSON object; its groups tell labels and statuses apart, and what was due in the first FIRST_S
// seconds from what was due later. Status 0: the connection ended without an answer. One thread.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "answers.h"
#include "base/require.h"
#include "connection.h"
#include "requests.h"

#define CONNECTIONS_MAX 16384
#define EVENTS_MAX 256
#define US_PER_S INT64_C(1000000)
#define PAUSE_US (US_PER_S / 10) // before a repeat
#define GRACE_US (60 * US_PER_S) // for the last answers
#define TICK_US (US_PER_S / 20)

struct client {
    uint64_t next;            // of the numbers of all clients, the one to look at next
    struct connection **idle; // the last one is used first
    size_t idle_count;
};

struct load {
    int epoll;
    uint16_t port;
    bool in_order;
    bool repeats;
    double rate;            // a second; 0: as fast as answers come
    size_t connections_max; // of each client
    uint64_t first_number;
    uint64_t planned;
    int64_t begin_us;
    int64_t end_us; // nothing is sent after it, but what was due before
    int64_t first_us;
    struct requests requests;
    struct answers answers;
    struct client clients[LABELS_MAX];
    struct connection *connections;
    size_t connection_count;
    size_t busy;    // connections that are not idle
    size_t waiting; // those of them that will repeat their request
    uint64_t started;
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    REQUIRE(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

// The finaliser of splitmix64: the bits of its results look random.
static uint64_t mixed(uint64_t number)
{
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

static const struct request *request_of(const struct load *load, uint64_t number)
{
    const uint64_t at = load->in_order ? number : mixed(load->first_number + number);
    return &load->requests.all[at % load->requests.count];
}

static struct client *client_of(struct load *load, const struct request *request)
{
    return &load->clients[request->label];
}

// Ends the request of the connection. Status 0: there was no answer.
static void finish(struct load *load, struct connection *connection, int status, bool retry_after)
{
    const int64_t now = now_us();
    const struct request *request = connection->request;
    answers_add(&load->answers,
                (struct answer){.at_us = now - load->begin_us,
                                .delay_us = (uint32_t)(now - connection->due_us),
                                .took_us = (uint32_t)(now - connection->started_us),
                                .status = (uint16_t)status,
                                .label = (uint8_t)request->label,
                                .settled = connection->due_us - load->begin_us >= load->first_us,
                                .retry_after = retry_after});
    if (load->repeats && status / 100 != 2) {
        connection->repeats_us = now + PAUSE_US;
        load->waiting++;
        return;
    }
    struct client *client = client_of(load, request);
    connection->request = NULL;
    client->idle[client->idle_count++] = connection;
    load->busy--;
}

static void end(struct load *load, struct connection *connection)
{
    connection_close(connection);
    if (connection->request != NULL && connection->repeats_us == 0) {
        finish(load, connection, 0, false);
    }
}

static void send_request(struct load *load, struct connection *connection)
{
    if (!connection_send(connection, load->epoll, load->port)) {
        end(load, connection);
    }
}

static void start(struct load *load, struct client *client, int64_t due_us)
{
    struct connection *connection = client->idle[--client->idle_count];
    load->busy++;
    load->started++;
    connection->request = request_of(load, client->next);
    connection->number = load->first_number + client->next++;
    connection->due_us = due_us;
    connection->started_us = now_us();
    send_request(load, connection);
}

// Starts what is due. Returns when the client's next request is due; INT64_MAX: when a connection is idle, or
// never.
static int64_t start_due(struct load *load, struct client *client)
{
    while (client->idle_count > 0) {
        while (client->next < load->planned && client_of(load, request_of(load, client->next)) != client) {
            client->next++;
        }
        const int64_t now = now_us();
        int64_t due_us = now;
        if (load->rate > 0) {
            due_us = load->begin_us + (int64_t)((double)client->next * (double)US_PER_S / load->rate);
        }
        if (client->next >= load->planned || due_us >= load->end_us) {
            return INT64_MAX;
        }
        if (due_us > now) {
            return due_us;
        }
        start(load, client, due_us);
    }
    return INT64_MAX;
}

static int64_t start_all_due(struct load *load)
{
    int64_t next_due_us = INT64_MAX;
    for (size_t i = 0; i < load->requests.label_count; i++) {
        const int64_t due_us = start_due(load, &load->clients[i]);
        next_due_us = due_us < next_due_us ? due_us : next_due_us;
    }
    return next_due_us;
}

static void receive(struct load *load, struct connection *connection)
{
    switch (connection_receive(connection)) {
    case RECEIVED_PART:
        break;
    case RECEIVED_ANSWER:
        if (connection->closes) {
            connection_close(connection);
        }
        finish(load, connection, connection->status, connection->retry_after);
        break;
    case RECEIVED_END:
        end(load, connection);
        break;
    }
}

static void repeat_due(struct load *load)
{
    for (size_t i = 0; i < load->connection_count && load->waiting > 0; i++) {
        struct connection *connection = &load->connections[i];
        if (connection->repeats_us != 0 && now_us() >= connection->repeats_us) {
            connection->repeats_us = 0;
            load->waiting--;
            send_request(load, connection);
        }
    }
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int64_t next_due_us = start_all_due(load);
        const int64_t now = now_us();
        if ((load->busy == 0 && next_due_us == INT64_MAX) || now > load->end_us + GRACE_US) {
            return;
        }
        const int64_t until_us = next_due_us - now;
        const int64_t wait_us = until_us < 0 ? 0 : until_us < TICK_US ? until_us : TICK_US;
        const struct timespec wait = {.tv_nsec = wait_us * 1000};
        const int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &wait, NULL);
        for (int i = 0; i < count; i++) {
            if (events[i].events == EPOLLOUT) {
                send_request(load, events[i].data.ptr);
            } else {
                receive(load, events[i].data.ptr);
            }
        }
        repeat_due(load);
    }
}

static double processor_s(void)
{
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / (double)US_PER_S;
}

// Returns whether all requests succeeded.
static bool print_result(struct load *load)
{
    const int64_t elapsed_us = now_us() - load->begin_us;
    const struct totals totals = answers_totals(&load->answers);
    const double seconds = (double)totals.last_us / (double)US_PER_S;
    (void)printf("{\"answered\": %" PRIu64 ", \"failed\": %" PRIu64
                 ", \"failed_status\": %d, \"unanswered\": %" PRIu64
                 ", \"seconds\": %.3f, \"per_second\": %.1f, \"load_cpu_s\": %.3f",
                 totals.answered, totals.failed, totals.failed_status,
                 load->started - totals.answered - (load->repeats ? 0 : totals.failed), seconds,
                 totals.answered > 0 ? (double)totals.answered / seconds : 0, processor_s());
    answers_print(&load->answers, &load->requests, load->first_us, elapsed_us);
    (void)printf("}\n");
    return totals.answered > 0 && totals.answered == load->started;
}

static void prepare(struct load *load)
{
    struct rlimit files;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connection_count = load->requests.label_count * load->connections_max;
    load->connections = calloc(load->connection_count, sizeof(*load->connections));
    REQUIRE(load->epoll >= 0 && load->connections != NULL);
    for (size_t label = 0; label < load->requests.label_count; label++) {
        struct client *client = &load->clients[label];
        client->idle = calloc(load->connections_max, sizeof(struct connection *));
        REQUIRE(client->idle != NULL);
        while (client->idle_count < load->connections_max) {
            struct connection *connection =
                &load->connections[label * load->connections_max + client->idle_count];
            connection->fd = -1;
            client->idle[client->idle_count++] = connection;
        }
    }
}

static void release(struct load *load)
{
    for (size_t label = 0; label < load->requests.label_count; label++) {
        free(load->clients[label].idle);
    }
    free(load->connections);
    answers_release(&load->answers);
    requests_release(&load->requests);
}

int main(int argc, char **argv)
{
    struct load load = {.connections_max = 1, .planned = UINT64_MAX};
    int64_t seconds = INT32_MAX;
    for (int option; (option = getopt(argc, argv, "c:s:n:r:oaf:")) != -1;) {
        switch (option) {
        case 'c':
            load.connections_max = strtoul(optarg, NULL, 10);
            break;
        case 's':
            seconds = strtol(optarg, NULL, 10);
            break;
        case 'n':
            load.planned = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            load.rate = strtod(optarg, NULL);
            break;
        case 'o':
            load.in_order = true;
            break;
        case 'a':
            load.repeats = true;
            break;
        case 'f':
            load.first_us = strtol(optarg, NULL, 10) * US_PER_S;
            break;
        default:
            argc = 0;
        }
    }
    if (argc != optind + 2 || load.connections_max == 0 || load.connections_max > CONNECTIONS_MAX) {
        (void)fprintf(
            stderr,
            "usage: load [-c CONNECTIONS] [-s SECONDS] [-n REQUESTS] [-r RATE] [-o] [-a] [-f FIRST_S] "
            "PORT FILE\n");
        return 2;
    }
    load.port = (uint16_t)strtoul(argv[optind], NULL, 10);
    requests_open(&load.requests, argv[optind + 1]);
    prepare(&load);
    // At random: several generators may start at the same time.
    REQUIRE(getrandom(&load.first_number, sizeof(load.first_number), 0) == sizeof(load.first_number));
    load.begin_us = now_us();
    load.end_us = load.begin_us + seconds * US_PER_S;
    run(&load);
    const bool succeeded = print_result(&load);
    release(&load);
    return succeeded ? 0 : 1;
}
