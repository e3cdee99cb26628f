// What a delivery is given, and what it counts.
#pragma once

#include "base/config.h"
#include "base/keyring.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "net/http_client.h"
#include "store/store.h"

struct delivery_options {
    struct loop *loop;
    struct store *store;
    struct http_client *client;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
};

struct delivery_stats {
    int64_t in_flight, delivered_total, failed_total, dead_total, set_aside_total;
};
