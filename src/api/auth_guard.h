// Limits addresses that keep presenting bad keys, counts authentications for the audit log, and notes when
// keys were last used. All of it is kept in a bounded amount of memory, and written once a minute, so
// requests cannot force a write each. Loop thread.
#pragma once

#include "api/request.h"

struct auth_guard;

struct auth_guard *auth_guard_open(struct loop *loop, struct store *store, const struct keyring *keyring);
// Shares with the other nodes which addresses fail too often.
void auth_guard_share(struct auth_guard *guard, struct notices *notices);
void auth_guard_free(struct auth_guard *guard);

// A request failed with a bad key. 0; or, where its address failed too often, the seconds until it may fail
// again.
int64_t auth_guard_failed(struct auth_guard *guard, const struct address *client);

// Counts one event by type (a literal, such as "auth.success"), address (of IPv6 its /64), merchant and key
// prefix. A key that is not one of ours has merchant NULL and prefix "". The entries without a merchant
// together, and those of each merchant, are limited; events over the limit are counted without their address.
void auth_guard_count(struct auth_guard *guard, const char *event_type, const struct address *client,
                      const struct uuid *merchant_id, const char *key_prefix);

// Notes that a request with this key succeeded at that time (wall clock).
void auth_guard_used(struct auth_guard *guard, const struct uuid *key_id, int64_t now_us);

// Writes the counts now. True once nothing is left to write.
bool auth_guard_drain(struct auth_guard *guard);
