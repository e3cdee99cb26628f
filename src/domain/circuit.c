// See circuit.h. Any thread.
#include "domain/circuit.h"

#include "base/timefmt.h"
#include "domain/retry.h"

// This many consecutive failures are no accident of single connections.
#define FAILURES_MAX 10
// A provider that answered within this time is taken to be reachable, whatever another node says. The limiter
// takes one that answered nothing for as long for unreachable.
#define ANSWERED_LATELY_US (10 * US_PER_S)

static void schedule(struct circuit *circuit, enum call_source source, int64_t now_us, int64_t cap_us,
                     uint32_t random32)
{
    circuit->probe_us[source] =
        now_us + retry_provider_delay_us(circuit->probes[source] + 1, cap_us, random32);
}

static void schedule_first(struct circuit *circuit, int64_t now_us, int64_t cap_us, uint32_t random32)
{
    for (int source = 0; source < CALL_SOURCE_COUNT; source++) {
        schedule(circuit, (enum call_source)source, now_us, cap_us, random32);
    }
}

bool circuit_failed(struct circuit *circuit, const struct uuid *merchant, const struct uuid *operation,
                    int64_t now_us, int64_t cap_us, uint32_t random32)
{
    circuit->several |= circuit->failures > 0 && !uuid_equal(&circuit->merchant, merchant);
    circuit->merchant = *merchant;
    if (circuit->open || (circuit->failures > 0 && uuid_equal(&circuit->operation, operation))) {
        return false;
    }
    circuit->operation = *operation;
    circuit->open = ++circuit->failures == FAILURES_MAX;
    if (circuit->open) {
        schedule_first(circuit, now_us, cap_us, random32);
    }
    return circuit->open;
}

bool circuit_follow_open(struct circuit *circuit, const struct uuid *merchant, int64_t now_us, int64_t cap_us,
                         uint32_t random32)
{
    if (circuit->open) {
        return false;
    }
    const bool answered_lately = now_us - circuit->answered_us < ANSWERED_LATELY_US;
    *circuit = (struct circuit){.failures = answered_lately ? FAILURES_MAX - 1 : FAILURES_MAX,
                                .several = merchant == NULL,
                                .open = !answered_lately,
                                .told = !answered_lately,
                                .answered_us = circuit->answered_us};
    if (merchant != NULL) {
        circuit->merchant = *merchant;
    }
    schedule_first(circuit, now_us, cap_us, random32);
    return circuit->open;
}

bool circuit_answered(struct circuit *circuit, int64_t now_us)
{
    bool was_open = circuit->open;
    *circuit = (struct circuit){.answered_us = now_us};
    return was_open;
}

bool circuit_follow_closed(struct circuit *circuit)
{
    const bool closes = circuit->open && circuit->told;
    if (closes) {
        *circuit = (struct circuit){.answered_us = circuit->answered_us};
    }
    return closes;
}

bool circuit_holds(const struct circuit *circuit, const struct uuid *merchant)
{
    return circuit->open && (circuit->several || uuid_equal(&circuit->merchant, merchant));
}

bool circuit_holds_all(const struct circuit *circuit)
{
    return circuit->open && circuit->several;
}

int64_t circuit_wait_us(const struct circuit *circuit, enum call_source source, int64_t now_us)
{
    return circuit->probe_us[source] > now_us ? circuit->probe_us[source] - now_us : 0;
}

void circuit_probe(struct circuit *circuit, enum call_source source, int64_t now_us, int64_t cap_us,
                   uint32_t random32)
{
    circuit->probes[source]++;
    schedule(circuit, source, now_us, cap_us, random32);
}

void circuit_probe_unsent(struct circuit *circuit, enum call_source source)
{
    if (circuit->probes[source] > 0) { // else the circuit that it was to probe is closed by now
        circuit->probes[source]--;
        circuit->probe_us[source] = 0;
    }
}
