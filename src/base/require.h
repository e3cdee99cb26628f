// A broken invariant aborts, in every build: to go on with wrong state is how money goes wrong.
#pragma once

#include <stddef.h>

#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// Prints the broken condition and its place on stderr and aborts. Any thread.
_Noreturn void require_failed(const char *condition, const char *file, int line);
