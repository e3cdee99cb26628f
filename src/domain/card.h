// A saved card and its customer. Only its token, brand, last 4 digits, expiry and names are known, never its
// number.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "domain/payment.h"

// One row of `customers`. Merchant, mode and folded e-mail are unique among those that are not gone. A card
// without e-mail has a customer of its own.
struct customer {
    struct uuid id;
    struct uuid merchant_id;
    bool livemode;
    const char *email;        // folded (email.h); NULL: none
    const char *body;         // the exact request that makes it at the provider: its idempotency key needs it
    const char *provider_ref; // NULL: not made there yet
    struct uuid credential_version_id; // the version it was first sent with: it exists in that account
    int64_t gone_us; // when the provider deleted it: no card is saved for it any more; 0: not
    int64_t created_us;
};

enum card_status {
    CARD_SAVING,  // the provider has not answered yet
    CARD_PENDING, // the payer has yet to authenticate
    CARD_ACTIVE,
    CARD_FAILED, // was pending, and the payer did not authenticate
    CARD_GONE,   // deleted, detached, or refused at once
    CARD_STATUS_COUNT
};

// One row of `cards`. Text is owned by the arena it was read or built into; NULL text is SQL NULL.
struct card {
    struct uuid id;
    struct uuid merchant_id;
    struct uuid customer_id;
    bool livemode;
    enum card_status status;
    const char *provider;     // its name
    const char *method_sent;  // the payment method as the merchant gave it
    const char *provider_ref; // the one that is charged, from the provider's answer; NULL until then
    const char *brand;
    const char *last4;
    int exp_month;
    int exp_year;
    const char *customer_email; // as given; NULL: none
    const char *customer_name;
    bool is_default;
    struct failure failure; // why it could not be saved
    struct uuid credential_version_id;
    const char *return_url; // where the payer goes after authenticating; NULL: attached without the payer
    const char *setup_ref;  // the provider's id of its setup, or of the payment that saves it; NULL: none
    enum next_action_type next_action;
    const uint8_t *action_secret_sealed; // as a payment's
    int action_secret_sealed_bytes;
    const char *fingerprint; // of its number, by the provider; NULL: unknown
    int64_t created_us;
    int64_t updated_us;
};

// What the provider says about a setup, by which the payer agrees to later charges of the card without being
// present. Unknown states are SETUP_OPEN.
enum setup_state {
    SETUP_OPEN, // the payer has yet to act, or the provider to answer
    SETUP_SUCCEEDED,
    SETUP_FAILED, // the card was declined, or the payer not authenticated
    SETUP_CANCELED,
};

struct setup {
    const char *id;
    enum setup_state state;
    struct failure failure;
    enum next_action_type next_action;
    const char *redirect_url;  // secret: it may hold the client secret
    const char *client_secret; // secret; NULL: unknown
    const char *method_ref;    // of the payment method; NULL: unknown
    const char *card_id;       // metadata[card_id]; NULL: none
};

// "saving", "pending", ... Static storage. parse: false when unknown.
const char *card_status_name(enum card_status status);
bool card_status_parse(const char *name, enum card_status *status);
