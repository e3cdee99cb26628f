// The service under test, in this process: the layers wired as `paymentsd serve` wires them, on the
// simulation's clock, disk and network. It crashes by a longjmp out of whatever it is doing; its memory is
// leaked, since the next start uses none of it. The other parts of the simulation read the service's state
// here. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/keyring.h"
#include "net/http_client.h"

#define SERVICE_MERCHANTS 2
// The delivery's sweeps find what other programs changed in the database. Here there are none: commits wake
// it, and due times are known.
#define SERVICE_DELIVERY_SWEEP_US INT64_C(60000000)
#define STRIPE_BASE "http://stripe.sim"
#define WEBHOOK_SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define STRIPE_WEBHOOK_SECRET "whsec_simulated_signing_secret"

struct service_merchant {
    char id[37];
    char api_key[64];
    char stripe_key[32];
};

struct service {
    bool up;
    int incarnation; // counts starts; work from an earlier one has no owner any more
    int64_t wall_offset_us;
    int64_t charge_window_us;  // as configured; a mutation may change the config
    int64_t delivery_sweep_us; // from the next start
    struct config config;
    struct keyring keyring;
    struct service_merchant merchants[SERVICE_MERCHANTS];
};
extern struct service service;

// Creates the database with its merchants and their API keys. The service will send through these clients.
void service_install(struct http_client *to_stripe, struct http_client *to_merchants);
// Starts it now. It restarts by itself after each crash.
void service_start(void);
// Crashes it now, if it is up.
void service_kill(bool power_lost);
// Crashes it within the disk_calls-th disk call from now.
void service_kill_within(int64_t disk_calls, bool power_lost);
// The path of its database.
const char *service_database(void);
void service_uninstall(void);
// Moves its wall clock forward or backward.
void service_step_clock(int64_t step_us);
int64_t service_wall_us(void);

// Runs what is due now or, if nothing is, advances the clock to the next scheduled call. Returns false if
// nothing else is due before until_us.
bool service_step(int64_t until_us);
