// Prompts in a terminal. Questions go to stderr, so that stdout has only results.
#pragma once

#include "base/arena.h"
#include "base/err.h"

// Asks "QUESTION [FALLBACK]: " and reads one line. An empty line means the fallback; if that is NULL, it asks
// again. An empty fallback makes the answer optional. The answer is in the arena, without white space at its
// ends. ERR_IO: the input ended, or the line is too long.
enum errc prompt_text(struct arena *arena, const char *question, const char *fallback, const char **answer,
                      struct err *err) MUST_CHECK;

// The same. If `check` refuses the answer with ERR_VALIDATION or ERR_NOT_FOUND, it prints why and asks again.
// Returns any other error.
enum errc prompt_checked(struct arena *arena, const char *question, const char *fallback,
                         enum errc (*check)(const char *text, void *context, struct err *err), void *context,
                         const char **answer, struct err *err) MUST_CHECK;
