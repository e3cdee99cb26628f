// http_target_read, the path and query of a request line: a decoded path is UTF-8 without NUL, begins with a
// slash and contains no slash that was escaped. The query is the text after the first question mark.
#include "base/text.h"
#include "fuzz.h"
#include "net/http_head.h"

static size_t count_slashes(const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        count += text[i] == '/';
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    FUZZ_CLEANUP char *target = fuzz_text(data, bytes);
    const char *path = NULL;
    const char *query = NULL;
    const char *refused = http_target_read(target, &arena, &path, &query);
    if (refused != NULL) {
        REQUIRE(refused[0] != '\0' && path == NULL && query == NULL);
        return 0;
    }
    size_t raw_bytes = strcspn(target, "?");
    REQUIRE(path[0] == '/' && strlen(path) <= raw_bytes && text_is_utf8(path, strlen(path)));
    REQUIRE(count_slashes(path, strlen(path)) == count_slashes(target, raw_bytes));
    REQUIRE(strcmp(query, target[raw_bytes] == '?' ? target + raw_bytes + 1 : "") == 0);
    return 0;
}
