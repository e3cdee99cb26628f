// A saved card and whose it is. Only the token, brand, last 4, expiry and names are known here, never a
// number.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "domain/payment.h"

// One row of `customers`: of those that are not gone, unique by merchant, mode and folded e-mail; a card
// without e-mail has one of its own.
struct customer {
    struct uuid id;
    struct uuid merchant_id;
    bool livemode;
    const char *email;        // folded (email.h); NULL: none
    const char *body;         // the exact form that makes it at the provider, kept because its key names it
    const char *provider_ref; // NULL: not made there yet
    struct uuid credential_version_id; // the version it was first sent with: a customer lives in that account
    int64_t gone_us;                   // deleted at the provider: no card is saved under it any more; 0: not
    int64_t created_us;
};

enum card_status {
    CARD_SAVING, // being attached at the provider
    CARD_ACTIVE,
    CARD_GONE, // deleted, detached, or never attached
    CARD_STATUS_COUNT
};

// One row of `cards`. Text is owned by the arena it was read or built into; NULL text is SQL NULL.
struct card {
    struct uuid id;
    struct uuid merchant_id;
    struct uuid customer_id;
    bool livemode;
    enum card_status status;
    const char *provider;    // "stripe"
    const char *method_sent; // the payment method as the merchant gave it
    const char
        *provider_ref; // as the provider's attach answered it: the one that is charged; NULL until then
    const char *brand;
    const char *last4;
    int exp_month;
    int exp_year;
    const char *customer_email; // as given; NULL: none
    const char *customer_name;
    bool is_default;
    struct failure failure; // why it could not be attached
    struct uuid credential_version_id;
    int64_t created_us;
    int64_t updated_us;
};

// "saving", "active", "gone". Static storage. parse: false when unknown.
const char *card_status_name(enum card_status status);
bool card_status_parse(const char *name, enum card_status *status);
