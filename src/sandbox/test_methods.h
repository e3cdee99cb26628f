// The test payment methods: one row each, with the card that it shows and how a charge of it ends. Pure.
// https://docs.stripe.com/testing; those named pm_sandbox_... are this sandbox's own.
#pragma once

#include <stdbool.h>

enum authentication {
    AUTHENTICATION_NONE,
    AUTHENTICATION_ALWAYS,       // 3-D Secure on every payment
    AUTHENTICATION_ON_SESSION,   // only while the payer is there: the card is already set up for later
    AUTHENTICATION_UNTIL_SET_UP, // the same once a payment has set it up; until then on every payment
};

enum ending {
    ENDING_SUCCEEDS,
    ENDING_DECLINES,
    ENDING_PROCESSES,       // processing, succeeded a while later
    ENDING_PROCESSES_FAILS, // processing, declined a while later
    ENDING_SERVER_ERROR,    // charged, but the call answers 500, then and whenever its key is used again
};

// What becomes of its refunds.
enum refund_course {
    REFUND_SUCCEEDS,
    REFUND_PENDS,           // pending, succeeded a while later
    REFUND_FAILS,           // succeeded, failed a while later
    REFUND_REQUIRES_ACTION, // until it is canceled
    REFUND_SERVER_ERROR,    // made, but the call answers 500, then and whenever its key is used again
};

struct decline {
    const char *code;
    const char *decline_code; // NULL: the code says it all
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
    const struct decline *decline; // where it ends so
    bool sets_up;                  // although it declines every charge, its bank grants it to be saved
    enum refund_course refund;
    const char *dispute_reason; // NULL: nobody disputes its charges
    bool inquiry;               // the dispute only asks
};

extern const struct decline decline_authentication_required;
extern const struct decline decline_authentication_not_handled;
extern const struct decline decline_expired_card;

// NULL: there is none of that id.
const struct test_method *test_method_find(const char *id);
