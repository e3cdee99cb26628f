// Addresses whose requests failed lately, so often that they have to wait: within a bound, whoever failed
// last. Loop thread.
#pragma once

#include "base/loop.h"
#include "net/address.h"

struct failures;

struct failures *failures_open(struct loop *loop);
void failures_free(struct failures *failures);

// A request of this address failed. 0, or, where ten failed within five minutes, the seconds until it may
// fail again: then this one is not counted.
int64_t failures_add(struct failures *failures, const struct address *client);

// What failures_add would answer.
int64_t failures_wait_s(const struct failures *failures, const struct address *client);
