// time_parse: an accepted time lies between 1970 and 9999, and time_format_exact writes it so that it parses
// to the same time.
#include "base/timefmt.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FUZZ_CLEANUP char *text = fuzz_text(data, bytes);
    int64_t time_us = -7;
    struct err err = {0};
    if (time_parse(text, &time_us, &err) != OK) {
        REQUIRE(err.code == ERR_VALIDATION && err.message[0] != '\0' && time_us == -7);
        return 0;
    }
    REQUIRE(time_us >= 0 && time_us < INT64_C(253402300800) * US_PER_S);
    char written[TIME_TEXT_BYTES];
    time_format_exact(time_us, written);
    int64_t again = -7;
    REQUIRE(time_parse(written, &again, NULL) == OK && again == time_us);
    return 0;
}
