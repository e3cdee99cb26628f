// Which call is sent next. Each host has a FIFO queue of its own and a limit of calls under way. Hosts with
// waiting calls are served round-robin. A call to a busy host never delays a call to another host, unless all
// connections are taken. Not thread-safe. Its user bounds its length.
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

// One call. Its owner embeds it.
struct http_queue_entry {
    struct list link; // in its host's queue while it waits
    struct queue_host *host;
};

void http_queue_init(struct http_queue *queue, size_t calls_max, size_t host_calls_max);
// Every entry must have been removed.
void http_queue_release(struct http_queue *queue);

// Adds the call to the end of its host's queue. The host is the part of the URL before its path: two
// spellings of one host count as two hosts.
void http_queue_add(struct http_queue *queue, struct http_queue_entry *entry, const char *url);
// The next call, which is under way from now on; NULL if none may be sent.
struct http_queue_entry *http_queue_take(struct http_queue *queue);
// The call waits no more, or is no longer under way.
void http_queue_remove(struct http_queue *queue, struct http_queue_entry *entry);
