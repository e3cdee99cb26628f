// UUIDs, version 7 (RFC 9562): 48 bits of milliseconds, then random, increasing within one generator.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_BYTES 37 // 36 characters and the NUL

struct uuid {
    uint8_t bytes[16];
};

// Source of randomness: a seam, so that a simulated run is repeatable.
struct random {
    void (*fill)(struct random *self, void *out, unsigned bytes);
};
extern struct random random_system; // the kernel's, through OpenSSL; any thread
// Random bits, for instance to spread times.
static inline uint32_t random_u32(struct random *random)
{
    uint32_t value = 0;
    random->fill(random, &value, sizeof(value));
    return value;
}

// A new id for this wall-clock time in microseconds. Any thread; ids of one process strictly increase while
// the clock does not go back, and stay unique when it does.
struct uuid uuid_new(struct random *random, int64_t now_us);

// The lowest possible id of this millisecond: no id made since is below it.
struct uuid uuid_first_of(int64_t ms);

// When an id was made: wall-clock milliseconds; -1 where it is not version 7.
int64_t uuid_ms(const struct uuid *id);

// Whether an id can follow: it can after every id of ours.
bool uuid_has_next(const struct uuid *id);
// The next higher id: for what must sort after that one, whatever the clock says.
struct uuid uuid_after(const struct uuid *id);

void uuid_format(const struct uuid *id, char out[UUID_TEXT_BYTES]);
bool uuid_parse(const char *text, struct uuid *id); // any version, either case, with dashes
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *id);
