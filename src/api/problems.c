// See problems.h.
#include "api/problems.h"

#include <stdarg.h>
#include <stdio.h>

void problem_add(struct problems *problems, struct arena *arena, enum errc code, const char *field,
                 const char *format, ...)
{
    if (problems->count == PROBLEMS_MAX) {
        return;
    }
    char message[ERR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    problems->items[problems->count++] = (struct problem){
        .code = code, .field = arena_strdup(arena, field), .message = arena_strdup(arena, message)};
}
