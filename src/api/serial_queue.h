// Jobs of which only one may run at a time, so that dear ones leave threads for the others: the rest wait in
// the order in which they came. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct serial_queue {
    struct list waiting;
    size_t waiting_count;
    bool taken;
};

// Whoever waits for its turn; the owner keeps it alive until `come`.
struct serial_entry {
    struct list link;
    void (*reached)(struct serial_entry *entry);
};

void serial_queue_init(struct serial_queue *queue);
// Calls turn->come, at once or later. False: too many wait already; it is not called.
bool serial_queue_enter(struct serial_queue *queue, struct serial_entry *entry);
// Whoever's turn it was is done: the next one's comes.
void serial_queue_leave(struct serial_queue *queue);
