// A bump allocator for one request, operation or delivery: everything in it is freed at once.
// Not thread-safe: it belongs to the thread that owns the object it serves. Without memory it aborts.
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

// An empty arena holds no memory; its first allocation makes a block of 1 kB (later ones double, to 64 kB).
#define ARENA_EMPTY ((struct arena){0})

// Zeroed memory aligned for any type. Never NULL. bytes may be 0.
void *arena_alloc(struct arena *arena, size_t bytes);

// Makes an allocation of `bytes` (NULL: none yet) larger or smaller, and keeps its content. It moves if
// something was allocated after it, or if its block is full. What is added is not zeroed.
void *arena_resize(struct arena *arena, void *memory, size_t bytes, size_t bytes_new);

// Copies, with a NUL at the end. For text NULL: NULL.
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t bytes_max); // at most to the NUL
void *arena_memdup(struct arena *arena, const void *data, size_t bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Frees every block; the arena is then empty and usable. Blocks are wiped first (they may have held secrets).
void arena_release(struct arena *arena);

#define ARENA_CLEANUP __attribute__((cleanup(arena_release)))
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
