// See http_queue.h. Invariant: a host is in `ready` exactly while a call waits for it and its limit allows
// one more. It exists exactly while it has calls.
#include "net/http_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"

struct queue_host {
    struct table_node node;
    struct list ready;   // in the queue's `ready`
    struct list waiting; // of struct http_queue_entry
    size_t calls;        // under way
    char name[];
};

void http_queue_init(struct http_queue *queue, size_t calls_max, size_t host_calls_max)
{
    *queue = (struct http_queue){.calls_max = calls_max, .host_calls_max = host_calls_max};
    list_init(&queue->ready);
}

void http_queue_release(struct http_queue *queue)
{
    REQUIRE(queue->hosts.count == 0);
    table_release(&queue->hosts);
}

static struct queue_host *host_of(struct http_queue *queue, const char *url)
{
    const char *scheme_end = strstr(url, "://");
    const char *name = scheme_end ? scheme_end + 3 : url;
    size_t bytes = (size_t)(name - url) + strcspn(name, "/?#");
    struct table_node *node = table_find(&queue->hosts, url, bytes);
    if (node) {
        return CONTAINER_OF(node, struct queue_host, node);
    }
    struct queue_host *host = calloc(1, sizeof(*host) + bytes);
    REQUIRE(host != NULL);
    memcpy(host->name, url, bytes);
    list_init(&host->ready);
    list_init(&host->waiting);
    table_insert(&queue->hosts, &host->node, host->name, bytes);
    return host;
}

// Restores the invariant after a change.
static void host_changed(struct http_queue *queue, struct queue_host *host)
{
    bool ready = !list_empty(&host->waiting) && host->calls < queue->host_calls_max;
    if (ready && !list_linked(&host->ready)) {
        list_append(&queue->ready, &host->ready);
    } else if (!ready && list_linked(&host->ready)) {
        list_remove(&host->ready);
    }
    if (list_empty(&host->waiting) && host->calls == 0) {
        table_remove(&queue->hosts, &host->node);
        free(host);
    }
}

void http_queue_add(struct http_queue *queue, struct http_queue_entry *entry, const char *url)
{
    entry->host = host_of(queue, url);
    list_append(&entry->host->waiting, &entry->link);
    host_changed(queue, entry->host);
}

struct http_queue_entry *http_queue_take(struct http_queue *queue)
{
    struct list *first = queue->calls < queue->calls_max ? list_take_first(&queue->ready) : NULL;
    if (!first) {
        return NULL;
    }
    struct queue_host *host = CONTAINER_OF(first, struct queue_host, ready);
    struct http_queue_entry *entry =
        CONTAINER_OF(list_take_first(&host->waiting), struct http_queue_entry, link);
    host->calls++;
    queue->calls++;
    host_changed(queue, host); // to the end of `ready`
    return entry;
}

void http_queue_remove(struct http_queue *queue, struct http_queue_entry *entry)
{
    if (list_linked(&entry->link)) {
        list_remove(&entry->link);
    } else {
        entry->host->calls--;
        queue->calls--;
    }
    host_changed(queue, entry->host);
    entry->host = NULL;
}
