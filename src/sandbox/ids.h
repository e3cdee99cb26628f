// Names as Stripe makes them: a prefix and a random base62 tail.
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "base/uuid.h"

// "pi_3" and tail_chars more, in the arena. tail_chars at most 64.
char *id_new(struct random *random, struct arena *arena, const char *prefix, size_t tail_chars);

#define ID_TAIL_CHARS 23 // what an object's id has behind "pi_3"
