// Load generator: load [-c CONNECTIONS] [-s SECONDS | -n REQUESTS] [-r RATE] [-a] PORT REQUESTS_FILE
// A line of the file is a request, `GET TARGET API_KEY` or `POST TARGET API_KEY [IDEMPOTENCY_KEY]`; each
// request is one of them, drawn at random. A POST makes a payment, under a new idempotency key if the line
// has none.
//
// Without -r, each connection sends its next request when it has its answer. With -r, requests are due at
// this constant rate whether or not the server keeps up, and a delay counts from the time at which the
// request was due: a server that stalls is charged for every request that this delays. With -a, a request
// that fails is repeated until it succeeds. Prints one JSON object. One thread.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/require.h"
#include "load.h"

#define CONNECTIONS_MAX 16384
#define SAMPLES_MAX 8000000
#define REQUESTS_MAX 200000
#define LINE_BYTES_MAX 1024
#define EVENTS_MAX 256
#define US_PER_S INT64_C(1000000)
#define PAUSE_US (US_PER_S / 10) // before a repeat
#define GRACE_US (60 * US_PER_S) // for the last answers
#define TICK_US (US_PER_S / 20)

struct load {
    int epoll;
    uint16_t port;
    bool repeats;
    double rate; // a second; 0: as fast as answers come
    uint64_t planned;
    int64_t begin_us;
    int64_t end_us;     // nothing is sent after it, but what was due before
    struct arena arena; // the text of the requests
    struct request *requests;
    size_t request_count;
    struct connection *connections;
    size_t connection_count;
    struct connection **idle;
    size_t idle_count;
    size_t waiting; // connections that will repeat their request
    uint64_t started;
    uint64_t failed;
    int failed_status; // of the last failure; 0: the connection ended
    uint32_t *delays_us;
    size_t answered;
    int64_t last_answer_us;
    uint64_t chance;
};

static int64_t now_us(void)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static uint64_t draw(struct load *load)
{
    load->chance ^= load->chance << 13;
    load->chance ^= load->chance >> 7;
    load->chance ^= load->chance << 17;
    return load->chance;
}

static void read_requests(struct load *load, const char *path)
{
    char line[LINE_BYTES_MAX];
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    load->requests = calloc(REQUESTS_MAX, sizeof(*load->requests));
    REQUIRE(load->requests != NULL);
    while (fgets(line, sizeof(line), file) != NULL && load->request_count < REQUESTS_MAX) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        const char *method = strsep(&rest, " ");
        struct request *request = &load->requests[load->request_count++];
        request->pays = strcmp(method, "POST") == 0;
        request->target = arena_strdup(&load->arena, strsep(&rest, " "));
        request->api_key = arena_strdup(&load->arena, strsep(&rest, " "));
        request->idempotency_key = arena_strdup(&load->arena, strsep(&rest, " "));
        REQUIRE(request->target != NULL && request->api_key != NULL);
    }
    (void)fclose(file);
    REQUIRE(load->request_count > 0);
}

static void fail(struct load *load, struct connection *connection, int status)
{
    load->failed++;
    load->failed_status = status;
    if (load->repeats) {
        connection->repeats_us = now_us() + PAUSE_US;
        load->waiting++;
    }
}

static void reopen(struct load *load, struct connection *connection)
{
    (void)close(connection->fd); // which also takes it out of the epoll descriptor
    connection_open(connection, load->epoll, load->port);
}

static void send_request(struct load *load, struct connection *connection)
{
    if (!connection_send(connection)) {
        reopen(load, connection);
        REQUIRE(connection_send(connection));
    }
}

static void start(struct load *load, int64_t due_us)
{
    struct connection *connection = load->idle[--load->idle_count];
    connection->number = load->started++;
    connection->request = &load->requests[draw(load) % load->request_count];
    connection->due_us = due_us;
    send_request(load, connection);
}

// Starts what is due. Returns when the next request is due; INT64_MAX: when a connection is idle, or never.
static int64_t start_due(struct load *load)
{
    while (load->idle_count > 0 && load->started < load->planned) {
        const int64_t now = now_us();
        int64_t due_us = now;
        if (load->rate > 0) {
            due_us = load->begin_us + (int64_t)((double)load->started * (double)US_PER_S / load->rate);
        }
        if (due_us >= load->end_us) {
            return INT64_MAX;
        }
        if (due_us > now) {
            return due_us;
        }
        start(load, due_us);
    }
    return INT64_MAX;
}

static void free_connection(struct load *load, struct connection *connection)
{
    connection->busy = false;
    if (connection->repeats_us == 0) {
        load->idle[load->idle_count++] = connection;
    }
}

static void receive(struct load *load, struct connection *connection)
{
    switch (connection_receive(connection)) {
    case RECEIVED_PART:
        break;
    case RECEIVED_ANSWER:
        if (connection->status / 100 == 2) {
            load->last_answer_us = now_us();
            REQUIRE(load->answered < SAMPLES_MAX);
            load->delays_us[load->answered++] = (uint32_t)(load->last_answer_us - connection->due_us);
        } else {
            fail(load, connection, connection->status);
        }
        free_connection(load, connection);
        if (connection->closes) {
            reopen(load, connection);
        }
        break;
    case RECEIVED_END:
        if (connection->busy) {
            fail(load, connection, 0);
            free_connection(load, connection);
        }
        reopen(load, connection);
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

static bool is_over(const struct load *load, int64_t next_due_us)
{
    const bool more = next_due_us != INT64_MAX ||
                      (load->idle_count == 0 && load->started < load->planned && now_us() < load->end_us);
    const bool all_idle = load->idle_count == load->connection_count;
    return (all_idle && !more) || now_us() > load->end_us + GRACE_US;
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int64_t next_due_us = start_due(load);
        if (is_over(load, next_due_us)) {
            return;
        }
        const int64_t until_us = next_due_us - now_us();
        const int64_t wait_us = until_us < 0 ? 0 : until_us < TICK_US ? until_us : TICK_US;
        const struct timespec wait = {.tv_nsec = wait_us * 1000};
        const int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &wait, NULL);
        for (int i = 0; i < count; i++) {
            receive(load, events[i].data.ptr);
        }
        repeat_due(load);
    }
}

static int by_delay(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double delay_ms(const struct load *load, size_t per_mille)
{
    if (load->answered == 0) {
        return 0;
    }
    const size_t rank = (load->answered - 1) * per_mille / 1000;
    return load->delays_us[rank] / 1000.0;
}

static void print_result(struct load *load)
{
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    const double seconds = (double)(load->last_answer_us - load->begin_us) / (double)US_PER_S;
    qsort(load->delays_us, load->answered, sizeof(*load->delays_us), by_delay);
    (void)printf("{\"answered\": %zu, \"failed\": %" PRIu64
                 ", \"failed_status\": %d, \"unanswered\": %" PRIu64
                 ", \"seconds\": %.3f, \"per_second\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
                 "\"p999_ms\": %.3f, \"max_ms\": %.3f, \"load_cpu_s\": %.3f}\n",
                 load->answered, load->failed, load->failed_status,
                 load->started - load->answered - (load->repeats ? 0 : load->failed), seconds,
                 load->answered > 0 ? (double)load->answered / seconds : 0, delay_ms(load, 500),
                 delay_ms(load, 990), delay_ms(load, 999), delay_ms(load, 1000),
                 (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / (double)US_PER_S);
}

static void open_connections(struct load *load)
{
    struct rlimit files;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connections = calloc(load->connection_count, sizeof(*load->connections));
    load->idle = calloc(load->connection_count, sizeof(struct connection *));
    load->delays_us = calloc(SAMPLES_MAX, sizeof(*load->delays_us));
    REQUIRE(load->epoll >= 0 && load->connections && load->idle && load->delays_us);
    for (size_t i = 0; i < load->connection_count; i++) {
        connection_open(&load->connections[i], load->epoll, load->port);
        load->idle[load->idle_count++] = &load->connections[i];
    }
}

static void release(struct load *load)
{
    free(load->delays_us);
    free(load->idle);
    free(load->connections);
    free(load->requests);
    arena_release(&load->arena);
}

int main(int argc, char **argv)
{
    struct load load = {.connection_count = 1, .planned = UINT64_MAX, .chance = (uint64_t)getpid()};
    int64_t seconds = INT32_MAX;
    for (int option; (option = getopt(argc, argv, "c:s:n:r:a")) != -1;) {
        switch (option) {
        case 'c':
            load.connection_count = strtoul(optarg, NULL, 10);
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
        case 'a':
            load.repeats = true;
            break;
        default:
            argc = 0;
        }
    }
    if (argc != optind + 2 || load.connection_count == 0 || load.connection_count > CONNECTIONS_MAX) {
        (void)fprintf(stderr,
                      "usage: load [-c CONNECTIONS] [-s SECONDS | -n REQUESTS] [-r RATE] [-a] PORT FILE\n");
        return 2;
    }
    load.port = (uint16_t)strtoul(argv[optind], NULL, 10);
    read_requests(&load, argv[optind + 1]);
    open_connections(&load);
    load.begin_us = now_us();
    load.end_us = load.begin_us + seconds * US_PER_S;
    run(&load);
    print_result(&load);
    release(&load);
    return load.answered > 0 && load.answered == load.started ? 0 : 1;
}
