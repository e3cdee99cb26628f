// The test payment methods: one row each, with the card that it shows and how a charge of it ends. Pure.
// https://docs.stripe.com/testing; those named pm_sandbox_... are this sandbox's own.
#pragma once

#include <stdbool.h>

enum authentication {
    AUTHENTICATION_NONE,
    AUTHENTICATION_ALWAYS,       // 3-D Secure on every payment
    AUTHENTICATION_ON_SESSION,   // only while the payer is there: the card is set up already
    AUTHENTICATION_UNTIL_SET_UP, // on every payment until one sets the card up, then as ON_SESSION
};

enum ending {
    ENDING_SUCCEEDS,
    ENDING_DECLINES,
    ENDING_PROCESSES,       // processing, succeeded a while later
    ENDING_PROCESSES_FAILS, // processing, declined a while later
    ENDING_SERVER_ERROR,    // charged, but the call answers 500, then and whenever its key is used again
};

// What happens to its refunds.
enum refund_course {
    REFUND_SUCCEEDS,
    REFUND_PENDS,           // pending, succeeded a while later
    REFUND_FAILS,           // succeeded, failed a while later
    REFUND_REQUIRES_ACTION, // until it is canceled
    REFUND_SERVER_ERROR,    // made, but the call answers 500, then and whenever its key is used again
};

struct decline {
    const char *code;
    const char *decline_code; // NULL: none
    const char *advice_code;
    const char *message;
};

struct test_method {
    const char *id;
    const char *last4;
    const char *brand;
    const char *funding;
    enum authentication authentication;
    enum ending ending;
    const struct decline *decline; // if the ending is one
    bool sets_up;                  // the card can be saved although its bank declines every charge
    enum refund_course refund;
    const char *dispute_reason; // NULL: nobody disputes its charges
    bool inquiry;               // the dispute is only an inquiry
};

extern const struct decline decline_authentication_required;
extern const struct decline decline_authentication_not_handled;
extern const struct decline decline_expired_card;

// NULL: none has that id.
const struct test_method *test_method_find(const char *id);
