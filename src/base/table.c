// The hash table: chains, with at most one node for each bucket on average. SipHash-1-3 (Aumasson and
// Bernstein) with a random seed, because the keys are untrusted. Not thread-safe.
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/require.h"

#define BUCKETS_FIRST 16

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_of(const uint64_t seed[2], const void *key, size_t key_bytes)
{
    uint64_t v[4] = {
        seed[0] ^ UINT64_C(0x736f6d6570736575),
        seed[1] ^ UINT64_C(0x646f72616e646f6d),
        seed[0] ^ UINT64_C(0x6c7967656e657261),
        seed[1] ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *at = key;
    size_t left = key_bytes;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        sip_word(v, word);
    }
    uint64_t tail = (uint64_t)key_bytes << 56;
    for (size_t i = 0; i < left; i++) {
        tail |= (uint64_t)at[i] << (8 * i);
    }
    sip_word(v, tail);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

// The pointer to this key's node, in the bucket or in the node before. It is NULL where the key is absent.
static struct table_node **slot_of(const struct table *table, uint64_t hash, const void *key,
                                   size_t key_bytes)
{
    struct table_node **slot = &table->buckets[hash & (table->bucket_count - 1)];
    while (*slot != NULL && ((*slot)->hash != hash || (*slot)->key_bytes != key_bytes ||
                             memcmp((*slot)->key, key, key_bytes) != 0)) {
        slot = &(*slot)->next;
    }
    return slot;
}

struct table_node *table_find(const struct table *table, const void *key, size_t key_bytes)
{
    if (table->count == 0) {
        return NULL;
    }
    return *slot_of(table, hash_of(table->seed, key, key_bytes), key, key_bytes);
}

static void grow(struct table *table)
{
    size_t bucket_count = table->bucket_count == 0 ? BUCKETS_FIRST : table->bucket_count * 2;
    struct table_node **buckets = calloc(bucket_count, sizeof *buckets);
    REQUIRE(buckets != NULL);
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct table_node *node = table->buckets[i];
        while (node != NULL) {
            struct table_node *next = node->next;
            struct table_node **bucket = &buckets[node->hash & (bucket_count - 1)];
            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = bucket_count;
}

void table_insert(struct table *table, struct table_node *node, const void *key, size_t key_bytes)
{
    if (table->bucket_count == 0) {
        crypto_random(table->seed, sizeof table->seed);
    }
    if (table->count == table->bucket_count) {
        grow(table);
    }
    uint64_t hash = hash_of(table->seed, key, key_bytes);
    struct table_node **slot = slot_of(table, hash, key, key_bytes);
    REQUIRE(*slot == NULL);
    *node = (struct table_node){.key = key, .key_bytes = key_bytes, .hash = hash};
    *slot = node;
    table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
    REQUIRE(table->count > 0);
    struct table_node **slot = &table->buckets[node->hash & (table->bucket_count - 1)];
    while (*slot != node) {
        REQUIRE(*slot != NULL);
        slot = &(*slot)->next;
    }
    *slot = node->next;
    node->next = NULL;
    table->count--;
}

void table_each(struct table *table, void (*visit)(struct table_node *node, void *context), void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct table_node *node = table->buckets[i];
        while (node != NULL) {
            struct table_node *next = node->next; // the visit may free the node
            visit(node, context);
            node = next;
        }
    }
}

void table_release(struct table *table)
{
    free(table->buckets);
    *table = TABLE_EMPTY;
}
