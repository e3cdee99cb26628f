// retry_after_us, the delay that a merchant's endpoint asks for: never negative, and at most a year.
#include "base/timefmt.h"
#include "delivery/retry_after.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FUZZ_CLEANUP char *value = fuzz_text(data, bytes);
    int64_t wait_us = retry_after_us(value, INT64_C(1700000000) * US_PER_S);
    REQUIRE(wait_us >= 0 && wait_us <= 366 * 86400 * US_PER_S);
    return 0;
}
