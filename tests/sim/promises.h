// The promises that must hold at any time, and those that must hold when the service is idle: compares the
// service's rows with the sandbox's ledger and with what clients and merchants received. Reports violations.
// One thread.
#pragma once

#include <stdbool.h>

// Checks what must hold at any time.
void promises_check_now(void);
// Checks everything, when the service is idle.
void promises_check_end(void);
// Makes all open operations due now, instead of waiting until they are.
void promises_make_due(void);
// Whether nothing is left to do for the provider, the merchants or the clients.
bool promises_are_idle(void);
