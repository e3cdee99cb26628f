// The bump allocator. Invariant: the bytes of a block after `used` are zero, so an allocation need not clear
// them.
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

#define BLOCK_BYTES_FIRST ((size_t)1024)
#define BLOCK_BYTES_MAX ((size_t)65536)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t bytes; // of the whole block, this header included
    size_t used;  // likewise
};

#define HEADER_BYTES ((sizeof(struct arena_block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static struct arena_block *block_new(const struct arena_block *previous, size_t content_bytes)
{
    size_t bytes = BLOCK_BYTES_FIRST;
    if (previous != NULL) {
        bytes = previous->bytes < BLOCK_BYTES_MAX / 2 ? previous->bytes * 2 : BLOCK_BYTES_MAX;
    }
    if (bytes < HEADER_BYTES + content_bytes) {
        bytes = HEADER_BYTES + content_bytes;
    }
    struct arena_block *block = calloc(1, bytes);
    REQUIRE(block != NULL);
    block->bytes = bytes;
    block->used = HEADER_BYTES;
    return block;
}

static size_t aligned(size_t bytes)
{
    REQUIRE(bytes <= SIZE_MAX / 2);
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void block_free(struct arena_block *block)
{
    explicit_bzero(block, block->used);
    free(block);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    bytes = aligned(bytes);
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->bytes - block->used < bytes) {
        block = block_new(arena->blocks, bytes);
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = (char *)block + block->used;
    block->used += bytes;
    return memory;
}

// A block that held nothing but what moved is freed, so a text that grows large is not kept twice.
void *arena_resize(struct arena *arena, void *memory, size_t bytes, size_t bytes_new)
{
    struct arena_block *block = arena->blocks;
    size_t had = aligned(bytes);
    size_t needed = aligned(bytes_new);
    bool latest = memory != NULL && (char *)memory + had == (char *)block + block->used;
    if (latest && needed <= had) {
        memset((char *)memory + needed, 0, had - needed);
        block->used -= had - needed;
        return memory;
    }
    if (latest && needed - had <= block->bytes - block->used) {
        block->used += needed - had;
        return memory;
    }
    if (memory != NULL && needed <= had) {
        return memory;
    }
    void *larger = arena_alloc(arena, bytes_new);
    if (memory != NULL) {
        memcpy(larger, memory, bytes);
    }
    if (latest && block->used == HEADER_BYTES + had) {
        arena->blocks->next = block->next;
        block_free(block);
    }
    return larger;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t bytes)
{
    if (text == NULL) {
        return NULL;
    }
    bytes = strnlen(text, bytes);
    char *copy = arena_alloc(arena, bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

void *arena_memdup(struct arena *arena, const void *data, size_t bytes)
{
    void *copy = arena_alloc(arena, bytes);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    REQUIRE(format != NULL);
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    REQUIRE(bytes >= 0);
    char *text = arena_alloc(arena, (size_t)bytes + 1);
    REQUIRE(vsnprintf(text, (size_t)bytes + 1, format, again) == bytes);
    va_end(again);
    va_end(args);
    return text;
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        block_free(block);
        block = next;
    }
    arena->blocks = NULL;
}
