// Shared by the harnesses. A harness is one file, tests/fuzz/fuzz_NAME.c, that defines the function below: it
// passes the bytes to a parser and aborts (REQUIRE) if the result breaks a promise. It runs under libFuzzer
// (scripts/fuzz) and, on the inputs in tests/fuzz/corpus/NAME, in every test run (replay.c).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

// Returns 0. It may be called many times in one process, so it frees everything that it allocates.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static inline void fuzz_free(char **text)
{
    free(*text);
}
#define FUZZ_CLEANUP __attribute__((cleanup(fuzz_free)))

// Returns a copy with a NUL at its end and no spare bytes, so that AddressSanitizer sees a parser read past
// it. Input ends at its first NUL, as it would in the program. The caller frees the copy.
static inline char *fuzz_text(const uint8_t *data, size_t bytes)
{
    char *text = strndup((const char *)data, bytes);
    REQUIRE(text != NULL);
    return text;
}
