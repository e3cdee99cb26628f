// See world.h.
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"

#define VIOLATION_BYTES 240

struct scheduled_call {
    int64_t at_us;
    uint64_t number;
    void (*run)(void *context);
    void *context;
};

struct world world;

static struct scheduled_call *heap;
static size_t heap_count;
static size_t heap_capacity;
static uint64_t next_number;

// SplitMix64, https://prng.di.unimi.it/splitmix64.c.
static uint64_t draw(void)
{
    uint64_t z = (world.random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill(struct random *self, void *out, unsigned bytes)
{
    (void)self;
    for (unsigned i = 0; i < bytes; i++) {
        ((uint8_t *)out)[i] = (uint8_t)(draw() >> 32);
    }
}

void world_begin(uint64_t seed, const char *mutation, bool verbose)
{
    world = (struct world){
        .seed = seed, .random_state = seed, .random = {fill}, .mutation = mutation, .verbose = verbose};
}

static bool comes_before(const struct scheduled_call *a, const struct scheduled_call *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

static void swap(size_t a, size_t b)
{
    struct scheduled_call held = heap[a];
    heap[a] = heap[b];
    heap[b] = held;
}

void world_after(int64_t delay_us, void (*run)(void *context), void *context)
{
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? heap_capacity * 2 : 256;
        heap = realloc(heap, heap_capacity * sizeof(*heap));
        REQUIRE(heap != NULL);
    }
    size_t at = heap_count++;
    heap[at] = (struct scheduled_call){world.now_us + delay_us, next_number++, run, context};
    for (; at > 0 && comes_before(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2) {
        swap(at, (at - 1) / 2);
    }
}

int64_t world_next_us(void)
{
    return heap_count > 0 ? heap[0].at_us : INT64_MAX;
}

void world_run_next(void)
{
    REQUIRE(heap_count > 0);
    struct scheduled_call first = heap[0];
    heap[0] = heap[--heap_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_count; child++) {
            least = comes_before(&heap[child], &heap[least]) ? child : least;
        }
        if (least == at) {
            break;
        }
        swap(at, least);
        at = least;
    }
    world.now_us = first.at_us > world.now_us ? first.at_us : world.now_us;
    first.run(first.context);
}

uint64_t random_below(uint64_t below)
{
    return draw() % below;
}

int64_t random_between(int64_t min, int64_t max)
{
    return min + (int64_t)random_below((uint64_t)(max - min + 1));
}

bool fault_one_in(uint64_t n)
{
    return !world.faults_off && random_below(n) == 0;
}

bool mutated(const char *mutation)
{
    return text_equal(world.mutation, mutation);
}

static void print_line(const char *format, va_list arguments)
{
    printf("%6lld.%06lld ", (long long)(world.now_us / US_PER_S), (long long)(world.now_us % US_PER_S));
    (void)vprintf(format, arguments);
    (void)putchar('\n');
}

void note(const char *format, ...)
{
    if (world.verbose) {
        va_list arguments;
        va_start(arguments, format);
        print_line(format, arguments);
        va_end(arguments);
    }
}

void violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    world.counts.violations++;
    char text[VIOLATION_BYTES];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    note("VIOLATION: %s", text);
    if (world.mutation == NULL) {
        printf("seed %llu: violation: %s\n", (unsigned long long)world.seed, text);
    }
}
