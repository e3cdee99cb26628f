// What the files of the load generator share: load.c decides when requests start, connection.c sends them and
// reads their answers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_BYTES_MAX 16384

struct request {
    bool pays;
    char *target;
    char *api_key;
    char *idempotency_key; // NULL: a new one each time
};

struct connection {
    int fd;
    bool busy;
    const struct request *request;
    uint64_t number;    // of the request, counted from 0
    int64_t due_us;     // when it was to be sent
    int64_t repeats_us; // when it is sent again; 0: it is not
    char head[HEAD_BYTES_MAX];
    size_t head_bytes;
    int status;   // once the answer's head has come
    int64_t left; // bytes of its body that have not; -1: the head has not come
    bool closes;  // the server closes the connection after this answer
};

// Opens the connection and adds it to the epoll descriptor, with itself as the event's pointer.
void connection_open(struct connection *connection, int epoll, uint16_t port);
// Sends connection->request. False: the connection has ended.
bool connection_send(struct connection *connection);
enum received {
    RECEIVED_PART,
    RECEIVED_ANSWER, // connection->status has what it was
    RECEIVED_END,    // the connection has ended
};
// Reads what has come.
enum received connection_receive(struct connection *connection);
