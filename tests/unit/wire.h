// Raw sockets on loopback, driven by a thread of their own next to the loop under test: the other end of a
// connection, which may misbehave in every way. Its thread asserts nothing; the test checks what it saw
// after it has ended.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

// A socket that gives up after 10 s without progress, so that a failing test ends.
int wire_connect(uint16_t port);
int wire_listen(uint16_t *port);
bool wire_send(int fd, const void *data, size_t bytes);
// Appends what comes until the other end closes (true), or nothing comes any more (false).
bool wire_read_all(int fd, struct buf *out);
// Appends until `out` holds this text; false where it ends before.
bool wire_read_until(int fd, struct buf *out, const char *text);
size_t wire_count(const struct buf *text, const char *piece);

// A client: `talk` runs in a thread with a connection to `port`, then `ended` is posted to the loop.
struct wire_client {
    uint16_t port;
    void (*talk)(struct wire_client *client, int fd);
    const void *request; // for `talk`
    size_t request_bytes;
    struct buf reply;
    bool ended_well; // the other end closed in order
    pthread_t thread;
    struct loop *loop;
    struct task ended;
};
void wire_client_start(struct wire_client *client);
// The plain `talk`: sends the request, reads all.
void wire_talk(struct wire_client *client, int fd);

// A server: for each answer in turn it reads a request (its head and Content-Length body) and sends the
// bytes.
enum wire_after {
    WIRE_KEEP,  // the next answer goes to the same connection
    WIRE_CLOSE, // in order
    WIRE_RESET, // with a RST
    WIRE_HOLD,  // until the client closes
};
struct wire_answer {
    const char *bytes; // NULL: none
    enum wire_after after;
    size_t repeat; // how often the bytes are sent; 0: once
};
struct wire_server {
    uint16_t port;
    const struct wire_answer *answers;
    size_t answer_count;
    struct buf requests; // all of them, one after the other
    size_t connections;
    int listening;
    pthread_t thread;
};
void wire_server_start(struct wire_server *server, const struct wire_answer *answers, size_t answer_count);
// Waits until every answer was given, or no further connection comes.
void wire_server_join(struct wire_server *server);
