// Which call is sent next. Each host has a FIFO queue of its own and at most so many calls under way; hosts
// with waiting calls take turns. A call to a busy host never delays a call to another host, unless all
// connections are taken. Not thread-safe. The queue is as long as its user makes it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "base/table.h"

struct http_queue {
    size_t calls_max; // under way
    size_t host_calls_max;
    size_t calls;       // under way
    struct table hosts; // of struct queue_host: those with calls
    struct list ready;  // of struct queue_host: those whose first waiting call may be sent
};

// One call's place. Its owner embeds it.
struct http_turn {
    struct list link; // in its host's queue while it waits
    struct queue_host *host;
};

void http_queue_init(struct http_queue *queue, size_t calls_max, size_t host_calls_max);
// Every turn must have left.
void http_queue_release(struct http_queue *queue);

// Waits at the end of its host's queue. Host is the part of the URL before its path: two spellings of one
// host count as two hosts.
void http_queue_join(struct http_queue *queue, struct http_turn *turn, const char *url);
// The next turn, which is under way from now on; NULL if none may be sent.
struct http_turn *http_queue_next(struct http_queue *queue);
// It waits no more, or is no longer under way.
void http_queue_leave(struct http_queue *queue, struct http_turn *turn);
