// The bump allocator. An allocation that is larger than the next block has a block of its own, after the one
// that allocations are taken from. So the room that is left there is still used, and later blocks stay small.
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

static struct arena_block *block_new(size_t bytes)
{
    struct arena_block *block = malloc(bytes);
    REQUIRE(block != NULL);
    *block = (struct arena_block){.bytes = bytes, .used = HEADER_BYTES};
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

// The block to take so many bytes from.
static struct arena_block *block_with_room(struct arena *arena, size_t bytes)
{
    struct arena_block *first = arena->blocks;
    if (first != NULL && first->bytes - first->used >= bytes) {
        return first;
    }
    size_t next_bytes = BLOCK_BYTES_FIRST;
    if (first != NULL) {
        next_bytes = first->bytes < BLOCK_BYTES_MAX / 2 ? first->bytes * 2 : BLOCK_BYTES_MAX;
    }
    struct arena_block *block = NULL;
    if (first != NULL && HEADER_BYTES + bytes > next_bytes) {
        block = block_new(HEADER_BYTES + bytes);
        block->next = first->next;
        first->next = block;
    } else {
        block = block_new(HEADER_BYTES + bytes > next_bytes ? HEADER_BYTES + bytes : next_bytes);
        block->next = first;
        arena->blocks = block;
    }
    return block;
}

// Like arena_alloc, but not zeroed.
static void *take(struct arena *arena, size_t bytes)
{
    bytes = aligned(bytes);
    struct arena_block *block = block_with_room(arena, bytes);
    void *memory = (char *)block + block->used;
    block->used += bytes;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    return memset(take(arena, bytes), 0, bytes);
}

// A block that held nothing but what moved is freed, so a text that grows large is not kept twice.
void *arena_resize(struct arena *arena, void *memory, size_t bytes, size_t bytes_new)
{
    struct arena_block *block = arena->blocks;
    size_t had = aligned(bytes);
    size_t needed = aligned(bytes_new);
    bool latest = memory != NULL && (char *)memory + had == (char *)block + block->used;
    if (latest && needed <= had) {
        explicit_bzero((char *)memory + needed, had - needed); // no longer among what a release wipes
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
    void *larger = take(arena, bytes_new);
    if (memory != NULL) {
        memcpy(larger, memory, bytes);
    }
    if (latest && block->used == HEADER_BYTES + had) {
        struct arena_block **at = &arena->blocks;
        while (*at != block) {
            at = &(*at)->next;
        }
        *at = block->next;
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
    char *copy = take(arena, bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

void *arena_memdup(struct arena *arena, const void *data, size_t bytes)
{
    void *copy = take(arena, bytes);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    REQUIRE(format != NULL);
    char short_text[128]; // most are, and need not be formatted twice
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(short_text, sizeof(short_text), format, args);
    REQUIRE(bytes >= 0);
    char *text = take(arena, (size_t)bytes + 1);
    if ((size_t)bytes < sizeof(short_text)) {
        memcpy(text, short_text, (size_t)bytes + 1);
    } else {
        REQUIRE(vsnprintf(text, (size_t)bytes + 1, format, again) == bytes);
    }
    va_end(again);
    va_end(args);
    explicit_bzero(short_text, sizeof(short_text));
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
