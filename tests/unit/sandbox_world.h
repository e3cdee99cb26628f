// A sandbox in the test's own process, on a clock and randomness of the test's own.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "sandbox/sandbox.h"

#define START_US (INT64_C(1800000000) * US_PER_S)

// Randomness that repeats: a counter, mixed.
struct repeated {
    struct random base;
    uint64_t state;
};

struct world {
    struct repeated random;
    struct arena arena;
    struct sandbox *sandbox;
    struct sandbox_response response; // the last
};

int world_set_up(void **state);
int world_tear_down(void **state);

// The answer's body, NULL if there is none; its status is in world->response. form: the body, or a GET's
// query. key: the idempotency key, NULL for none.
const char *world_ask(struct world *world, int64_t now_us, const char *method, const char *path,
                      const char *form, const char *key);
const char *world_ledger(struct world *world);
// Feeds a journal's text into the sandbox, line by line.
void world_restore(struct world *world, const char *lines);
// A number from 0 to below - 1 of the world's randomness.
unsigned world_dice(struct world *world, unsigned below);
