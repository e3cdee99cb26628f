// A payment, what the provider says about it, and the only moves it may make. Pure: no I/O, clock, SQL or
// JSON.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "domain/money.h"

enum payment_status {
    PAYMENT_PENDING,
    PAYMENT_COMPLETED,
    PAYMENT_FAILED,
    PAYMENT_REFUNDED,
    PAYMENT_STATUS_COUNT
};

enum next_action_type { NEXT_ACTION_NONE, NEXT_ACTION_REDIRECT, NEXT_ACTION_SDK };

// Why a payment failed. Strings live as long as what they are of.
struct failure {
    const char *code; // NULL: none
    const char *decline_code;
    const char *message;
};

// The failure's code of a payment that its merchant ended while its outcome was unknown: the provider may
// still report that it was paid.
#define FAILURE_OUTCOME_UNKNOWN "outcome_unknown"

// What identifies a caller's request. The provider keeps it in the metadata of the object that the request
// made, so that a repeat is recognised even if this database has lost the first one.
struct request_mark {
    const char *key;  // the Idempotency-Key; NULL: there is none
    uint8_t hash[32]; // SHA-256 of what was asked for
};

// One row of `payments`. Text is owned by the arena it was read or built into; NULL text is SQL NULL.
struct payment {
    struct uuid id;
    struct uuid merchant_id;
    bool livemode;
    int64_t amount_minor;
    const struct currency *currency;
    enum payment_status status;
    const char *provider; // its name
    const char *provider_ref;
    const char *idempotency_key;
    const uint8_t *request_hash; // no column: its request_mark's, only while it is prepared; NULL: unknown
    const char *payment_method;  // NULL: a saved card
    struct uuid saved_card_id;   // nil: none
    struct uuid customer_id;     // its card is saved for this customer when it completes; nil: not saved
    const char *return_url;
    const char *description;
    const char *metadata_json; // an object of strings, names sorted
    bool capture_manual;
    const char *customer_email;
    int64_t captured_minor;
    int64_t refunded_minor;
    bool capturable;
    bool action_given; // the payer got a next_action: a failure must cancel the payment at the provider
    enum next_action_type next_action;
    const uint8_t *action_secret_sealed; // the redirect's URL, or an SDK action's client secret; NULL: none
    int action_secret_sealed_bytes;
    struct failure failure;
    struct uuid credential_version_id; // the credentials version that it was first sent with
    int64_t created_us;
    int64_t updated_us;
};

// What the provider says of a payment, in neutral terms. Unknown states:
// PROVIDER_PAYMENT_OPEN.
enum provider_payment_state {
    PROVIDER_PAYMENT_OPEN,       // not finished: requires_action, requires_confirmation, or unknown to us
    PROVIDER_PAYMENT_PROCESSING, // the payer has done their part
    PROVIDER_PAYMENT_CAPTURABLE, // authorised, to be captured
    PROVIDER_PAYMENT_SUCCEEDED,
    PROVIDER_PAYMENT_ATTEMPT_FAILED, // requires_payment_method after an attempt
    PROVIDER_PAYMENT_CANCELED,
};

// What a payment was made from, as far as the provider knows. Filled only by PROVIDER_PAYMENTS_SINCE.
struct payment_origin {
    struct request_mark mark; // key NULL: not made by this service, or by a version without marks
    const char *payment_method;
    const char *description;
    const char *metadata_json; // the merchant's own
    const char *customer_email;
    bool capture_manual;
};

struct provider_payment {
    const char *id;
    enum provider_payment_state state;
    int64_t amount_provider_minor;   // provider's minor units; -1: unknown
    int64_t received_provider_minor; // -1: unknown
    const char *currency;            // as the provider wrote it; NULL: unknown
    bool livemode;
    bool livemode_said;
    struct failure failure;
    enum next_action_type next_action;
    const char *redirect_url;  // secret: it may hold the client secret
    const char *client_secret; // secret; NULL: unknown
    const char *payment_id;    // metadata[payment_id], NULL: none
    const char *merchant_id;   // metadata[merchant_id], NULL: none
    const char *method_ref;    // of the payment method; NULL: unknown
    int64_t created_s;         // by the provider's clock; 0: unknown
    struct payment_origin origin;
};

// The moves of a payment's status.
enum payment_move {
    MOVE_COMPLETE,
    MOVE_FAIL,
    MOVE_REOPEN,
    MOVE_REFUND_WHOLE,
    MOVE_REFUND_UNDONE,
    PAYMENT_MOVE_COUNT
};

// Money was taken: it is completed, or refunded since.
static inline bool payment_is_captured(const struct payment *payment)
{
    return payment->status == PAYMENT_COMPLETED || payment->status == PAYMENT_REFUNDED;
}

// Whether the status may make the move, and where it leads (*to is set only then). All moves: pending ->
// completed | failed, failed -> completed | pending, completed -> refunded, refunded -> completed. False for
// a move to the status that it has.
bool payment_can_move(enum payment_status status, enum payment_move move, enum payment_status *to);

// "pending", ... Static storage. parse: false when unknown.
const char *payment_status_name(enum payment_status status);
bool payment_status_parse(const char *name, enum payment_status *status);

// The name in the API and in rows; NULL for none. An unknown name is none.
const char *next_action_name(enum next_action_type type);
enum next_action_type next_action_of_name(const char *name);
