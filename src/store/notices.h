// What the nodes tell each other: that the provider is unreachable, or that an address fails too often. A
// notice is a value under a topic and what it is about; a later one replaces it. Notices are numbered in the
// order of their commits, so that each node hears of every one. Database thread.
#pragma once

#include "store/db.h"

struct notice {
    const char *topic; // a short text
    struct uuid about;
    int64_t value;
    int64_t number; // of a notice that was read
};

// Of two nodes that write at once, one loses a conflict and runs again.
enum errc notice_put(struct db *db, const struct uuid *node_id, const struct notice *notice,
                     struct err *err) MUST_CHECK;
// The number of the newest; 0: there is none.
enum errc notices_last(struct db *db, int64_t *number, struct err *err) MUST_CHECK;
// Other nodes' notices after *number, at most `max` rows are read; moves *number to the last. Text into the
// arena.
enum errc notices_after(struct db *db, const struct uuid *node_id, struct arena *arena, int64_t *number,
                        struct notice *notices, size_t max, size_t *count, struct err *err) MUST_CHECK;
// Deletes those of this topic whose value, a time, is before that time. The newest of all stays, because the
// numbers go on from it.
enum errc notices_forget(struct db *db, const char *topic, int64_t before_us, struct err *err) MUST_CHECK;
