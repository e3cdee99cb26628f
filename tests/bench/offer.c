// Offers prepared requests at a constant rate, whether or not the server keeps up: offer PORT FILE RATE
// CONNECTIONS. FILE holds for each request a line "LABEL BYTES" and then so many bytes. A request is sent
// when it is due, on a connection that is free, or else on a new one; if CONNECTIONS are busy it waits, and
// its delay counts from the time when it was due. Prints one line of JSON for each label and status: how many
// answers, how many of them with Retry-After, and their delays. Status 0: the connection ended without an
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

struct request {
    const char *data;
    size_t bytes;
    size_t label;
    int status; // -1: no answer yet
    bool retry_after;
    int64_t delay_us;
};

struct connection {
    struct list link; // in the list of free ones
    int fd;
    struct request *request; // NULL: it is free
    int64_t due_us;
    size_t sent_bytes;
    size_t answer_bytes;
    char *answer; // of ANSWER_BYTES_MAX; while there is a request
};

struct offer {
    int epoll;
    struct sockaddr_in address;
    char labels[LABELS_MAX][LABEL_BYTES];
    size_t label_count;
    struct request *requests;
    size_t request_count;
    size_t next;
    size_t answered;
    size_t connections;
    size_t connections_max;
    struct list free;
    int64_t start_us;
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
    connection->request->delay_us = now_us() - connection->due_us;
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
    free(connection);
    offer->connections--;
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
    list_append(&offer->free, &connection->link);
}

static struct connection *connection_new(struct offer *offer)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    REQUIRE(connection != NULL);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(connection->fd >= 0);
    list_init(&connection->link);
    const int rc = connect(connection->fd, (struct sockaddr *)&offer->address, sizeof(offer->address));
    REQUIRE(rc == 0 || errno == EINPROGRESS);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    REQUIRE(epoll_ctl(offer->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
    offer->connections++;
    return connection;
}

// Sends what is due. Returns the milliseconds until the next request is due; -1: none, or no connection is
// free.
static int send_due(struct offer *offer)
{
    while (offer->next < offer->request_count) {
        const int64_t due_us = offer->start_us + (int64_t)((double)offer->next * US_PER_S / offer->rate);
        const int64_t left_us = due_us - now_us();
        if (left_us > 0) {
            return (int)(left_us / 1000);
        }
        struct list *node = list_take_first(&offer->free);
        if (node == NULL && offer->connections == offer->connections_max) {
            return -1;
        }
        struct connection *connection =
            node != NULL ? CONTAINER_OF(node, struct connection, link) : connection_new(offer);
        connection->request = &offer->requests[offer->next++];
        connection->due_us = due_us;
        connection->sent_bytes = connection->answer_bytes = 0;
        connection->answer = malloc(ANSWER_BYTES_MAX);
        REQUIRE(connection->answer != NULL);
        send_rest(offer, connection);
    }
    return -1;
}

static void run(struct offer *offer)
{
    offer->start_us = now_us();
    while (offer->answered < offer->request_count) {
        struct epoll_event events[EVENTS_MAX];
        const int count = epoll_wait(offer->epoll, events, EVENTS_MAX, send_due(offer));
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

static size_t label_index(struct offer *offer, const char *label)
{
    for (size_t i = 0; i < offer->label_count; i++) {
        if (strcmp(offer->labels[i], label) == 0) {
            return i;
        }
    }
    REQUIRE(offer->label_count < LABELS_MAX);
    (void)snprintf(offer->labels[offer->label_count], LABEL_BYTES, "%s", label);
    return offer->label_count++;
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
            (struct request){.data = data, .bytes = bytes, .label = label_index(offer, label), .status = -1};
        at = data + bytes;
    }
}

static int by_label_status_delay(const void *a, const void *b)
{
    const struct request *left = a;
    const struct request *right = b;
    if (left->label != right->label) {
        return left->label < right->label ? -1 : 1;
    }
    if (left->status != right->status) {
        return left->status - right->status;
    }
    return (left->delay_us > right->delay_us) - (left->delay_us < right->delay_us);
}

static void print_group(const struct offer *offer, const struct request *group, size_t count,
                        double elapsed_s)
{
    const size_t half = (count - 1) / 2;
    const size_t most = (count - 1) * 99 / 100;
    size_t retry_after = 0;
    for (size_t i = 0; i < count; i++) {
        retry_after += group[i].retry_after;
    }
    (void)printf(
        "{\"label\": \"%s\", \"status\": %d, \"count\": %zu, \"retry_after\": %zu, \"per_second\": %.0f, "
        "\"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f}\n",
        offer->labels[group->label], group->status, count, retry_after, (double)count / elapsed_s,
        (double)group[half].delay_us / 1000.0, (double)group[most].delay_us / 1000.0,
        (double)group[count - 1].delay_us / 1000.0);
}

int main(int argc, char **argv)
{
    struct offer offer = {.epoll = epoll_create1(0)};
    if (argc == 5) {
        offer.address = (struct sockaddr_in){.sin_family = AF_INET,
                                             .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        offer.rate = strtod(argv[3], NULL);
        offer.connections_max = strtoul(argv[4], NULL, 10);
    }
    if (!(offer.rate > 0) || offer.connections_max == 0) {
        (void)fprintf(stderr, "usage: offer PORT FILE RATE CONNECTIONS\n");
        return 2;
    }
    struct rlimit files;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    list_init(&offer.free);
    read_requests(&offer, argv[2]);

    run(&offer);
    const double elapsed_s = (double)(now_us() - offer.start_us) / US_PER_S;

    qsort(offer.requests, offer.request_count, sizeof(*offer.requests), by_label_status_delay);
    for (size_t from = 0, to = 0; from < offer.request_count; from = to) {
        const struct request *first = &offer.requests[from];
        for (to = from; to < offer.request_count && offer.requests[to].label == first->label &&
                        offer.requests[to].status == first->status;) {
            to++;
        }
        print_group(&offer, first, to - from, elapsed_s);
    }
    return 0;
}
