// What the harnesses share. A harness is one file, tests/fuzz/fuzz_NAME.c, with the one function below: it
// gives the bytes to a parser and aborts (REQUIRE) where what came out breaks a promise. It runs under
// libFuzzer (scripts/fuzz) and, over the kept inputs in tests/fuzz/corpus/NAME, in every run of the tests
// (replay.c).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

// Returns 0. May be called any number of times in one process, so it frees all it makes.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static inline void fuzz_free(char **text)
{
    free(*text);
}
#define FUZZ_CLEANUP __attribute__((cleanup(fuzz_free)))

// A copy with a NUL behind and nothing more, so that AddressSanitizer sees a parser read past its end. The
// caller frees it. Input with a NUL inside ends there, as it would in the program.
static inline char *fuzz_text(const uint8_t *data, size_t bytes)
{
    char *text = strndup((const char *)data, bytes);
    REQUIRE(text != NULL);
    return text;
}
