// The service under test, in this process: the layers as `paymentsd serve` wires them, on the simulation's
// clock, disk and network. It dies by a jump out of whatever it does; its memory is left as it is, since
// nothing of it is ever used again. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/keyring.h"

#define SERVICE_MERCHANTS 2
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
    int incarnation; // counts starts; what was begun in an earlier one is nobody's any more
    int64_t wall_offset_us;
    int64_t charge_window_us; // as the operator set it
    struct config config;
    struct keyring keyring;
    struct service_merchant merchants[SERVICE_MERCHANTS];
};
extern struct service service;

// Makes the database with its merchants and their API keys.
void service_install(void);
void service_start(void);
void service_kill(bool power_lost);
// It dies within one of the next calls of its disk.
void service_kill_within(int64_t disk_calls, bool power_lost);
const char *service_database(void); // its path
void service_uninstall(void);
// Sets its wall clock forward or back.
void service_step_clock(int64_t step_us);
int64_t service_wall_us(void);

// Runs what is due at this moment or, if nothing is, lets the world go on to what comes next. Returns false
// where nothing will ever happen any more before until_us.
bool service_step(int64_t until_us);
