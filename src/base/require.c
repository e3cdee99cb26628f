// How the process ends at a broken invariant. Any thread. It calls only poll(2) and write(2), so that it
// works in any state.
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
    // Does not wait for a reader: the process must end.
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (bytes > 0 && poll(&room, 1, 0) == 1 && write(STDERR_FILENO, text, (size_t)bytes) < 0) {
        abort(); // there is no other way to report it
    }
    abort();
}
