// The end of the line for a broken invariant. Any thread. Uses write(2) alone, so that it works in any state.
#include "base/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void require_failed(const char *condition, const char *file, int line)
{
    char text[512];
    int bytes = snprintf(text, sizeof text, "%s:%d: broken invariant: %s\n", file, line, condition);
    if (bytes > (int)sizeof text - 1) {
        bytes = (int)sizeof text - 1;
    }
    if (bytes > 0 && write(STDERR_FILENO, text, (size_t)bytes) < 0) {
        abort(); // nothing is left to say it with; the core says the rest
    }
    abort();
}
