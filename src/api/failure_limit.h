// Addresses whose requests failed lately, so often that they have to wait: within a bound, whoever failed
// last. Loop thread.
#pragma once

#include "base/loop.h"
#include "net/address.h"

struct failure_limit;

struct failure_limit *failure_limit_open(struct loop *loop);
void failure_limit_free(struct failure_limit *limit);

// A request of this address failed. 0, or, where ten failed within five minutes, the seconds until it may
// fail again: then this one is not counted.
int64_t failure_limit_add(struct failure_limit *limit, const struct address *client);

// What failures_add would answer.
int64_t failure_limit_wait_s(const struct failure_limit *limit, const struct address *client);
