// The journal's lines: one JSON object a change, enough to make the change again. See sandbox.h for how it is
// kept.
#pragma once

#include "sandbox/state.h"

void journal_put(struct sandbox *sandbox, const struct account *account, const struct object *object);
void journal_remove(struct sandbox *sandbox, const struct account *account, const struct object *object);
