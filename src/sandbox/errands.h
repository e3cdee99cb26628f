// What is to be done at a time: a binary heap by due time, first come first served among equals. It knows
// only ids; an errand whose object is gone when it comes up is dropped by whoever takes it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ERRAND_ID_BYTES 32

struct errand {
    int64_t due_us;
    uint64_t number; // order of arrival
    char account_id[ERRAND_ID_BYTES];
    char id[ERRAND_ID_BYTES];
};

struct errand_queue {
    struct errand *heap;
    size_t count;
    size_t capacity;
    uint64_t next_number;
};

void errands_push(struct errand_queue *queue, int64_t due_us, const char *account_id, const char *id);
int64_t errands_due_us(const struct errand_queue *queue); // of the first; INT64_MAX if none
// Takes out the first if it is due; false: nothing is.
bool errands_pop(struct errand_queue *queue, int64_t now_us, struct errand *errand);
void errands_release(struct errand_queue *queue);
