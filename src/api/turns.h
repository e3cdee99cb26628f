// Jobs of which only one may run at a time, so that dear ones leave threads for the others: the rest wait in
// the order in which they came. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct turns {
    struct list waiting;
    size_t waiting_count;
    bool taken;
};

// Whoever waits for its turn; the owner keeps it alive until `come`.
struct turn {
    struct list link;
    void (*come)(struct turn *turn);
};

void turns_init(struct turns *turns);
// Calls turn->come, at once or later. False: too many wait already; it is not called.
bool turns_take(struct turns *turns, struct turn *turn);
// Whoever's turn it was is done: the next one's comes.
void turns_pass(struct turns *turns);
