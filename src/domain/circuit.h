// Whether the provider is there at all. The circuit opens when calls fail one behind the other; then they are
// held back but for one probe now and then, until one is answered. Failures of one merchant's calls alone
// hold back only that merchant: what is wrong may be its account. Pure: the caller brings time and chance.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

// Probes of either come at their own times, so that an operation that will never be answered cannot keep a
// circuit open that a new call would close.
enum circuit_side { CIRCUIT_CALLERS, CIRCUIT_RECOVERY, CIRCUIT_SIDE_COUNT };

struct circuit {
    int failures;          // one behind the other, each of another operation than the one before
    struct uuid operation; // the last that failed
    struct uuid merchant;  // whose the failures are
    bool several;          // of several merchants
    bool open;
    int probes[CIRCUIT_SIDE_COUNT]; // since it opened
    int64_t probe_us[CIRCUIT_SIDE_COUNT];
};

// A call was not answered, or with a fault of the provider's. True: the circuit opened by this. The first
// probe, and each later one, comes after a delay that doubles from 0.5 s to cap_us.
bool circuit_failed(struct circuit *circuit, const struct uuid *merchant, const struct uuid *operation,
                    int64_t now_us, int64_t cap_us, uint32_t random32);
// A call was answered, whatever was said. True: the circuit closed by this.
bool circuit_answered(struct circuit *circuit);

// Whether this merchant's calls are held back, but for probes.
bool circuit_holds(const struct circuit *circuit, const struct uuid *merchant);
// Whether everybody's are.
bool circuit_holds_all(const struct circuit *circuit);
// How long until the next probe may be made.
int64_t circuit_wait_us(const struct circuit *circuit, enum circuit_side side, int64_t now_us);
// A probe is made.
void circuit_probe(struct circuit *circuit, enum circuit_side side, int64_t now_us, int64_t cap_us,
                   uint32_t random32);
// A probe was not sent after all: the next may be made at once.
void circuit_probe_unsent(struct circuit *circuit, enum circuit_side side);
