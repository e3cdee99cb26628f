// A connection of the load generator: HTTP/1.1, one request at a time, answers with a Content-Length.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requests.h"

#define HEAD_BYTES_MAX 16384

struct connection {
    int fd;                        // -1: it is not open
    const struct request *request; // NULL: none, it is idle
    uint64_t number;               // of the request
    int64_t due_us;                // when the request was due
    int64_t started_us;            // when it was first sent, or would have been had the connection been open
    int64_t repeats_us;            // when it is sent again; 0: it is not
    bool connecting;
    char head[HEAD_BYTES_MAX];
    size_t head_bytes;
    int status; // once the answer's head has come
    bool retry_after;
    bool closes;  // the server closes the connection after this answer
    int64_t left; // bytes of its body that have not come; -1: its head has not come; 0: no answer is expected
};

enum received {
    RECEIVED_PART,
    RECEIVED_ANSWER, // the connection has its status
    RECEIVED_END,    // the connection has ended, and the caller closes it
};

// Sends the connection's request, or opens the connection first. Then the epoll descriptor, which has the
// connection as the event's pointer, reports EPOLLOUT once the request can be sent by calling this again.
// False: the connection has ended, and the caller closes it.
bool connection_send(struct connection *connection, int epoll, uint16_t port);
// Reads what has come, which may be that the connection has ended.
enum received connection_receive(struct connection *connection);
void connection_close(struct connection *connection);
