// The content of a file on the simulated disk: what a reader sees, what is durable, and the writes that are
// not durable yet. One thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct extent {
    char *data;
    int64_t bytes;
    int64_t capacity;
};

// A write or, if data is NULL, a truncation to `offset` bytes.
struct change {
    char *data;
    int64_t offset;
    int64_t bytes;
};

struct disk_content {
    struct extent present;
    struct extent durable;
    struct change *changes; // since the last sync
    size_t change_count;
    size_t change_capacity;
};

// Applies a write that is not synced or, if data is NULL, a truncation to `offset` bytes.
void content_change(struct disk_content *content, const void *data, int64_t offset, int64_t bytes);
// Makes all changes durable.
void content_sync(struct disk_content *content);
// Forgets the changes: no later sync makes them durable.
void content_forget_changes(struct disk_content *content);
// Each change is kept, lost or torn at random.
void content_lose_power(struct disk_content *content);
