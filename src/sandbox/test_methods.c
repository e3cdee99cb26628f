// The table of test cards. Pure. See test_methods.h. docs/sandbox.md shows it to users.
#include "sandbox/test_methods.h"

#include "base/require.h"
#include "base/text.h"

static const struct decline generic = {"card_declined", "generic_decline", "try_again_later",
                                       "Your card was declined."};
static const struct decline no_funds = {"card_declined", "insufficient_funds", "try_again_later",
                                        "Your card has insufficient funds."};
static const struct decline lost = {"card_declined", "lost_card", "do_not_try_again",
                                    "Your card was declined."};
static const struct decline stolen = {"card_declined", "stolen_card", "do_not_try_again",
                                      "Your card was declined."};
static const struct decline fraudulent = {"card_declined", "fraudulent", "do_not_try_again",
                                          "Your card was declined."};
static const struct decline velocity = {
    "card_declined", "card_velocity_exceeded", "try_again_later",
    "Your card was declined for exceeding its limits of amount or number."};
const struct decline decline_expired_card = {"expired_card", NULL, "confirm_card_data",
                                             "Your card has expired."};
static const struct decline wrong_cvc = {"incorrect_cvc", NULL, "confirm_card_data",
                                         "Your card's security code is incorrect."};
static const struct decline processing = {
    "processing_error", NULL, "try_again_later",
    "An error occurred while processing your card. Try again in a little bit."};
const struct decline decline_authentication_required = {
    "authentication_required", "authentication_required", NULL,
    "Your card was declined. This transaction requires authentication."};
const struct decline decline_authentication_not_handled = {
    "card_declined", "authentication_not_handled", NULL,
    "Your card was declined: it requires authentication, and the request ruled that out."};

#define SUCCEEDS(id_, last4_, brand_)                                                                        \
    {                                                                                                        \
        .id = (id_), .last4 = (last4_), .brand = (brand_), .funding = "credit"                               \
    }
#define DECLINES(id_, last4_, decline_)                                                                      \
    {                                                                                                        \
        .id = (id_), .last4 = (last4_), .brand = "visa", .funding = "credit", .ending = ENDING_DECLINES,     \
        .decline = (decline_)                                                                                \
    }
#define SETS_UP(id_, last4_, decline_)                                                                       \
    {                                                                                                        \
        .id = (id_), .last4 = (last4_), .brand = "visa", .funding = "credit", .ending = ENDING_DECLINES,     \
        .decline = (decline_), .sets_up = true                                                               \
    }
#define REFUNDS(id_, last4_, course_)                                                                        \
    {                                                                                                        \
        .id = (id_), .last4 = (last4_), .brand = "visa", .funding = "credit", .refund = (course_)            \
    }
#define DISPUTES(id_, last4_, reason_, inquiry_)                                                             \
    {                                                                                                        \
        .id = (id_), .last4 = (last4_), .brand = "visa", .funding = "credit", .dispute_reason = (reason_),   \
        .inquiry = (inquiry_)                                                                                \
    }
#define AUTHENTICATES(id_, last4_, when_)                                                                    \
    {                                                                                                        \
        .id = (id_), .last4 = (last4_), .brand = "visa", .funding = "credit", .authentication = (when_)      \
    }

static const struct test_method test_methods[] = {
    SUCCEEDS("pm_card_visa", "4242", "visa"),
    {.id = "pm_card_visa_debit", .last4 = "5556", .brand = "visa", .funding = "debit"},
    SUCCEEDS("pm_card_mastercard", "4444", "mastercard"),
    {.id = "pm_card_mastercard_debit", .last4 = "8210", .brand = "mastercard", .funding = "debit"},
    {.id = "pm_card_mastercard_prepaid", .last4 = "5100", .brand = "mastercard", .funding = "prepaid"},
    SUCCEEDS("pm_card_amex", "0005", "amex"),
    SUCCEEDS("pm_card_discover", "1117", "discover"),
    SUCCEEDS("pm_card_diners", "0004", "diners"),
    SUCCEEDS("pm_card_jcb", "0505", "jcb"),
    SUCCEEDS("pm_card_unionpay", "0005", "unionpay"),
    DECLINES("pm_card_visa_chargeDeclined", "0002", &generic),
    DECLINES("pm_card_chargeDeclined", "0002", &generic),
    DECLINES("pm_card_declined", "0002", &generic), // Stripe does not have it, but guides use the name
    DECLINES("pm_card_visa_chargeDeclinedInsufficientFunds", "9995", &no_funds),
    DECLINES("pm_card_chargeDeclinedInsufficientFunds", "9995", &no_funds),
    DECLINES("pm_card_visa_chargeDeclinedLostCard", "9987", &lost),
    DECLINES("pm_card_visa_chargeDeclinedStolenCard", "9979", &stolen),
    DECLINES("pm_card_chargeDeclinedExpiredCard", "0069", &decline_expired_card),
    DECLINES("pm_card_chargeDeclinedIncorrectCvc", "0127", &wrong_cvc),
    DECLINES("pm_card_chargeDeclinedProcessingError", "0119", &processing),
    DECLINES("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "6975", &velocity),
    SETS_UP("pm_card_chargeCustomerFail", "0341", &generic),
    SETS_UP("pm_card_radarBlock", "0019", &fraudulent),
    SUCCEEDS("pm_card_riskLevelHighest", "4954", "visa"),
    SUCCEEDS("pm_card_cvcCheckFail", "0101", "visa"),
    SUCCEEDS("pm_card_bypassPending", "0077", "visa"),
    REFUNDS("pm_card_pendingRefund", "7726", REFUND_PENDS),
    REFUNDS("pm_card_refundFail", "5126", REFUND_FAILS),
    REFUNDS("pm_sandbox_refundRequiresAction", "1003", REFUND_REQUIRES_ACTION),
    REFUNDS("pm_sandbox_refundServerError", "1004", REFUND_SERVER_ERROR),
    DISPUTES("pm_card_createDispute", "0259", "fraudulent", false),
    DISPUTES("pm_card_createDisputeProductNotReceived", "2685", "product_not_received", false),
    DISPUTES("pm_card_createDisputeInquiry", "1976", "fraudulent", true),
    AUTHENTICATES("pm_card_authenticationRequired", "3184", AUTHENTICATION_ALWAYS),
    AUTHENTICATES("pm_card_authenticationRequiredOnSetup", "3155", AUTHENTICATION_UNTIL_SET_UP),
    AUTHENTICATES("pm_card_authenticationRequiredSetupForOffSession", "0446", AUTHENTICATION_ON_SESSION),
    AUTHENTICATES("pm_card_threeDSecure2Required", "3220", AUTHENTICATION_ALWAYS),
    AUTHENTICATES("pm_card_threeDSecureRequired", "3063", AUTHENTICATION_ALWAYS),
    SUCCEEDS("pm_card_threeDSecureOptional", "3055", "visa"),
    {.id = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
     .last4 = "3178",
     .brand = "visa",
     .funding = "credit",
     .authentication = AUTHENTICATION_ALWAYS,
     .ending = ENDING_DECLINES,
     .decline = &no_funds,
     .sets_up = true},
    {.id = "pm_card_threeDSecureRequiredChargeDeclined",
     .last4 = "1629",
     .brand = "visa",
     .funding = "credit",
     .authentication = AUTHENTICATION_ALWAYS,
     .ending = ENDING_DECLINES,
     .decline = &generic},
    {.id = "pm_sandbox_processing",
     .last4 = "1000",
     .brand = "visa",
     .funding = "debit",
     .ending = ENDING_PROCESSES},
    {.id = "pm_sandbox_processingFails",
     .last4 = "1001",
     .brand = "visa",
     .funding = "debit",
     .ending = ENDING_PROCESSES_FAILS,
     .decline = &generic},
    {.id = "pm_sandbox_serverError",
     .last4 = "1002",
     .brand = "visa",
     .funding = "credit",
     .ending = ENDING_SERVER_ERROR},
};

const struct test_method *test_method_find(const char *id)
{
    for (size_t i = 0; i < COUNT_OF(test_methods); i++) {
        if (text_equal(test_methods[i].id, id)) {
            return &test_methods[i];
        }
    }
    return NULL;
}
