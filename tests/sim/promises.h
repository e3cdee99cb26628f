// What must be so when all has come to rest, and what must be so at any moment: the service's own rows
// against the sandbox's ledger and what clients and merchants were told. Breaks are violations. One thread.
#pragma once

#include <stdbool.h>

// The database is read by a connection of its own.
void promises_check_now(void); // whatever is under way
void promises_check_end(void); // after all came to rest
void promises_make_due(void);  // open operations are due now, as they would be in time
bool promises_are_idle(void);  // nothing is owed any more, to the provider or a merchant
