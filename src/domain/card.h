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
    CARD_SAVING,  // the provider has not answered yet
    CARD_PENDING, // the payer has still to authenticate
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
    struct failure failure; // why it could not be saved
    struct uuid credential_version_id;
    const char *return_url; // where the payer goes after authenticating; NULL: it is attached without him
    const char *setup_ref;  // the provider's id of its set-up, or of the payment that saves it; NULL: none
    enum next_action_type next_action;
    const uint8_t *action_secret_sealed; // as a payment's
    int action_secret_sealed_bytes;
    const char *fingerprint; // the provider's, of the number; NULL: not said
    int64_t created_us;
    int64_t updated_us;
};

// What the provider says of a set-up, in neutral terms (a Stripe SetupIntent): the payer agrees that the card
// be charged later without him. Unknown states: SETUP_OPEN.
enum setup_state {
    SETUP_OPEN, // the payer has still to act, or the provider to answer
    SETUP_SUCCEEDED,
    SETUP_FAILED, // the card was refused, or the payer not authenticated
    SETUP_CANCELED,
};

struct setup {
    const char *id;
    enum setup_state state;
    struct failure failure;
    enum next_action_type next_action;
    const char *redirect_url;  // secret: it may hold the client secret
    const char *client_secret; // secret; NULL: not said
    const char *method_ref;    // of the payment method; NULL: not said
    const char *card_id;       // metadata[card_id]; NULL: none
};

// "saving", "pending", ... Static storage. parse: false when unknown.
const char *card_status_name(enum card_status status);
bool card_status_parse(const char *name, enum card_status *status);
