// Time-ordered ids. RFC 9562 section 6.2, method 2: within one millisecond the random part grows by a random
// step, so ids sort by creation and stay hard to guess. Any thread: a mutex guards the last id.
#include "base/uuid.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/text.h"

#define RAND_A_BITS 12
#define RAND_B_BITS 62
#define MS_MAX ((INT64_C(1) << 48) - 1)

static void fill_system(struct random *self, void *out, unsigned bytes)
{
    (void)self;
    crypto_random(out, bytes);
}

struct random random_system = {.fill = fill_system};

static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int64_t ms;
    uint64_t rand_a;
    uint64_t rand_b;
} last = {.ms = -1};

static void step(struct random *random)
{
    uint32_t raw;
    random->fill(random, &raw, sizeof raw);
    last.rand_b += (uint64_t)raw + 1;
    last.rand_a += last.rand_b >> RAND_B_BITS;
    last.rand_b &= (UINT64_C(1) << RAND_B_BITS) - 1;
    REQUIRE(last.rand_a >> RAND_A_BITS == 0);
}

struct uuid uuid_new(struct random *random, int64_t now_us)
{
    int64_t ms = now_us / 1000;
    REQUIRE(now_us >= 0 && ms <= MS_MAX);
    REQUIRE(pthread_mutex_lock(&last_lock) == 0);
    if (ms == last.ms) {
        step(random);
    } else {
        // Also where the clock went back: 73 fresh random bits keep the id unique. The later time is not
        // carried into it, so that a simulated run repeats itself.
        uint64_t raw[2];
        random->fill(random, raw, sizeof raw);
        last.ms = ms;
        // The highest bit stays clear, so that 2^41 steps fit before it could run over.
        last.rand_a = raw[0] >> (64 - RAND_A_BITS + 1);
        last.rand_b = raw[1] >> (64 - RAND_B_BITS);
    }
    uint64_t high = (uint64_t)ms << 16 | UINT64_C(7) << RAND_A_BITS | last.rand_a;
    uint64_t low = UINT64_C(2) << RAND_B_BITS | last.rand_b;
    REQUIRE(pthread_mutex_unlock(&last_lock) == 0);

    struct uuid id;
    for (unsigned i = 0; i < 8; i++) {
        id.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        id.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return id;
}

struct uuid uuid_first_of(int64_t ms)
{
    REQUIRE(ms >= 0 && ms <= MS_MAX);
    struct uuid id = {{0}};
    for (unsigned i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
    }
    return id;
}

int64_t uuid_ms(const struct uuid *id)
{
    if (id->bytes[6] >> 4 != 7 || id->bytes[8] >> 6 != 2) {
        return -1;
    }
    int64_t ms = 0;
    for (unsigned i = 0; i < 6; i++) {
        ms = ms << 8 | id->bytes[i];
    }
    return ms;
}

bool uuid_has_next(const struct uuid *id)
{
    static const uint8_t full[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return memcmp(id->bytes + sizeof(id->bytes) - sizeof(full), full, sizeof(full)) != 0;
}

struct uuid uuid_after(const struct uuid *id)
{
    struct uuid next = *id;
    unsigned i = sizeof(next.bytes) - 1;
    while (++next.bytes[i] == 0) { // a carry through all of the random part comes once in 2^56
        REQUIRE(--i > 8);
    }
    return next;
}

static bool dash_at(unsigned at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

void uuid_format(const struct uuid *id, char out[UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    static const uint8_t places[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
    _Static_assert(sizeof(places) == sizeof(id->bytes), "one for each byte");
    for (size_t i = 0; i < sizeof(places); i++) {
        out[places[i]] = digits[id->bytes[i] >> 4];
        out[places[i] + 1] = digits[id->bytes[i] & 15];
    }
    out[8] = out[13] = out[18] = out[23] = '-';
    out[UUID_TEXT_BYTES - 1] = '\0';
}

bool uuid_parse(const char *text, struct uuid *id)
{
    if (text == NULL || strlen(text) != UUID_TEXT_BYTES - 1) {
        return false;
    }
    struct uuid parsed;
    unsigned byte = 0;
    for (unsigned at = 0; at < UUID_TEXT_BYTES - 1;) {
        if (dash_at(at)) {
            if (text[at++] != '-') {
                return false;
            }
            continue;
        }
        int high = text_hex_value(text[at++]);
        int low = text_hex_value(text[at++]);
        if (high < 0 || low < 0) {
            return false;
        }
        parsed.bytes[byte++] = (uint8_t)(high << 4 | low);
    }
    *id = parsed;
    return true;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil;
    return uuid_equal(id, &nil);
}
