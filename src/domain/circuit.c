// See circuit.h. Any thread.
#include "domain/circuit.h"

#include "domain/retry.h"

// This many consecutive failures are no accident of single connections.
#define FAILURES_MAX 10

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

bool circuit_open(struct circuit *circuit, const struct uuid *merchant, int64_t now_us, int64_t cap_us,
                  uint32_t random32)
{
    if (circuit->open) {
        return false;
    }
    *circuit = (struct circuit){.failures = FAILURES_MAX, .several = merchant == NULL, .open = true};
    if (merchant != NULL) {
        circuit->merchant = *merchant;
    }
    schedule_first(circuit, now_us, cap_us, random32);
    return true;
}

bool circuit_answered(struct circuit *circuit)
{
    bool was_open = circuit->open;
    *circuit = (struct circuit){0};
    return was_open;
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
