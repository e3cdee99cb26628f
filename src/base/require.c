// The end of the line for a broken invariant. Any thread. Uses poll(2) and write(2) alone, so that it works
// in any state.
#include "base/require.h"

#include <poll.h>
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
    // A process that waited for a reader of the log would neither go on nor end.
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (bytes > 0 && poll(&room, 1, 0) == 1 && write(STDERR_FILENO, text, (size_t)bytes) < 0) {
        abort(); // nothing is left to say it with
    }
    abort();
}
