// api_key_well_formed: an accepted key has the right length and prefix, and no key with one changed letter is
// accepted.
#include "domain/api_key.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FUZZ_CLEANUP char *text = fuzz_text(data, bytes);
    if (!api_key_well_formed(text)) {
        return 0;
    }
    REQUIRE(strlen(text) == API_KEY_CHARS && strncmp(text, "sk_", 3) == 0);
    for (size_t i = 8; i < API_KEY_CHARS; i++) {
        char letter = text[i];
        text[i] = letter == 'a' ? 'b' : 'a';
        REQUIRE(!api_key_well_formed(text));
        text[i] = letter;
    }
    return 0;
}
