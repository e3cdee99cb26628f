// See err.h. Pure; any thread.
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "base/text_utf8.h"

enum errc err_set(struct err *err, enum errc code, const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    // Formatted into a copy first: the arguments may point into the message that is replaced.
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    REQUIRE(wanted >= 0);
    if ((size_t)wanted >= sizeof message) {
        // A character cut in half would make the message unfit for a JSON answer.
        message[text_cut(message, sizeof message - 1, sizeof message - 1)] = '\0';
    }
    err->code = code;
    memcpy(err->message, message, sizeof message);
    return code;
}
