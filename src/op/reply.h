// The first answer to an idempotent request: stored sealed beside its key, and given again byte for byte.
// Database threads.
#pragma once

#include "op/change.h"

// Renders the payment as it is now and stores that as the first answer, status 201. *body stays NULL where an
// answer is stored already. In the change's arena.
enum errc reply_keep(struct db *db, struct change *change, const struct payment *payment, const char **body,
                     struct err *err) MUST_CHECK;

// The stored answer's bytes; *body NULL: none is stored (in flight, or pruned).
enum errc reply_stored(struct db *db, const struct keyring *keyring, const struct uuid *subject_id,
                       struct arena *arena, int *status, const char **body, struct err *err) MUST_CHECK;
