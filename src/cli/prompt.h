// Questions to the person at the terminal. They go to stderr, so that stdout carries results only.
#pragma once

#include "base/arena.h"
#include "base/err.h"

// Asks "QUESTION [FALLBACK]: " and reads one line; an empty one means the fallback, or, where that is NULL,
// asks again. The answer is in the arena, without white space at its ends. ERR_IO: the input ended, or the
// line is too long.
enum errc prompt_text(struct arena *arena, const char *question, const char *fallback, const char **answer,
                      struct err *err) MUST_CHECK;

// The same, and asks again, having said why, while `check` refuses the answer. An error of another kind than
// ERR_VALIDATION and ERR_NOT_FOUND ends it.
enum errc prompt_checked(struct arena *arena, const char *question, const char *fallback,
                         enum errc (*check)(const char *text, void *context, struct err *err), void *context,
                         const char **answer, struct err *err) MUST_CHECK;
