// What is wrong with a request's fields, all of it in one answer.
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define PROBLEMS_MAX 32

struct problem {
    enum errc code; // ERR_VALIDATION, ERR_CARD_DATA_REFUSED
    const char *field;
    const char *message;
};

struct problems {
    struct problem items[PROBLEMS_MAX];
    size_t count; // further ones are not kept
};

// Text is copied into the arena.
void problem_add(struct problems *problems, struct arena *arena, enum errc code, const char *field,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
