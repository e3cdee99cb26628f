// email_fold: UTF-8 stays UTF-8, and folding the result again changes nothing.
#include "base/text.h"
#include "domain/email.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    FUZZ_CLEANUP char *text = fuzz_text(data, bytes);
    const char *folded = email_fold(&arena, text);
    if (text_is_utf8(text, strlen(text))) {
        REQUIRE(text_is_utf8(folded, strlen(folded)));
        REQUIRE(strcmp(email_fold(&arena, folded), folded) == 0);
    }
    return 0;
}
