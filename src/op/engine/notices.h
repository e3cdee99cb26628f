// What this node tells the others, and hears from them, within about a second: notices that are kept in the
// database (store/notices.h). Where there is one node, nothing is told or heard. Loop thread.
#pragma once

#include "base/loop.h"
#include "store/store.h"

struct notices;

// Begins to listen. The store outlives it, and runs no job of it any more when it is freed.
struct notices *notices_open(struct loop *loop, struct store *store);
void notices_free(struct notices *notices);

// Whoever is told of other nodes' notices of this topic, a literal. At most NOTICES_TOPICS_MAX topics. What
// was told before this node began to listen is not heard: it may be over.
#define NOTICES_TOPICS_MAX 4
void notices_listen(struct notices *notices, const char *topic,
                    void (*heard)(void *context, const struct uuid *about, int64_t value), void *context);
// Tells the others. At most NOTICES_TOLD_MAX are told at a time; what is more is left out.
#define NOTICES_TOLD_MAX 100
void notices_tell(struct notices *notices, const char *topic, const struct uuid *about, int64_t value);
// Notices of this topic end at their value, a wall clock time in microseconds. They are deleted after it, and
// those that were told before this node began to listen are heard, too.
void notices_end_by_value(struct notices *notices, const char *topic);
