// meta.next_cursor: the end of a page, as text that only this service can make. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "base/keyring.h"
#include "base/uuid.h"

// In the arena. It needs no escaping in a query string.
const char *cursor_make(const struct keyring *keyring, struct arena *arena, const char *list,
                        const struct uuid *last);

// False if cursor_make did not make it for this list.
bool cursor_read(const struct keyring *keyring, const char *list, const char *cursor, struct uuid *last);
