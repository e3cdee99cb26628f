// Rows as most tests need them; a test then sets what is special about its own.
#pragma once

#include <string.h>

#include "base/uuid.h"
#include "store/api_keys.h"
#include "store/merchants.h"
#include "store/payments.h"

// A pending payment of 50.00 USD in test mode, which the provider does not know yet.
static inline struct payment sample_payment(const struct uuid *merchant_id,
                                            const struct uuid *credential_version_id, int64_t at_us)
{
    return (struct payment){
        .id = uuid_new(&random_system, at_us),
        .merchant_id = *merchant_id,
        .amount_minor = 5000,
        .currency = currency_find("USD"),
        .status = PAYMENT_PENDING,
        .provider = "stripe",
        .idempotency_key = "order-123",
        .credential_version_id = *credential_version_id,
        .created_us = at_us,
        .updated_us = at_us,
    };
}

// An active merchant without a webhook.
static inline struct merchant sample_merchant(const struct uuid *id, int64_t at_us)
{
    return (struct merchant){
        .id = *id, .name = "shop", .is_active = true, .created_us = at_us, .updated_us = at_us};
}

// A key of test mode without an end.
static inline struct api_key sample_key(const struct uuid *merchant_id, const uint8_t hash[32], int64_t at_us)
{
    struct api_key key = {.id = uuid_new(&random_system, at_us),
                          .merchant_id = *merchant_id,
                          .prefix = "sk_test_1234",
                          .scopes = 3,
                          .created_us = at_us};
    memcpy(key.hash, hash, sizeof(key.hash));
    return key;
}
