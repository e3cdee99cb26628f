// Logs the head of the audit chain at start, and every ten minutes if it moved. A chain whose end was cut off
// still verifies; only a head that is kept elsewhere, as logs are, reveals it. Loop thread.
#pragma once

#include "base/loop.h"
#include "store/store.h"

struct audit_heads;

struct audit_heads *audit_heads_open(struct loop *loop, struct store *store);
// Only when none of its jobs is in progress: after the store is closed, or when audit_heads_drain was true.
void audit_heads_free(struct audit_heads *heads);

// Starts no more reads. True once none is in progress.
bool audit_heads_drain(struct audit_heads *heads);
