// A circuit breaker: whether the provider answers at all. It opens after consecutive failures. Then it holds
// calls back, except for a probe now and then, until one is answered. If only one merchant's calls fail, it
// holds back only that merchant's: the fault may be in its account. Pure: the caller gives the time and the
// random number.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

// Who makes a call: a request to the API, or recovery, which goes on with open operations. Each has its own
// schedule of probes, so that an operation that is never answered cannot keep a circuit open that a new call
// would close.
enum call_source { CALL_FROM_API, CALL_FROM_RECOVERY, CALL_SOURCE_COUNT };

struct circuit {
    int failures;          // consecutive, each of another operation than the one before
    struct uuid operation; // the last that failed
    struct uuid merchant;  // of the last failure
    bool several;          // whether the failures are of several merchants
    bool open;
    bool told;                     // it opened because another node said so
    int64_t answered_us;           // when a call was last answered
    int probes[CALL_SOURCE_COUNT]; // since it opened
    int64_t probe_us[CALL_SOURCE_COUNT];
};

// A call was not answered, or the provider answered with a fault of its own. True: this opened the circuit.
// Each probe comes after a delay that doubles from 0.5 s to cap_us.
bool circuit_failed(struct circuit *circuit, const struct uuid *merchant, const struct uuid *operation,
                    int64_t now_us, int64_t cap_us, uint32_t random32);
// Another node's circuit opened: for this merchant, or for all (NULL). If a call of this node was answered
// lately, only the other node may be cut off: then this node's next failure opens the circuit. True: this
// opened it.
bool circuit_follow_open(struct circuit *circuit, const struct uuid *merchant, int64_t now_us, int64_t cap_us,
                         uint32_t random32);
// A call was answered, whatever the answer. True: this closed the circuit.
bool circuit_answered(struct circuit *circuit, int64_t now_us);
// Another node's circuit closed. A circuit that opened by this node's own failures stays open until one of
// its own calls is answered. True: this closed the circuit.
bool circuit_follow_closed(struct circuit *circuit);

// Whether this merchant's calls are held back, except for probes.
bool circuit_holds(const struct circuit *circuit, const struct uuid *merchant);
// Whether all merchants' calls are.
bool circuit_holds_all(const struct circuit *circuit);
// How long until the next probe may be made; 0: now.
int64_t circuit_wait_us(const struct circuit *circuit, enum call_source source, int64_t now_us);
// A probe is made.
void circuit_probe(struct circuit *circuit, enum call_source source, int64_t now_us, int64_t cap_us,
                   uint32_t random32);
// A probe was not sent after all: the next may follow at once.
void circuit_probe_unsent(struct circuit *circuit, enum call_source source);
