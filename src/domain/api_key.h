// The text of an API key: "sk_test_" or "sk_live_", 32 random base62 characters, and the CRC-32 of those as 6
// base62 digits, so that a mistyped key is refused before any lookup. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define API_KEY_CHARS 46
#define API_KEY_PREFIX_CHARS 12

// Each character's choice is unbiased (rejection sampling).
struct random;
void api_key_make(struct random *random, bool livemode, char out[API_KEY_CHARS + 1]);

// Whether text has the form and the right check digits.
bool api_key_well_formed(const char *text);

// Its first 12 characters, for people.
void api_key_prefix(const char *text, char out[API_KEY_PREFIX_CHARS + 1]);

// What is stored in place of the key: the HMAC-SHA256 of its text under the pepper. A stolen database alone
// cannot confirm a guess.
void api_key_hash(const uint8_t pepper[32], const char *text, uint8_t out[32]);
