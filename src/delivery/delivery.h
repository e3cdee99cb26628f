// Sends the outbox: claim (a transaction) -> POST -> record (a transaction). At least once, in order within a
// transaction id, one endpoint never delaying another. Loop thread.
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

// Takes up what is open and goes on until delivery_drain. ERR_CONFIG for a bad schedule.
enum errc delivery_start(const struct delivery_options *options, struct delivery **delivery,
                         struct err *err) MUST_CHECK;
// Something was appended or an endpoint changed: look now instead of at the next sweep.
void delivery_wake(struct delivery *delivery);
// Starts nothing new; in-flight ones are recorded. True once none is in flight. Where the patience for that
// ends before, closing the HTTP client and then the store ends them: what had no answer is sent again by the
// next process.
bool delivery_drain(struct delivery *delivery);
// Only when nothing is in flight any more.
void delivery_free(struct delivery *delivery);

struct delivery_stats {
    int64_t in_flight, delivered_total, failed_total, dead_total, set_aside_total;
};
void delivery_stats(const struct delivery *delivery, struct delivery_stats *stats);
