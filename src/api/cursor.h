// meta.next_cursor: where a page ended, as text that only this service can have made. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "base/keyring.h"
#include "base/uuid.h"

// In the arena, of characters that a query string takes as they are.
const char *cursor_make(const struct keyring *keyring, struct arena *arena, const char *list,
                        const struct uuid *last);

// False where it was not made by cursor_make for this list.
bool cursor_read(const struct keyring *keyring, const char *list, const char *cursor, struct uuid *last);
