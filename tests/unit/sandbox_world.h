// A sandbox in the test's process. The test sets the clock, and the randomness repeats.
#pragma once

#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "sandbox/sandbox.h"

#define START_US (INT64_C(1800000000) * US_PER_S)

// Randomness that repeats: a linear congruential generator.
struct repeated {
    struct random base;
    uint64_t state;
};

struct world {
    struct repeated random;
    struct arena arena;
    struct sandbox *sandbox;
    struct sandbox_response response; // the latest
};

int world_set_up(void **state);
int world_tear_down(void **state);

// Gives the answer's body, NULL if there is none; its status is in world->response. form: the body, or the
// query of a GET. key: the idempotency key, NULL for none.
const char *world_ask(struct world *world, int64_t now_us, const char *method, const char *path,
                      const char *form, const char *key);
const char *world_ledger(struct world *world);
// Restores the lines of a journal into the sandbox.
void world_restore(struct world *world, const char *lines);
// A random number from 0 to below - 1.
unsigned world_dice(struct world *world, unsigned below);
