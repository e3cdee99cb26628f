// What a delivery is given, and what it counts.
#pragma once

#include "base/config.h"
#include "base/keyring.h"
#include "base/loop.h"
#include "base/timefmt.h"
#include "base/uuid.h"
#include "net/http_client.h"
#include "store/store.h"

// How often the delivery looks for due events by itself, because other programs change the database too.
#define DELIVERY_SWEEP_US (5 * US_PER_S)

struct delivery_options {
    struct loop *loop;
    struct store *store;
    struct http_client *client;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
    int64_t sweep_us; // DELIVERY_SWEEP_US; the simulation may have more
};

struct delivery_stats {
    int64_t in_flight, delivered_total, failed_total, dead_total, set_aside_total;
};
