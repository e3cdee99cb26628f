// The numbered steps of the schema; see migrate.h. A step that has shipped is never edited.
#pragma once

#include <stddef.h>

extern const char *const schema_steps[];
extern const size_t schema_step_count;
