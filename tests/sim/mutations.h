// See mutations.c.
#pragma once

#include <stddef.h>

extern const char *const mutation_names[];
extern const size_t mutation_count;
// What a mutation changes of the settings.
void mutation_set_up(void);
