// Addresses that keep presenting bad keys, and what audit is told of authentication: both kept in memory
// within bounds, and written once a minute, so that nobody can make us write. Loop thread.
#pragma once

#include "api/request.h"

struct auth_guard;

struct auth_guard *auth_guard_open(struct loop *loop, struct store *store, const struct keyring *keyring);
void auth_guard_free(struct auth_guard *guard);

// A request failed with a bad key. Seconds until that address may fail again, where it has failed too often:
// 0: it may.
int64_t auth_guard_failed(struct auth_guard *guard, const struct address *client);

// Counts one event (auth.success and the like) by type, address (an IPv6 one's /64) and the prefix of the
// key, if it is one of ours, with its merchant: NULL and "" for what anybody can send. Strangers together,
// and each merchant, have a share of the entries; what is beyond it is counted without its address.
void auth_guard_count(struct auth_guard *guard, const char *event_type, const struct address *client,
                      const struct uuid *merchant_id, const char *key_prefix);

// Writes the counts now. True once nothing is left to write.
bool auth_guard_drain(struct auth_guard *guard);
