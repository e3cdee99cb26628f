// An intrusive hash table keyed by bytes (ids, addresses). The hash has a random seed, so that no client can
// fill one bucket. It owns neither keys nor nodes: the node's owner keeps the key alive. Not thread-safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    const void *key;
    size_t key_bytes;
    uint64_t hash;
};

struct table {
    struct table_node **buckets;
    size_t bucket_count; // a power of two, 0 before the first insert
    size_t count;
    uint64_t seed[2]; // random, chosen at the first insert
};

#define TABLE_EMPTY ((struct table){0})

// The node with this key, or NULL.
struct table_node *table_find(const struct table *table, const void *key, size_t key_bytes);

// Adds a node whose key must not be in the table yet.
void table_insert(struct table *table, struct table_node *node, const void *key, size_t key_bytes);

// Takes out a node that is in the table.
void table_remove(struct table *table, struct table_node *node);

// Calls `visit` for every node; visit may remove (and free) the node it is given, no other.
void table_each(struct table *table, void (*visit)(struct table_node *node, void *context), void *context);

// Frees the buckets, not the nodes.
void table_release(struct table *table);
