// The promises about saved cards that must hold when the service is idle. One thread.
#pragma once

#include <stdbool.h>

// all_expired: so much time has passed that no card may still be pending.
void card_promises_check(bool all_expired);
