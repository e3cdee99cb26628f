// The heap of jobs. Pure. See job_heap.h.
#include "sandbox/job_heap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/require.h"

static bool comes_before(const struct scheduled_job *a, const struct scheduled_job *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

static void swap(struct scheduled_job *a, struct scheduled_job *b)
{
    struct scheduled_job held = *a;
    *a = *b;
    *b = held;
}

void job_heap_push(struct job_heap *jobs, int64_t due_us, const char *account_id, const char *id)
{
    if (jobs->count == jobs->capacity) {
        jobs->capacity = jobs->capacity ? jobs->capacity * 2 : 64;
        jobs->heap = realloc(jobs->heap, jobs->capacity * sizeof(jobs->heap[0]));
        REQUIRE(jobs->heap != NULL);
    }
    struct scheduled_job *heap = jobs->heap;
    size_t at = jobs->count++;
    heap[at] = (struct scheduled_job){.due_us = due_us, .number = jobs->next_number++};
    snprintf(heap[at].account_id, sizeof(heap[at].account_id), "%s", account_id);
    snprintf(heap[at].id, sizeof(heap[at].id), "%s", id);
    while (at > 0 && comes_before(&heap[at], &heap[(at - 1) / 2])) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

int64_t job_heap_due_us(const struct job_heap *jobs)
{
    return jobs->count == 0 ? INT64_MAX : jobs->heap[0].due_us;
}

bool job_heap_pop(struct job_heap *jobs, int64_t now_us, struct scheduled_job *job)
{
    if (jobs->count == 0 || jobs->heap[0].due_us > now_us) {
        return false;
    }
    struct scheduled_job *heap = jobs->heap;
    *job = heap[0];
    heap[0] = heap[--jobs->count];
    size_t at = 0;
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < jobs->count; child++) {
            first = comes_before(&heap[child], &heap[first]) ? child : first;
        }
        if (first == at) {
            return true;
        }
        swap(&heap[at], &heap[first]);
        at = first;
    }
}

void job_heap_release(struct job_heap *jobs)
{
    free(jobs->heap);
    *jobs = (struct job_heap){0};
}
