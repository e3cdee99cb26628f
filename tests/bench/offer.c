// Offers prepared requests at a constant rate, whether or not the server keeps up: offer PORT FILE RATE
// CONNECTIONS SETTLING_S. FILE holds for each request a line "LABEL BYTES" and then so many bytes. Each label
// is a client of its own with up to CONNECTIONS: a request is sent when it is due, on a connection of its
// label that is free, or else on a new one; if all are busy it waits, and its delay counts from the time when
// it was due. Prints lines of JSON, one for each label and status, separately for requests that were due in
// the first SETTLING_S seconds and for later ones: how many answers, how many of them with Retry-After, their
// delays, and how long after the request was sent they came. Status 0: the connection ended without an
// answer. One thread.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/require.h"

#define US_PER_S 1000000
#define ANSWER_BYTES_MAX 32768
#define LABELS_MAX 8
#define LABEL_BYTES 16
#define EVENTS_MAX 512

struct label {
    char name[LABEL_BYTES];
    size_t next; // its next request to send; the number of all requests: none
    size_t connections;
    struct list free;
};

struct request {
    const char *data;
    size_t bytes;
    struct label *label;
    int status; // -1: no answer yet
    bool retry_after;
    bool settled; // it was due after SETTLING_S
    int64_t delay_us;
    int64_t took_us;
};

struct connection {
    struct list link; // in its label's list of free ones
    int fd;
    struct label *label;
    struct request *request; // NULL: it is free
    int64_t due_us;
    int64_t begun_us;
    size_t sent_bytes;
    size_t answer_bytes;
    char *answer; // of ANSWER_BYTES_MAX; while there is a request
};

struct offer {
    int epoll;
    struct sockaddr_in address;
    struct label labels[LABELS_MAX];
    size_t label_count;
    struct request *requests;
    size_t request_count;
    size_t answered;
    size_t connections_max; // of each label
    int64_t start_us;
    int64_t settling_us;
    double rate; // requests per second
};

static int64_t now_us(void)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static void finish(struct offer *offer, struct connection *connection, int status)
{
    connection->request->status = status;
    const int64_t at_us = now_us();
    connection->request->delay_us = at_us - connection->due_us;
    connection->request->took_us = at_us - connection->begun_us;
    connection->request = NULL;
    free(connection->answer);
    connection->answer = NULL;
    offer->answered++;
}

static void lose(struct offer *offer, struct connection *connection)
{
    if (connection->request != NULL) {
        finish(offer, connection, 0);
    } else {
        list_remove(&connection->link);
    }
    close(connection->fd);
    connection->label->connections--;
    free(connection);
}

static void send_rest(struct offer *offer, struct connection *connection)
{
    struct request *request = connection->request;
    while (connection->sent_bytes < request->bytes) {
        const ssize_t sent = send(connection->fd, request->data + connection->sent_bytes,
                                  request->bytes - connection->sent_bytes, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != ENOTCONN) {
                lose(offer, connection);
            }
            return;
        }
        connection->sent_bytes += (size_t)sent;
    }
}

// The bytes of the whole answer; 0: it has not come.
static size_t whole_answer(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "\r\ncontent-length:");
    if (end == NULL) {
        return 0;
    }
    REQUIRE(length != NULL && length < end);
    return (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
}

static void receive(struct offer *offer, struct connection *connection)
{
    char unused[512];
    char *into = connection->request != NULL ? connection->answer + connection->answer_bytes : unused;
    const size_t room =
        connection->request != NULL ? ANSWER_BYTES_MAX - 1 - connection->answer_bytes : sizeof(unused);
    const ssize_t received = recv(connection->fd, into, room, 0);
    if (received < 0 && errno == EAGAIN) {
        return;
    }
    if (received <= 0 || connection->request == NULL) {
        lose(offer, connection);
        return;
    }
    connection->answer_bytes += (size_t)received;
    connection->answer[connection->answer_bytes] = '\0';
    const size_t bytes = whole_answer(connection->answer);
    if (bytes == 0 || connection->answer_bytes < bytes) {
        return;
    }
    connection->request->retry_after = strcasestr(connection->answer, "\r\nretry-after:") != NULL;
    finish(offer, connection, (int)strtol(connection->answer + strlen("HTTP/1.1 "), NULL, 10));
    list_append(&connection->label->free, &connection->link);
}

static struct connection *connection_new(const struct offer *offer, struct label *label)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    REQUIRE(connection != NULL);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(connection->fd >= 0);
    connection->label = label;
    list_init(&connection->link);
    const int rc = connect(connection->fd, (struct sockaddr *)&offer->address, sizeof(offer->address));
    REQUIRE(rc == 0 || errno == EINPROGRESS);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    REQUIRE(epoll_ctl(offer->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
    label->connections++;
    return connection;
}

static void find_next(const struct offer *offer, struct label *label)
{
    while (label->next < offer->request_count && offer->requests[label->next].label != label) {
        label->next++;
    }
}

static int64_t due_us(const struct offer *offer, size_t request)
{
    return offer->start_us + (int64_t)((double)request * US_PER_S / offer->rate);
}

// Sends what of the label is due and finds a connection.
static void send_due(struct offer *offer, struct label *label, int64_t until_us)
{
    while (label->next < offer->request_count && due_us(offer, label->next) <= until_us) {
        struct list *node = list_take_first(&label->free);
        if (node == NULL && label->connections == offer->connections_max) {
            return;
        }
        struct connection *connection =
            node != NULL ? CONTAINER_OF(node, struct connection, link) : connection_new(offer, label);
        connection->request = &offer->requests[label->next];
        connection->due_us = due_us(offer, label->next);
        connection->begun_us = now_us();
        connection->request->settled = connection->due_us - offer->start_us >= offer->settling_us;
        connection->sent_bytes = connection->answer_bytes = 0;
        connection->answer = malloc(ANSWER_BYTES_MAX);
        REQUIRE(connection->answer != NULL);
        label->next++;
        find_next(offer, label);
        send_rest(offer, connection);
    }
}

// Returns the milliseconds until the next request is due; -1: none, or those that are due find no connection.
static int send_all_due(struct offer *offer)
{
    const int64_t at_us = now_us();
    int64_t wait_ms = -1;
    for (size_t i = 0; i < offer->label_count; i++) {
        struct label *label = &offer->labels[i];
        send_due(offer, label, at_us);
        const int64_t left_us = label->next < offer->request_count ? due_us(offer, label->next) - at_us : 0;
        if (left_us > 0 && (wait_ms < 0 || left_us / 1000 < wait_ms)) {
            wait_ms = left_us / 1000;
        }
    }
    return (int)wait_ms;
}

static void run(struct offer *offer)
{
    offer->start_us = now_us();
    for (size_t i = 0; i < offer->label_count; i++) {
        find_next(offer, &offer->labels[i]);
    }
    while (offer->answered < offer->request_count) {
        struct epoll_event events[EVENTS_MAX];
        const int count = epoll_wait(offer->epoll, events, EVENTS_MAX, send_all_due(offer));
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if ((events[i].events & EPOLLIN) == 0 && (events[i].events & (EPOLLERR | EPOLLHUP)) != 0) {
                lose(offer, connection);
            } else if ((events[i].events & EPOLLIN) != 0) {
                receive(offer, connection);
            } else if (connection->request != NULL) {
                send_rest(offer, connection);
            }
        }
    }
}

static struct label *label_of(struct offer *offer, const char *name)
{
    for (size_t i = 0; i < offer->label_count; i++) {
        if (strcmp(offer->labels[i].name, name) == 0) {
            return &offer->labels[i];
        }
    }
    REQUIRE(offer->label_count < LABELS_MAX);
    struct label *label = &offer->labels[offer->label_count++];
    (void)snprintf(label->name, LABEL_BYTES, "%s", name);
    list_init(&label->free);
    return label;
}

static void read_requests(struct offer *offer, const char *path)
{
    struct stat file;
    const int fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0 && fstat(fd, &file) == 0 && file.st_size > 0);
    const char *at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    REQUIRE(at != MAP_FAILED);
    close(fd);
    for (const char *end = at + file.st_size; at < end;) {
        char label[LABEL_BYTES];
        const char *space = strchr(at, ' ');
        REQUIRE(space != NULL && space - at < LABEL_BYTES);
        (void)snprintf(label, sizeof(label), "%.*s", (int)(space - at), at);
        const size_t bytes = strtoul(space, NULL, 10);
        const char *data = strchr(at, '\n') + 1;
        if ((offer->request_count & (offer->request_count - 1)) == 0) { // full, as it doubles
            const size_t room = offer->request_count == 0 ? 1 : 2 * offer->request_count;
            offer->requests = reallocarray(offer->requests, room, sizeof(*offer->requests));
            REQUIRE(offer->requests != NULL);
        }
        offer->requests[offer->request_count++] =
            (struct request){.data = data, .bytes = bytes, .label = label_of(offer, label), .status = -1};
        at = data + bytes;
    }
}

// The requests of one line: of one label, settled or not, with one status.
static int by_group(const void *a, const void *b)
{
    const struct request *left = a;
    const struct request *right = b;
    if (left->label != right->label) {
        return left->label < right->label ? -1 : 1;
    }
    return left->settled != right->settled ? (int)left->settled - right->settled
                                           : left->status - right->status;
}

static int by_group_delay(const void *a, const void *b)
{
    const struct request *left = a;
    const struct request *right = b;
    const int order = by_group(a, b);
    return order != 0 ? order : (left->delay_us > right->delay_us) - (left->delay_us < right->delay_us);
}

static int by_took(const void *a, const void *b)
{
    const struct request *left = a;
    const struct request *right = b;
    return (left->took_us > right->took_us) - (left->took_us < right->took_us);
}

static void print_group(const struct offer *offer, struct request *group, size_t count, int64_t elapsed_us)
{
    const int64_t settling_us = offer->settling_us < elapsed_us ? offer->settling_us : elapsed_us;
    const int64_t during_us = group->settled ? elapsed_us - settling_us : offer->settling_us;
    const size_t half = (count - 1) / 2;
    const size_t most = (count - 1) * 99 / 100;
    size_t retry_after = 0;
    for (size_t i = 0; i < count; i++) {
        retry_after += group[i].retry_after;
    }
    (void)printf("{\"label\": \"%s\", \"settled\": %s, \"status\": %d, \"count\": %zu, \"retry_after\": %zu, "
                 "\"per_second\": %.0f, \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, ",
                 group->label->name, group->settled ? "true" : "false", group->status, count, retry_after,
                 (double)count * US_PER_S / (double)during_us, (double)group[half].delay_us / 1000.0,
                 (double)group[most].delay_us / 1000.0, (double)group[count - 1].delay_us / 1000.0);
    qsort(group, count, sizeof(*group), by_took);
    (void)printf("\"took_p50_ms\": %.1f, \"took_p99_ms\": %.1f}\n", (double)group[half].took_us / 1000.0,
                 (double)group[most].took_us / 1000.0);
}

int main(int argc, char **argv)
{
    struct offer offer = {.epoll = epoll_create1(0)};
    if (argc == 6) {
        offer.address = (struct sockaddr_in){.sin_family = AF_INET,
                                             .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        offer.rate = strtod(argv[3], NULL);
        offer.connections_max = strtoul(argv[4], NULL, 10);
        offer.settling_us = (int64_t)strtoul(argv[5], NULL, 10) * US_PER_S;
    }
    if (!(offer.rate > 0) || offer.connections_max == 0) {
        (void)fprintf(stderr, "usage: offer PORT FILE RATE CONNECTIONS SETTLING_S\n");
        return 2;
    }
    struct rlimit files;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    read_requests(&offer, argv[2]);

    run(&offer);
    const int64_t elapsed_us = now_us() - offer.start_us;

    qsort(offer.requests, offer.request_count, sizeof(*offer.requests), by_group_delay);
    for (size_t from = 0, to = 0; from < offer.request_count; from = to) {
        struct request *first = &offer.requests[from];
        for (to = from; to < offer.request_count && by_group(first, &offer.requests[to]) == 0;) {
            to++;
        }
        print_group(&offer, first, to - from, elapsed_us);
    }
    return 0;
}
