// See serial_queue.h.
#include "api/serial_queue.h"

#include "base/require.h"

#define WAITING_MAX 64

void serial_queue_init(struct serial_queue *queue)
{
    *queue = (struct serial_queue){0};
    list_init(&queue->waiting);
}

bool serial_queue_enter(struct serial_queue *queue, struct serial_entry *entry)
{
    if (!queue->running) {
        queue->running = true;
        entry->reached(entry);
        return true;
    }
    if (queue->waiting_count == WAITING_MAX) {
        return false;
    }
    list_append(&queue->waiting, &entry->link);
    queue->waiting_count++;
    return true;
}

void serial_queue_leave(struct serial_queue *queue)
{
    REQUIRE(queue->running);
    struct list *node = list_take_first(&queue->waiting);
    if (node == NULL) {
        queue->running = false;
        return;
    }
    queue->waiting_count--;
    struct serial_entry *entry = CONTAINER_OF(node, struct serial_entry, link);
    entry->reached(entry);
}
