// See tx.h.
#include "store/tx.h"

uint32_t tx_random32(const struct tx *tx)
{
    uint32_t value = 0;
    tx->random->fill(tx->random, &value, sizeof(value));
    return value;
}
