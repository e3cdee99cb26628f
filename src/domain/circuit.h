// A circuit breaker: whether the provider answers at all. It opens after consecutive failures. Then it holds
// calls back, except for a probe now and then, until one is answered. If only one merchant's calls fail, it
// holds back only that merchant's: the fault may be in its account. Pure: the caller gives the time and the
// random number.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

// Each side has its own schedule of probes, so that an operation that is never answered cannot keep a circuit
// open that a new call would close.
enum circuit_side { CIRCUIT_CALLERS, CIRCUIT_RECOVERY, CIRCUIT_SIDE_COUNT };

struct circuit {
    int failures;          // consecutive, each of another operation than the one before
    struct uuid operation; // the last that failed
    struct uuid merchant;  // whose the failures are
    bool several;          // of several merchants
    bool open;
    int probes[CIRCUIT_SIDE_COUNT]; // since it opened
    int64_t probe_us[CIRCUIT_SIDE_COUNT];
};

// A call was not answered, or the provider answered with a fault of its own. True: this opened the circuit.
// Each probe comes after a delay that doubles from 0.5 s to cap_us.
bool circuit_failed(struct circuit *circuit, const struct uuid *merchant, const struct uuid *operation,
                    int64_t now_us, int64_t cap_us, uint32_t random32);
// A call was answered, whatever the answer. True: this closed the circuit.
bool circuit_answered(struct circuit *circuit);

// Whether this merchant's calls are held back, except for probes.
bool circuit_holds(const struct circuit *circuit, const struct uuid *merchant);
// Whether all merchants' calls are.
bool circuit_holds_all(const struct circuit *circuit);
// How long until the next probe may be made.
int64_t circuit_wait_us(const struct circuit *circuit, enum circuit_side side, int64_t now_us);
// A probe is made.
void circuit_probe(struct circuit *circuit, enum circuit_side side, int64_t now_us, int64_t cap_us,
                   uint32_t random32);
// A probe was not sent after all: the next may follow at once.
void circuit_probe_unsent(struct circuit *circuit, enum circuit_side side);
