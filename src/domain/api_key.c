// Making and checking the text of API keys. Pure; any thread.
#include "domain/api_key.h"

#include <stddef.h>
#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/uuid.h"

#define BASE 62
#define MODE_CHARS 8
#define RANDOM_CHARS 32
#define CHECK_CHARS 6
_Static_assert(MODE_CHARS + RANDOM_CHARS + CHECK_CHARS == API_KEY_CHARS, "the parts make up the whole");

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char mode_test[] = "sk_test_";
static const char mode_live[] = "sk_live_";

// One random digit. The last 8 of a byte's 256 values are rejected: 248 is the largest multiple of 62.
static char random_digit(struct random *random)
{
    uint8_t byte;
    do {
        random->fill(random, &byte, sizeof byte);
    } while (byte >= 256 / BASE * BASE);
    return digits[byte % BASE];
}

// 62^6 is above 2^32, so six digits hold any CRC-32.
static void check_digits(const char *text, char out[CHECK_CHARS])
{
    uint32_t crc = crypto_crc32(text, MODE_CHARS + RANDOM_CHARS);
    for (size_t i = CHECK_CHARS; i-- > 0; crc /= BASE) {
        out[i] = digits[crc % BASE];
    }
}

void api_key_make(struct random *random, bool livemode, char out[API_KEY_CHARS + 1])
{
    memcpy(out, livemode ? mode_live : mode_test, MODE_CHARS);
    for (size_t i = 0; i < RANDOM_CHARS; i++) {
        out[MODE_CHARS + i] = random_digit(random);
    }
    check_digits(out, out + MODE_CHARS + RANDOM_CHARS);
    out[API_KEY_CHARS] = '\0';
}

bool api_key_well_formed(const char *text)
{
    if (text == NULL || strnlen(text, API_KEY_CHARS + 1) != API_KEY_CHARS) {
        return false;
    }
    if (memcmp(text, mode_test, MODE_CHARS) != 0 && memcmp(text, mode_live, MODE_CHARS) != 0) {
        return false;
    }
    if (strspn(text + MODE_CHARS, digits) != RANDOM_CHARS + CHECK_CHARS) {
        return false;
    }
    char check[CHECK_CHARS];
    check_digits(text, check);
    return memcmp(check, text + MODE_CHARS + RANDOM_CHARS, CHECK_CHARS) == 0;
}

void api_key_prefix(const char *text, char out[API_KEY_PREFIX_CHARS + 1])
{
    REQUIRE(strnlen(text, API_KEY_PREFIX_CHARS) == API_KEY_PREFIX_CHARS);
    memcpy(out, text, API_KEY_PREFIX_CHARS);
    out[API_KEY_PREFIX_CHARS] = '\0';
}

void api_key_hash(const uint8_t pepper[32], const char *text, uint8_t out[32])
{
    const struct crypto_part part = {.data = text, .bytes = strlen(text)};
    crypto_hmac(pepper, 32, &part, 1, out);
}
