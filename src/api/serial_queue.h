// Jobs of which only one runs at a time, so that expensive jobs leave threads for the others. The rest wait
// in the order in which they came. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct serial_queue {
    struct list waiting;
    size_t waiting_count;
    bool running;
};

// A job that waits. The owner keeps it alive until `reached`.
struct serial_entry {
    struct list link;
    void (*reached)(struct serial_entry *entry);
};

void serial_queue_init(struct serial_queue *queue);
// Calls entry->reached, at once or later. False: too many wait already, and it will not be called.
bool serial_queue_enter(struct serial_queue *queue, struct serial_entry *entry);
// The job that ran is done: the next one is reached.
void serial_queue_leave(struct serial_queue *queue);
