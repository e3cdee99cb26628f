// The planted mistakes; see mutations.c.
#pragma once

#include <stddef.h>

extern const char *const mutation_names[];
extern const size_t mutation_count;
// Changes the settings that the run's mutation needs.
void mutation_set_up(void);
