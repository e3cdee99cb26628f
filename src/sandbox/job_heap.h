// What is to be done at a time: a binary heap by due time, first come first served among equals. It knows
// only ids; an errand whose object is gone when it comes up is dropped by whoever takes it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_ID_BYTES 32

struct scheduled_job {
    int64_t due_us;
    uint64_t number; // order of arrival
    char account_id[JOB_ID_BYTES];
    char id[JOB_ID_BYTES];
};

struct job_heap {
    struct scheduled_job *heap;
    size_t count;
    size_t capacity;
    uint64_t next_number;
};

void job_heap_push(struct job_heap *queue, int64_t due_us, const char *account_id, const char *id);
int64_t job_heap_due_us(const struct job_heap *queue); // of the first; INT64_MAX if none
// Takes out the first if it is due; false: nothing is.
bool job_heap_pop(struct job_heap *queue, int64_t now_us, struct scheduled_job *job);
void job_heap_release(struct job_heap *queue);
