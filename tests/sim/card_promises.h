// What must be so of saved cards when all has come to rest. One thread.
#pragma once

#include <stdbool.h>

// `late`: for so long that no card waits for its payer any more.
void card_promises_check(bool late);
