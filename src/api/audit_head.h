// Writes the audit chain's head to the log at start and every ten minutes while it moves. A chain whose end
// was cut off still holds; it shows beside a head that is kept elsewhere, and logs are. Loop thread.
#pragma once

#include "base/loop.h"
#include "store/store.h"

struct audit_heads;

struct audit_heads *audit_heads_open(struct loop *loop, struct store *store);
// Only where no job of its is under way: once the store is closed or audit_heads_drain said so.
void audit_heads_free(struct audit_heads *heads);

// Reads no more. True once nothing is under way.
bool audit_heads_drain(struct audit_heads *heads);
