// When which job is due: a binary heap by due time; jobs that are due at the same time keep their order. It
// holds only ids. Jobs whose objects are gone stay in it until they are due.
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

void job_heap_push(struct job_heap *jobs, int64_t due_us, const char *account_id, const char *id);
int64_t job_heap_due_us(const struct job_heap *jobs); // of the first job; INT64_MAX if there is none
// Takes out the first job if it is due. False: none is due.
bool job_heap_pop(struct job_heap *jobs, int64_t now_us, struct scheduled_job *job);
void job_heap_release(struct job_heap *jobs);
