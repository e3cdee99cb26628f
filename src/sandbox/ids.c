// Random ids. Pure but for the randomness that comes in. See ids.h.
#include "sandbox/ids.h"

#include <stdint.h>

#include "base/require.h"

#define TAIL_CHARS_MAX 64

char *id_new(struct random *random, struct arena *arena, const char *prefix, size_t tail_chars)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    REQUIRE(tail_chars <= TAIL_CHARS_MAX);
    uint8_t bytes[TAIL_CHARS_MAX];
    random->fill(random, bytes, (unsigned)tail_chars);
    char tail[TAIL_CHARS_MAX];
    for (size_t i = 0; i < tail_chars; i++) {
        // 256 is no multiple of 62: some digits are a little likelier, which costs nothing here.
        tail[i] = digits[bytes[i] % 62];
    }
    return arena_printf(arena, "%s%.*s", prefix, (int)tail_chars, tail);
}
