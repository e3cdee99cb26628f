// Finds names that an object repeats. Pure; any thread. Internal to json_scan.c.
#pragma once

#include "base/json_reader.h"

// With 4096 bits, 45 names share none with four of five factors, and the names of a PaymentIntent share none
// with this one (https://docs.stripe.com/api/payment_intents/object).
#define JSON_NAMES_BITS_LOG 12
#define JSON_NAMES_FACTOR 39

// A bit for each name that an object has so far, by its hash. Only if two names share a bit, the object's
// names are compared.
struct json_names {
    uint64_t bits[(1 << JSON_NAMES_BITS_LOG) / 64];
    bool shared;
};

void json_names_add(struct json_names *names, const char *name);

// Where the first name is that the object has already, in bytes of the text; SIZE_MAX: there is none.
size_t json_names_find_repeat(const struct json_value *object);
