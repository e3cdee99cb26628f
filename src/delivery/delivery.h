// Delivers the outbox's events: claim (a transaction) -> POST -> record (a transaction). At least once, in
// order within a transaction id, and no endpoint delays another. Loop thread.
#pragma once

#include "base/config.h"
#include "base/keyring.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "net/http_client.h"
#include "store/store.h"

struct delivery;

struct delivery_options {
    struct loop *loop;
    struct store *store;
    struct http_client *client;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
};

// Delivers what is open and what is added, until delivery_drain. ERR_CONFIG: the schedule is not valid.
enum errc delivery_start(const struct delivery_options *options, struct delivery **delivery,
                         struct err *err) MUST_CHECK;
// An event was appended or an endpoint changed: looks now instead of at the next sweep.
void delivery_wake(struct delivery *delivery);
// Starts no new attempts; those in flight are recorded. True once none is in flight. A caller that cannot
// wait so long closes the HTTP client and then the store; the next process repeats attempts that had no
// answer.
bool delivery_drain(struct delivery *delivery);
// Only after delivery_drain returned true.
void delivery_free(struct delivery *delivery);

struct delivery_stats {
    int64_t in_flight, delivered_total, failed_total, dead_total, set_aside_total;
};
void delivery_stats(const struct delivery *delivery, struct delivery_stats *stats);
