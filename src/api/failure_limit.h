// Limits the failed requests of an address: 10 in 5 minutes. An address that reached the limit at one node
// has reached it at the others, too. It remembers a bounded number of addresses, those that failed last. An
// IPv6 address counts with all of its /64. Loop thread.
#pragma once

#include "base/loop.h"
#include "net/address.h"

struct failure_limit;

struct notices;

struct failure_limit *failure_limit_open(struct loop *loop);
// Tells the other nodes which addresses have reached the limit, and hears it from them, under this topic, a
// literal.
void failure_limit_share(struct failure_limit *limit, struct notices *notices, const char *topic);
void failure_limit_free(struct failure_limit *limit);

// Counts a failed request of this address, and returns 0. At the limit it does not count it, and returns the
// seconds until the address may fail again.
int64_t failure_limit_add(struct failure_limit *limit, const struct address *client);

// The same without counting.
int64_t failure_limit_wait_s(const struct failure_limit *limit, const struct address *client);
